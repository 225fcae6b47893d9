"""What Grid Engine does that no one expects misleads nobody; on the real system."""

import signal

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import SGE, JobState
from tests.contracts.batchcontract import PYTHON, WAITS_LONG, states
from tests.waiting import until

pytestmark = pytest.mark.gridengine


def gone(jobid):
    return SGE().query([jobid]) == []


def test_a_job_that_exits_with_99_comes_back(gridengine, tmp_path):
    log = tmp_path / "log"
    code = f"print(1); import os; raise SystemExit(99 * (os.path.getsize({str(log)!r}) == 0))"
    jobid = SGE().submit([*PYTHON, code], log, scheduler_args={"requeue": True})
    until(lambda: gone(jobid))
    assert log.read_text() == "1\n1\n"


def test_what_can_not_be_started_says_so(gridengine, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    before = SGE().submit(WAITS_LONG, tmp_path / "before")
    monkeypatch.chdir(tmp_path / "here")
    jobid = SGE().submit(["true"], tmp_path / "log", depends_on=[before])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").rmdir()
    SGE().kill(before)
    until(lambda: any("could not be started" in job.reason for job in SGE().query([jobid])))
    assert states(SGE(), jobid) == {JobState.PENDING}
    SGE().kill(jobid)
    until(lambda: gone(jobid))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"queue": "none.q"}, "none.q"),
        ({"extra": "-l nonsense=1"}, "nonsense"),
        ({"parallel_environment": "nope"}, "nope"),
    ],
)
def test_a_refusal_is_told_in_its_words(asked, words, gridengine, tmp_path):
    with pytest.raises(SchedulerError, match=words):
        SGE().submit(["true"], tmp_path / "log", scheduler_args=asked)


def test_resources_are_as_qsub_takes_them(gridengine, tmp_path):
    asked = {"timelimit": "1h30m", "memory": "900M", "n_cpus": 3, "mail_user": "me@site"}
    asked |= {"priority": -5, "requeue": False, "setup": "echo $NSLOTS"}
    jobid = SGE().submit(["true"], tmp_path / "log", scheduler_args=asked)
    until(lambda: gone(jobid))
    assert (tmp_path / "log").read_text() == "3\n"


def test_an_array_that_is_too_large_is_refused(gridengine, tmp_path):
    with pytest.raises(SchedulerError, match="more than 75000 tasks"):
        SGE().submit_array(75001, ["true"], tmp_path / "log-%a")
    assert SGE().limits().array == 75000


def test_defaults_of_the_user_change_nothing(gridengine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".sge_request").write_text("-b y\n-now y\n-N other\n-o /tmp\n-r n\n")
    jobid = SGE().submit(WAITS_LONG, "log", name="mine")
    until(lambda: SGE().find(["mine"]) == {"mine": jobid})
    until(lambda: (tmp_path / "log").exists())


@pytest.mark.slow
def test_a_master_that_is_down_is_no_wrong_answer(gridengine, tmp_path):
    jobid = SGE().submit(WAITS_LONG, tmp_path / "log")
    gridengine.send("sge_qmaster", signal.SIGTERM)
    for question in (
        lambda: SGE().query([jobid]),
        lambda: SGE().submit(["true"], tmp_path / "log"),
        lambda: SGE().kill(jobid),
    ):
        with pytest.raises(SchedulerError, match=r"error: |unable to"):
            question()
    gridengine.start()
    until(lambda: states(SGE(), jobid) == {JobState.RUNNING})
