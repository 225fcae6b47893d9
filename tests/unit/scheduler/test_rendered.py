"""Job scripts look as they should: each is held by a file in `rendered/`.

After a change on purpose, run `python -m tests.unit.scheduler.test_rendered` in the project's
folder, and read what git says has changed.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import LSF, PBS, SGE, BatchScheduler, Slurm, Sqsub


class OpenPBS(PBS):
    flavour = "pro"


class Torque(PBS):
    flavour = "torque"


SCHEDULERS: dict[str, type[BatchScheduler]] = {
    "slurm": Slurm,
    "gridengine": SGE,
    "openpbs": OpenPBS,
    "torque": Torque,
    "lsf": LSF,
    "sqsub": Sqsub,
}
RENDERED = Path(__file__).with_name("rendered")
COMMAND = ["/usr/bin/python3", "-m", "job", "it's %a", ""]
ASKED = {
    "timelimit": "1h30m",
    "memory": "2G",
    "n_cpus": 4,
    "n_nodes": 1,
    "gpus": 1,
    "setup": ["module load python", "export A=1"],
}
MORE: dict[str, dict[str, Any]] = {
    "slurm": {"partition": "long", "mail_user": "me@site", "exclusive": True},
    "gridengine": {"queue": "long.q", "mail_user": "me@site", "extra": "-l scratch=1"},
    "openpbs": {"queue": "long", "project": "p", "extra": ["-W umask=022"]},
    "torque": {"queue": "long", "account": "a", "extra": ["-W umask=022"]},
    "lsf": {"queue": "long", "mail_user": "me@site", "extra": "-app big"},
    "sqsub": {"queue": "serial", "extra": "--nompirun -f 'a b'"},
}


def rendered(kind: str) -> str:
    """Render a plain job, and an array with all that can be asked for."""
    scheduler = SCHEDULERS[kind]()
    plain = scheduler.request(COMMAND, "/data/log/plain.log", "plain")
    size = 3 if scheduler.has_arrays else None
    throttle = {"throttle": 2} if scheduler.has_arrays else {}
    requeue = {"requeue": True} if scheduler.can_requeue else {}
    array = scheduler.request(
        COMMAND,
        "/data/log/a b-%a 5%.log",
        "task:1",
        size,
        depends_on=["7", "8[].server"] if kind in ("openpbs", "torque") else ["7", "8"],
        asked={**ASKED, **throttle, **requeue, **MORE[kind]},
    )
    return "\n".join(
        f"$ {' '.join(scheduler.submit_command(request))}\n\n{scheduler.render(request)}"
        for request in (plain, array)
    )


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_job_scripts_are_as_they_were(kind):
    assert rendered(kind) == (RENDERED / f"{kind}.txt").read_text()


@pytest.mark.parametrize("kind", ["slurm", "gridengine", "lsf"])
def test_leaving_requeueing_to_the_site_is_not_forbidding_it(kind):
    scheduler = SCHEDULERS[kind]()
    words = {
        "slurm": ["--requeue", "--no-requeue"],
        "gridengine": ["-r y", "-r n"],
        "lsf": ['-Q "99"', "-rn"],
    }
    for value, expected in zip((True, False, None), [*words[kind], None], strict=True):
        text = scheduler.render(
            scheduler.request(["true"], "log", "j", asked={"requeue": value})
        )
        lines = {line.partition(" ")[2] for line in text.split("\n")}
        assert lines.intersection(words[kind]) == ({expected} if expected else set())


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_the_list_of_indices_is_short_for_any_array(kind):
    scheduler = SCHEDULERS[kind]()
    if scheduler.has_arrays:  # Slurm takes 4096 bytes
        text = scheduler.render(scheduler.request(["true"], "log-%a", "j", 1_000_000))
        assert max(map(len, text.split("\n"))) < 200


@pytest.mark.parametrize("kind", ["openpbs", "torque"])
def test_pbs_gets_no_array_of_one(kind):
    scheduler = SCHEDULERS[kind]()
    text = scheduler.render(scheduler.request(["echo", "%a"], "log-%a", "j", 1))
    assert "index=0\n" in text
    assert "#PBS -J" not in text
    assert "#PBS -t" not in text


def test_memory_is_by_slot_for_grid_engine_and_of_all_nodes_for_torque():
    def lines(kind, **asked):
        scheduler = SCHEDULERS[kind]()
        return scheduler.render(scheduler.request(["true"], "log", "j", asked=asked)).split(
            "\n"
        )

    assert "#$ -l h_vmem=334M" in lines("gridengine", memory="1000M", n_cpus=3)
    assert "#PBS -l mem=2000mb" in lines("torque", memory="1000M", n_nodes=2)
    assert "#PBS -l select=2:mem=1000mb" in lines("openpbs", memory="1000M", n_nodes=2)
    with pytest.raises(SchedulerError, match="parallel_environment"):
        lines("gridengine", n_nodes=2)


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_an_unlimited_time_asks_for_none(kind):
    scheduler = SCHEDULERS[kind]()
    request = scheduler.request(["true"], "log", "j", asked={"timelimit": "unlimited"})
    text = scheduler.render(request) + " ".join(scheduler.submit_command(request))
    assert "None" not in text


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_a_time_limit_that_depends_on_the_name_gets_the_name_that_the_job_has(kind):
    scheduler = SCHEDULERS[kind]()
    asked = {"timelimit": lambda name: {"task_1": "1h"}[name]}
    scheduler.render(scheduler.request(["true"], "log", "task:1", asked=asked))
    assert scheduler.time_limit(asked, "task:1") == 3600


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("limit", [timedelta(0), timedelta(-1), "0m", "0", "0:00:00", 0])
def test_a_time_limit_that_leaves_no_time_is_refused(kind, limit):
    with pytest.raises(SchedulerError, match="above 0"):
        SCHEDULERS[kind]().check({"timelimit": limit})


@pytest.mark.parametrize("kind", sorted({*SCHEDULERS} - {"sqsub"}))
def test_an_array_of_which_none_may_run_is_refused(kind):
    with pytest.raises(SchedulerError, match="at least 1"):
        SCHEDULERS[kind]().check({"throttle": 0})


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("value", [False, None, lambda _: False])
def test_a_setup_of_nothing_is_none(kind, value):
    scheduler = SCHEDULERS[kind]()
    request = scheduler.request(["true"], "log", "j", asked={"setup": value})
    assert scheduler.render(request) == scheduler.render(replace(request, asked={}))


@pytest.mark.parametrize("kind", sorted({*SCHEDULERS} - {"slurm"}))
def test_no_gpus_are_none(kind):
    scheduler = SCHEDULERS[kind]()
    none, unsaid = (
        scheduler.request(["true"], "log", "j", asked=asked) for asked in ({"gpus": 0}, {})
    )
    assert scheduler.render(none) == scheduler.render(unsaid)
    assert scheduler.submit_command(none) == scheduler.submit_command(unsaid)


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_a_value_of_two_lines_is_refused(kind):
    name = "partition" if kind == "slurm" else "queue"
    with pytest.raises(SchedulerError, match="has to be one line"):
        SCHEDULERS[kind]().check({name: "a\nb"})


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_long_names_differ_after_they_are_cut(kind):
    scheduler = SCHEDULERS[kind]()
    one, two = (scheduler.request(["true"], "log", "n" * 300 + end).name for end in "ab")
    assert one != two
    assert len(one) == len(two) == 200


if __name__ == "__main__":
    for each in SCHEDULERS:
        (RENDERED / f"{each}.txt").write_text(rendered(each))
