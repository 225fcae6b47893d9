import time

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import inside

SLURM = {"SLURM_JOB_ID": "12"}


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a program on PATH that says something and ends with some exit code."""

    def put(name, says="", code=0):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n{says}\nexit {code}\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return lambda: (tmp_path / "asked").read_text().split("\n")[:-1]

    return put


def with_path(environment):
    import os

    return {"PATH": os.environ["PATH"], **environment}


def test_a_newer_slurm_tells_the_end_itself():
    assert inside.end_time({**SLURM, "SLURM_JOB_END_TIME": "1790000000"}) == 1790000000


def test_an_older_slurm_is_asked_for_the_end(fake):
    asked = fake("squeue", "echo 2026-11-26T05:30:36")
    found = inside.end_time(with_path(SLURM))
    assert found == time.mktime((2026, 11, 26, 5, 30, 36, 0, 0, -1))
    assert asked() == ["-h -j 12 -o %e"]


def test_what_a_user_sets_for_squeue_hides_nothing(fake):
    fake("squeue", 'echo "2026-11-26T05:30:36$SQUEUE_STATES$SLURM_TIME_FORMAT"')
    own = {"SQUEUE_STATES": "PENDING", "SLURM_TIME_FORMAT": "relative"}
    assert inside.end_time(with_path(SLURM | own)) is not None


@pytest.mark.parametrize("says", ["echo NOT_SET", "echo N/A", "echo Unknown", "", "kill -9 $$"])
def test_an_end_that_slurm_does_not_know_is_none(fake, says):
    fake("squeue", says)
    assert inside.end_time(with_path(SLURM)) is None


def test_without_a_scheduler_there_is_no_end():
    assert inside.end_time({}) is None


@pytest.mark.parametrize(
    ("says", "over"),
    [
        ("echo 'COMPLETING|TimeLimit'", True),
        ("echo 'TIMEOUT|TimeLimit'", True),
        ("echo 'COMPLETING|None'", False),
        ("echo 'CANCELLED|None'", False),
        ("echo 'RUNNING|None'", None),
        ("", None),
        ("exit 1", None),
    ],
)
def test_slurm_is_asked_whether_the_time_is_over(fake, says, over):
    asked = fake("squeue", says)
    assert inside.is_over(with_path(SLURM)) is over
    assert asked() == ["-h -j 12 -o %T|%r"]


def test_other_schedulers_do_not_tell_whether_the_time_is_over():
    assert inside.is_over({"JOB_ID": "1", "SGE_TASK_ID": "2"}) is None


def test_slurm_counts_restarts():
    assert inside.restarts(SLURM) == 0
    assert inside.restarts({**SLURM, "SLURM_RESTART_COUNT": "3"}) == 3
    assert inside.restarts({"JOB_ID": "1", "RESTARTED": "1"}) is None


def test_an_array_element_of_slurm_comes_back_by_its_own_name(fake):
    asked = fake("scontrol")
    inside.come_back(
        with_path(SLURM | {"SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "2"})
    )
    inside.come_back(with_path(SLURM))
    assert asked() == ["requeue 10_2", "requeue 12"]


def test_a_refusal_of_slurm_is_told(fake):
    fake("scontrol", "echo 'Job is not requeueable' >&2", 1)
    with pytest.raises(SchedulerError, match="scontrol requeue 12: Job is not requeueable"):
        inside.come_back(with_path(SLURM))


@pytest.mark.parametrize(
    "environment", [{"JOB_ID": "1", "SGE_TASK_ID": "2"}, {"LSB_JOBID": "1"}]
)
def test_for_others_the_exit_code_is_enough(environment):
    inside.come_back(environment)


@pytest.mark.parametrize("environment", [{}, {"PBS_JOBID": "1"}])
def test_where_no_job_comes_back_that_is_told(environment):
    with pytest.raises(SchedulerError, match="starts no job again"):
        inside.come_back(environment)
