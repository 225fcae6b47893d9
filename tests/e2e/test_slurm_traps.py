"""What Slurm does that no one expects misleads nobody; on the real system."""

import getpass
import signal
import sys

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import JobState, Slurm
from psyrun.scheduler.base import UNSATISFIABLE
from tests.contracts.batchcontract import PYTHON, WAITS_LONG, known, states
from tests.e2e.slurm_cluster import SlurmCluster
from tests.waiting import until

pytestmark = pytest.mark.slurm


def ended(jobid):
    return all(job.state.final for job in Slurm().query([jobid]))


@pytest.mark.slow
def test_a_job_that_was_taken_without_a_word_is_found(slurm, tmp_path):
    slurm.send("slurmctld", signal.SIGSTOP)
    with pytest.raises(SchedulerError, match="Socket timed out"):
        Slurm().submit(WAITS_LONG, tmp_path / "log", name="ghost")
    slurm.send("slurmctld", signal.SIGCONT)
    until(lambda: Slurm().find(["ghost"]))
    jobid = Slurm().find(["ghost"])["ghost"]
    Slurm().kill(jobid)
    until(lambda: ended(jobid))


@pytest.mark.slow
def test_a_controller_that_is_down_is_no_wrong_answer(slurm, tmp_path):
    jobid = Slurm().submit(WAITS_LONG, tmp_path / "log")
    slurm.send("slurmctld", signal.SIGTERM)
    for question in (
        lambda: Slurm().query([jobid]),
        lambda: Slurm().submit(["true"], tmp_path / "log"),
    ):
        with pytest.raises(SchedulerError, match="Unable to contact slurm controller"):
            question()
    slurm.start()
    until(lambda: states(Slurm(), jobid) == {JobState.RUNNING})


def test_a_log_survives_a_requeue(slurm, tmp_path):
    log = tmp_path / "log"
    jobid = Slurm().submit([*PYTHON, "print(1)"], log, scheduler_args={"requeue": True})
    until(lambda: states(Slurm(), jobid) == {JobState.COMPLETED})
    slurm.scontrol("requeue", jobid)
    until(lambda: log.read_text() == "1\n1\n")


def test_a_job_that_may_not_come_back_does_not(slurm, tmp_path):
    asked = {"requeue": False}
    jobid = Slurm().submit(WAITS_LONG, tmp_path / "log", scheduler_args=asked)
    assert slurm.shown(jobid)["Requeue"] == "0"


def test_a_dependency_that_can_not_be_met_is_told(slurm, tmp_path):
    fails = Slurm().submit([*PYTHON, "raise SystemExit(1)"], tmp_path / "log")
    done = slurm.run(
        "sbatch", "--parsable", "-o", "/dev/null", "-d", f"afterok:{fails}", "--wrap", "true"
    )
    waits = done.stdout.strip()
    until(lambda: [job.reason for job in Slurm().query([waits])] == [UNSATISFIABLE])
    assert states(Slurm(), waits) == {JobState.PENDING}
    status = Slurm().get_status(waits)
    assert status is not None
    assert status.status == "*Q"


def test_names_of_other_jobs_may_hold_anything(slurm, tmp_path):
    for name in ("a|b|c|d", "two\nlines|x|y|z", "", "mine\n"):
        slurm.run("sbatch", "-o", "/dev/null", "-J", name, "--wrap", "sleep 1000")
    jobid = Slurm().submit(WAITS_LONG, tmp_path / "log", name="mine")
    assert Slurm().query([jobid])[0].name == "mine"
    assert len(Slurm().get_jobs()) == 5


def test_long_lists_of_indices_are_not_cut(slurm, tmp_path):
    before = Slurm().submit(WAITS_LONG, tmp_path / "before")
    jobid = Slurm().submit_array(90, ["true"], tmp_path / "log-%a", depends_on=[before])
    slurm.run("scancel", *(f"{jobid}_{i}" for i in range(0, 90, 2)))
    assert known(Slurm(), jobid, JobState.PENDING) == set(range(1, 90, 2))


