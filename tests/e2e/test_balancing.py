"""Workers that share the rows of a run: whoever is free takes what is left, whoever dies."""

import dataclasses
import json
import os
import random
import signal
import time
from collections import Counter

import pytest

from psyrun.jobs import job_names, read_job, write_jobs
from psyrun.partial import verified
from psyrun.rows import RowState
from psyrun.runfile import read_run_file
from psyrun.state import read_sources, task_state
from tests.e2e.nobody import job_errors, submit, worker
from tests.waiting import WAIT_SECONDS, until

TASK = """
pspace = Param(a=range({rows}))
max_jobs = {jobs}

def execute(a):
    counted(a)
    time.sleep({sleep})
    return {{'y': a}}
"""


def ended(process):
    _, err = process.communicate(timeout=WAIT_SECONDS)
    assert "Traceback" not in err, err
    return process.returncode, err


def states(workdir):
    run = read_run_file(workdir, workdir.root.name).last
    assert run is not None
    return task_state(workdir, run, verified(read_sources(workdir))[0])


def is_complete(workdir):
    return states(workdir).complete


def held(workdir):
    return [
        worker
        for job in job_names(workdir, 1)
        if (path := workdir.claims(job)).exists()
        for worker in json.loads(path.read_text())["held"]
    ]


@pytest.mark.parametrize("flock", [None, True, False])
def test_very_unequal_rows_end_at_nearly_the_same_time(project, flock):
    rows, cost = 40, 6.0
    # all of the cost is in the first quarter of one share
    source = TASK.format(rows=rows, jobs=2, sleep=f"{cost / 10} if a < 10 else 0")
    workdir = submit(project, "unequal", source, balanced=True, flock=flock)
    processes = [worker(workdir, f"1-{index}") for index in range(2)]
    until((project.root / "counted").exists)
    began = time.monotonic()
    results = [ended(process) for process in processes]
    assert [code for code, _ in results] == [0, 0]
    assert time.monotonic() - began < 1.2 * cost / 2 + 0.7, results
    assert is_complete(workdir)
    assert project.evaluated() == sorted(map(str, range(rows)))
    assert held(workdir) == []
    assert not list(workdir.claims_folder.glob("*.alive"))


def test_a_worker_helps_with_a_job_that_nobody_has_begun(project):
    source = TASK.format(rows=60, jobs=5, sleep=0.01)
    workdir = submit(project, "alone", source, balanced=True)
    assert ended(worker(workdir, "1-3", pool=2))[0] == 0
    assert is_complete(workdir)
    assert len(project.evaluated()) == 60
    assert {path.stem for path in workdir.partial_infos()} == {f"1-{n}" for n in range(5)}
    code, err = ended(worker(workdir, "1-0"))
    assert (code, "ended: all rows had their turn" in err) == (0, True)
    assert project.evaluated() == []


def test_a_worker_without_a_share_joins(project):
    source = TASK.format(rows=40, jobs=1, sleep=0.1)
    workdir = submit(project, "joined", source, balanced=True)
    job = read_job(workdir, "1-0")
    write_jobs(workdir, [dataclasses.replace(job, name="1-1", rows=())])
    processes = [worker(workdir, f"1-{index}") for index in range(2)]
    results = [ended(process) for process in processes]
    assert [code for code, _ in results] == [0, 0], results
    assert is_complete(workdir)
    assert len(project.evaluated()) == 40
    assert not workdir.partial_info("1-1").exists()


