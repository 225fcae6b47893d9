"""What Slurm does that no one expects misleads nobody; on a fake system."""

import shutil

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import JobState, Slurm
from psyrun.scheduler.base import Limits
from tests.contracts.batchcontract import PYTHON, WAITS_LONG, known, states
from tests.fakescheduler.system import FakeSystem
from tests.waiting import until


@pytest.fixture
def system(tmp_path_factory, monkeypatch):
    with FakeSystem(tmp_path_factory.mktemp("system"), "slurm").running() as system:
        monkeypatch.setenv("PATH", system.path)
        yield system


@pytest.fixture
def slurm(system):
    return Slurm()


def ended(slurm, jobid):
    return all(job.state.final for job in slurm.query([jobid]))


def test_accounting_that_lags_is_not_believed(slurm, system, tmp_path):
    jobid = slurm.submit([*PYTHON, ""], tmp_path / "log", name="n")
    until(lambda: ended(slurm, jobid))
    system.forget(jobid)
    system.fault("sacct", prints=f"{jobid}|RUNNING|n\n")
    assert slurm.query([jobid]) == []
    assert slurm.get_status(jobid) is None


def test_accounting_tells_of_what_squeue_has_forgotten(slurm, system, tmp_path):
    system.set(accounting=True)
    jobid = slurm.submit_array(2, [*PYTHON, "raise SystemExit(%a)"], tmp_path / "log-%a")
    until(lambda: ended(slurm, jobid))
    system.forget(jobid)
    assert known(slurm, jobid, JobState.FAILED) == {1}
    assert known(slurm, jobid, JobState.COMPLETED) == {0}


def test_accounting_does_not_end_what_squeue_has_running(slurm, system, tmp_path):
    jobid = slurm.submit(WAITS_LONG, tmp_path / "log")
    system.fault("sacct", prints=f"{jobid}|FAILED|n\n")  # before it came back
    until(lambda: states(slurm, jobid) == {JobState.RUNNING})


def test_long_lists_of_indices_are_not_cut(slurm, system, tmp_path):
    system.hold()
    jobid = slurm.submit_array(90, ["true"], tmp_path / "log-%a")
    for i in range(0, 90, 2):
        slurm.kill(f"{jobid}_{i}")
    assert known(slurm, jobid, JobState.PENDING) == set(range(1, 90, 2))


def test_jobs_of_hidden_partitions_are_seen(slurm, system, tmp_path):
    system.set(hidden=True)
    jobid = slurm.submit(WAITS_LONG, tmp_path / "log")
    until(lambda: states(slurm, jobid) == {JobState.RUNNING})


def test_variables_of_the_user_change_nothing(slurm, system, tmp_path, monkeypatch):
    for name, value in {
        "SQUEUE_NAMES": "other",
        "SQUEUE_STATES": "RUNNING",
        "SQUEUE_ARRAY": "1",
        "SCANCEL_INTERACTIVE": "1",
        "SBATCH_ARRAY_INX": "5-9",
        "SBATCH_JOB_NAME": "other",
        "SBATCH_OUTPUT": "/dev/null",
        "SBATCH_OPEN_MODE": "truncate",
        "SBATCH_TIMELIMIT": "1",
        "SBATCH_PARTITION": "wrong",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "log").write_text("before\n")
    asked = {"partition": "debug", "timelimit": "1h"}
    jobid = slurm.submit(
        [*PYTHON, "print(1)"], tmp_path / "log", name="mine", scheduler_args=asked
    )
    until(lambda: ended(slurm, jobid))
    assert (tmp_path / "log").read_text() == "before\n1\n"
    assert slurm.find(["mine"]) == {"mine": jobid}
    assert system.jobs()[0].limit == 3600
    waits = slurm.submit_array(2, WAITS_LONG, tmp_path / "log-%a", scheduler_args=asked)
    until(lambda: known(slurm, waits, JobState.RUNNING) == {0, 1})
    slurm.kill(waits)
    until(lambda: ended(slurm, waits))