def test_variables_of_the_user_change_nothing(slurm, tmp_path, monkeypatch):
    for name, value in {
        "SQUEUE_NAMES": "other",
        "SQUEUE_STATES": "RUNNING",
        "SQUEUE_USERS": "nobody",
        "SQUEUE_PARTITION": "other",
        "SQUEUE_FORMAT": "%t",
        "SQUEUE_FORMAT2": "name",
        "SQUEUE_ARRAY": "1",
        "SQUEUE_SORT": "-i",
        "SCANCEL_INTERACTIVE": "1",
        "SCANCEL_STATE": "PENDING",
        "SCANCEL_NAME": "other",
        "SBATCH_ARRAY_INX": "5-9",
        "SBATCH_JOB_NAME": "other",
        "SBATCH_OUTPUT": "/dev/null",
        "SBATCH_OPEN_MODE": "truncate",
        "SBATCH_WAIT": "1",
        "SBATCH_TIMELIMIT": "1",
        "SBATCH_MEM_PER_NODE": "99999",
        "SBATCH_REQUEUE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "log").write_text("before\n")
    asked = {"timelimit": "1h", "requeue": False, "memory": "20M"}
    code = "print(1)"
    jobid = Slurm().submit([*PYTHON, code], tmp_path / "log", name="mine", scheduler_args=asked)
    shown = slurm.shown(jobid)
    assert (shown["TimeLimit"], shown["Requeue"], shown["JobName"]) == ("01:00:00", "0", "mine")
    until(lambda: ended(jobid))
    assert (tmp_path / "log").read_text() == "before\n1\n"
    assert Slurm().find(["mine"]) == {"mine": jobid}
    waits = Slurm().submit_array(2, WAITS_LONG, tmp_path / "log-%a", scheduler_args=asked)
    until(lambda: known(Slurm(), waits, JobState.RUNNING) == {0, 1})
    Slurm().kill(waits)
    until(lambda: ended(waits))


def test_a_submission_from_within_a_job_is_like_any_other(slurm, tmp_path):
    """A job has variables of Slurm that its own jobs must not take for theirs."""
    code = (
        "from psyrun.scheduler import Slurm; "
        "a = chr(37) + 'a'; "  # which would be the outer index
        f"print(Slurm().submit_array(2, ['echo', a], {str(tmp_path)!r} + '/inner-' + a))"
    )
    Slurm().submit_array(1, [sys.executable, "-c", code], tmp_path / "log-%a")
    until(lambda: (tmp_path / "log-0").exists() and (tmp_path / "log-0").read_text())
    inner = (tmp_path / "log-0").read_text().strip()
    assert inner.isdecimal()
    until(lambda: ended(inner))
    assert [(tmp_path / f"inner-{i}").read_text() for i in range(2)] == ["0\n", "1\n"]


def test_jobs_are_found_where_accounting_is(slurm_with_accounting, tmp_path):
    slurm = Slurm()
    jobid = slurm.submit_array(2, [*PYTHON, "raise SystemExit(%a)"], tmp_path / "log-%a")
    until(lambda: ended(jobid))
    assert known(slurm, jobid, JobState.FAILED) == {1}
    assert known(slurm, jobid, JobState.COMPLETED) == {0}
    assert slurm.limits().array == 1001


@pytest.mark.slow
@pytest.mark.skipif(getpass.getuser() != "root", reason="only root is known to a new database")
def test_a_limit_of_submissions_is_asked_and_told(tmp_path, monkeypatch):
    settings = {"AccountingStorageEnforce": "limits"}
    with SlurmCluster(nodes=1, accounting=True, settings=settings) as cluster:
        monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
        where = ("modify", "user", "where", "user=root", "set", "MaxSubmitJobs=5")
        changed = cluster.run("sacctmgr", "-i", *where)
        assert changed.returncode == 0, changed.stderr or changed.stdout
        until(lambda: (Slurm().limits().jobs or 99) <= 5)
        with pytest.raises(SchedulerError, match="job submit limit"):
            Slurm().submit_array(6, ["true"], tmp_path / "log-%a")


def test_a_slurm_without_arrays_says_so(tmp_path, monkeypatch):
    with SlurmCluster(nodes=1, settings={"MaxArraySize": "0"}) as cluster:
        monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
        assert Slurm().limits().array is None
        with pytest.raises(NotImplementedError, match="no job arrays"):
            Slurm().submit_array(1, ["true"], tmp_path / "log-%a")
        assert Slurm().get_jobs() == []


def test_jobs_are_found_whatever_cluster_a_variable_names(slurm, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CLUSTERS", "other")
    jobid = Slurm().submit(WAITS_LONG, tmp_path / "log")
    until(lambda: states(Slurm(), jobid) == {JobState.RUNNING})