@pytest.mark.parametrize("count", [2, 4])
def test_killed_workers_lose_no_row(project, count):
    source = TASK.format(rows=80, jobs=count, sleep=0.05)
    workdir = submit(project, "killed", source, balanced=True)
    processes = [worker(workdir, f"1-{index}", pool=2) for index in range(count)]
    until(lambda: len(held(workdir)) >= count, "all at work")
    for victim in processes[: count // 2]:
        os.kill(victim.pid, signal.SIGKILL)
    results = [ended(process) for process in processes]
    assert [code for code, _ in results] == [-9] * (count // 2) + [0] * (count - count // 2)
    assert is_complete(workdir)
    twice = [row for row, n in Counter(project.evaluated()).items() if n > 1]
    assert len(twice) <= 2 * 2 * (count // 2)


def test_one_worker_waits_for_a_row_whose_holder_dies(project):
    source = TASK.format(rows=2, jobs=2, sleep="30 if not os.path.exists(str(a)) else 0")
    source = source.replace(
        "counted(a)", "counted(a)\n    a or open('../touched', 'x').close()"
    )
    source = TASK.format(rows=3, jobs=3, sleep="first(a)") + (
        "\ndef first(a):\n"
        "    try:\n"
        "        os.mkdir(f'row{a}')\n"
        "    except FileExistsError:\n"
        "        return 0\n"
        "    return 60 if a == 0 else 0\n"
    )
    workdir = submit(project, "waited", source, balanced=True)
    slow = worker(workdir, "1-0")
    until((project.tasks / "row0").exists)
    others = [worker(workdir, f"1-{index}") for index in (1, 2)]
    until(lambda: any(process.poll() == 0 for process in others), "all but one to end")
    assert [process.poll() for process in others].count(None) == 1
    slow.kill()
    assert sorted(ended(process)[0] for process in others) == [0, 0]
    assert is_complete(workdir)
    ended(slow)


def test_failed_rows_are_not_tried_again_by_others(project):
    source = TASK.format(rows=20, jobs=2, sleep="0.01 / (a % 5)")
    workdir = submit(project, "failed", source, balanced=True)
    results = [ended(p) for p in [worker(workdir, f"1-{index}") for index in range(2)]]
    assert {code for code, _ in results} <= {0, 1}
    assert len(project.evaluated()) == 20
    state = states(workdir)
    assert (state.count(RowState.DONE), state.count(RowState.FAILED)) == (16, 4)


def test_a_row_that_kills_its_process_is_told_once(project):
    source = TASK.format(rows=20, jobs=2, sleep="0.01 if a != 13 else os._exit(3)")
    workdir = submit(project, "deadly", source, balanced=True)
    results = [ended(p) for p in [worker(workdir, f"1-{index}") for index in range(2)]]
    assert sorted(code for code, _ in results) == [0, 1]
    assert len(project.evaluated()) == 20
    assert states(workdir).count(RowState.FAILED) == 1


def test_too_many_failures_end_the_run(project):
    source = TASK.format(rows=400, jobs=2, sleep="0.02 / 0") + "\nmax_failures = 5\n"
    workdir = submit(project, "wild", source, balanced=True)
    code, err = ended(worker(workdir, "1-0"))
    assert (code, "5 rows failed (max_failures = 5)" in err) == (1, True)
    assert job_errors(workdir) == ["TooManyFailures"]


@pytest.mark.parametrize("pool", [1, 2])
def test_a_worker_whose_time_runs_out_gives_back_what_it_holds(project, pool):
    source = TASK.format(rows=60, jobs=2, sleep=0.1)
    workdir = submit(project, "limited", source, balanced=True)
    job = read_job(workdir, "1-0")
    write_jobs(workdir, [dataclasses.replace(job, time_limit=1.5)])
    code, err = ended(worker(workdir, "1-0", pool=pool))
    assert (code, "rows left" in err) == (1, True)
    assert held(workdir) == []
    assert ended(worker(workdir, "1-1", pool=2))[0] == 0
    assert is_complete(workdir)
    assert len(project.evaluated()) == 60


def test_a_worker_told_to_end_gives_back_what_it_holds(project):
    source = TASK.format(rows=60, jobs=2, sleep=0.1)
    workdir = submit(project, "told", source, balanced=True)
    process = worker(workdir, "1-0")
    until((project.root / "counted").exists)
    process.terminate()
    assert ended(process)[0] == 143
    assert held(workdir) == []
    assert ended(worker(workdir, "1-1", pool=4))[0] == 0
    assert is_complete(workdir)


def test_a_job_of_a_balanced_run_comes_back_for_its_rows(project):
    source = TASK.format(rows=30, jobs=1, sleep=0.1)
    workdir = submit(project, "back", source, balanced=True, time_limit=1.5, requeue=9)
    environment = {"JOB_ID": "7", "SGE_TASK_ID": "undefined"}
    codes = [99]
    while codes[-1] == 99:
        codes.append(ended(worker(workdir, "1-0", environment=environment))[0])
    assert codes[-1] == 0
    assert len(codes) > 3
    assert len(project.evaluated()) == 30


def test_no_share_is_lost_where_the_claims_are_damaged(project):
    source = TASK.format(rows=30, jobs=2, sleep=0.01)
    workdir = submit(project, "damaged", source, balanced=True)
    workdir.claims_folder.mkdir()
    for name in job_names(workdir, 1):
        workdir.claims(name).write_text("{")
    assert ended(worker(workdir, "1-0"))[0] == 0
    assert is_complete(workdir)


@pytest.mark.parametrize("seed", range(4))
def test_however_workers_end_no_row_is_lost(project, seed):
    draw = random.Random(seed)
    count, pool = draw.randint(2, 4), draw.randint(1, 2)
    source = TASK.format(rows=120, jobs=count, sleep="random.expovariate(40)")
    workdir = submit(project, "mixed", source, balanced=True, flock=bool(seed % 2))
    processes = [worker(workdir, f"1-{index}", pool=pool) for index in range(count)]
    until(lambda: held(workdir), "work")
    killed = 0
    for process in draw.sample(processes, draw.randint(1, count)):
        time.sleep(draw.uniform(0, 0.3))
        number = draw.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
        killed += number in (signal.SIGKILL, signal.SIGTERM)
        process.send_signal(number)
    for process in processes:
        ended(process)
    code, err = ended(worker(workdir, "1-0", pool=2))
    assert code == 0, err
    assert is_complete(workdir)
    evaluated = project.evaluated()
    assert set(evaluated) == set(map(str, range(120)))
    # those under way, and those that ended while their process did
    assert len(evaluated) - 120 <= 2 * killed * pool
    path = project.tasks / "task_mixed.py"
    path.write_text(path.read_text().replace("scheduler = Nobody()", "pool_size = 2"))
    assert project.psy("run", "mixed").code == 0
    assert project.evaluated() == []
    assert project.result("mixed")["y"] == list(range(120))


@pytest.mark.parametrize("balanced", [True, False])
def test_a_long_row_keeps_none_waiting_that_stand_behind_it(project, balanced):
    """Long rows follow each other behind quick ones, from which nobody can foresee them."""
    cost = 3.0
    slow = f"{cost} if a in (200, 201) else 0.001"
    workdir = submit(
        project, "behind", TASK.format(rows=400, jobs=1, sleep=slow), balanced=balanced
    )
    began = time.monotonic()
    if balanced:
        job = read_job(workdir, "1-0")
        write_jobs(workdir, [dataclasses.replace(job, name="1-1", rows=())])
        processes = [worker(workdir, "1-0"), worker(workdir, "1-1")]
    else:
        processes = [worker(workdir, "1-0", pool=2)]
    results = [ended(process) for process in processes]
    assert [code for code, _ in results] == [0] * len(processes), results
    assert time.monotonic() - began < 1.6 * cost, results
    assert is_complete(workdir)
    assert project.evaluated() == sorted(map(str, range(400)))