def test_how_much_may_be_submitted_is_asked(slurm, system, tmp_path):
    assert slurm.limits() == Limits(1001, 9998)
    system.set(MaxArraySize=11, MaxJobCount=101, accounting=True, MaxSubmitJobs=20)
    system.hold()
    slurm.submit_array(4, ["true"], tmp_path / "log-%a")
    assert slurm.limits().array == 11
    assert slurm.limits().jobs <= 16


@pytest.mark.parametrize(
    "name", ["array", "cluster_constraint", "clusters", "job_name", "output", "uid", "wait"]
)
def test_what_would_hide_jobs_is_refused(name, slurm):
    with pytest.raises(SchedulerError, match=f"cannot set '{name}'"):
        slurm.check({name: "x"})


def test_jobs_are_submitted_where_they_are_looked_for(slurm, monkeypatch):
    elsewhere = {"SBATCH_CLUSTERS", "SBATCH_CLUSTER_CONSTRAINT", "SLURM_CLUSTERS"}
    for name in elsewhere:
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("SBATCH_ACCOUNT", "mine")
    environment = slurm.environment(slurm.request(["true"], "log"))
    assert environment["SBATCH_ACCOUNT"] == "mine"
    assert elsewhere.isdisjoint(environment)
    assert elsewhere.isdisjoint(slurm.environment())


@pytest.mark.parametrize("name", ["SBATCH_CLUSTERS", "SLURM_CLUSTERS"])
def test_jobs_are_found_whatever_cluster_a_variable_names(name, slurm, monkeypatch, tmp_path):
    monkeypatch.setenv(name, "other")
    jobid = slurm.submit(WAITS_LONG, tmp_path / "log")
    until(lambda: states(slurm, jobid) == {JobState.RUNNING})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MaxArraySize": 5}, "Invalid job array specification"),
        ({"MaxSubmitJobs": 5}, r"AssocMaxSubmitJobLimit; .*job submit limit"),
    ],
)
def test_an_array_that_is_too_large_is_refused_in_words(
    settings, words, slurm, system, tmp_path
):
    system.set(**settings)
    with pytest.raises(SchedulerError, match=words):
        slurm.submit_array(6, ["true"], tmp_path / "log-%a")
    assert slurm.get_jobs() == []


def test_where_slurm_has_no_arrays_jobs_are_submitted_one_by_one(slurm, system, tmp_path):
    system.set(MaxArraySize=0)
    assert slurm.limits().array is None
    with pytest.raises(NotImplementedError, match="no job arrays"):
        slurm.submit_array(1, ["true"], tmp_path / "log-%a")
    assert slurm.get_jobs() == []


def test_a_log_folder_that_goes_before_the_job_starts_fails_it(slurm, system, tmp_path):
    (tmp_path / "logs").mkdir()
    system.hold()
    jobid = slurm.submit(["true"], tmp_path / "logs" / "log")
    shutil.rmtree(tmp_path / "logs")
    system.release()
    until(lambda: states(slurm, jobid) == {JobState.FAILED})


def test_a_job_cannot_both_come_back_and_not(slurm):
    with pytest.raises(SchedulerError, match="requeue and no_requeue"):
        slurm.check({"requeue": True, "no_requeue": True})
    slurm.check({"requeue": False, "no_requeue": True})


@pytest.mark.parametrize("name", ["time", "timelimit"])
def test_the_time_limit_is_known_by_both_its_names(name, slurm):
    assert slurm.time_limit({name: "1h"}) == 3600
    assert slurm.time_limit({name: None}) is None
    assert slurm.time_limit({name: False}) is None


def test_memory_is_written_as_sbatch_takes_it(slurm):
    def script(memory):
        return slurm.render(slurm.request(["true"], "log", asked={"memory": memory}))

    for memory, written in {"1.5gb": "1536M", "2G": "2G", 300: "300", "1 GiB": "1024M"}.items():
        assert f"#SBATCH --mem={written}\n" in script(memory)
