import sys

import pytest

from psyrun.scheduler import ImmediateRun


@pytest.fixture
def scheduler():
    scheduler = ImmediateRun()
    yield scheduler
    for jobid in list(scheduler._processes):
        scheduler.kill(jobid)
        scheduler.wait(jobid)


def python(code):
    return [sys.executable, "-c", code]


def test_jobs_are_not_shared_between_schedulers(scheduler, tmp_path):
    """0.8 kept one list of failed jobs for all."""
    jobid = scheduler.submit(python("input()"), tmp_path / "log")
    assert ImmediateRun().get_jobs() == []
    assert ImmediateRun().get_status(jobid) is None


@pytest.mark.parametrize(("code", "exit_code"), [("", 0), ("raise SystemExit(3)", 3)])
def test_waiting_gives_the_exit_code(scheduler, tmp_path, code, exit_code):
    assert scheduler.wait(scheduler.submit(python(code), tmp_path / "log")) == exit_code


def test_waiting_for_a_while_gives_none_while_it_runs(scheduler, tmp_path):
    jobid = scheduler.submit(python("import sys; sys.stdin.read()"), tmp_path / "log")
    assert scheduler.wait(jobid, 0.01) is None


def test_a_killed_job_has_a_negative_exit_code(scheduler, tmp_path):
    jobid = scheduler.submit(python("import sys; sys.stdin.read()"), tmp_path / "log")
    scheduler.kill(jobid)
    assert scheduler.wait(jobid) == -15


def test_an_unknown_job_counts_as_ended(scheduler):
    assert scheduler.wait("0") == 0


def test_a_jobs_input_stays_open_as_long_as_this_process_lives(scheduler, tmp_path):
    code = "import os, select; print(bool(select.select([0], [], [], 0.1)[0]))"
    scheduler.wait(scheduler.submit(python(code), tmp_path / "log"))
    assert (tmp_path / "log").read_text() == "False\n"


def test_the_folder_of_the_log_is_made(scheduler, tmp_path):
    scheduler.wait(scheduler.submit(python("print(1)"), tmp_path / "deep" / "log"))
    assert (tmp_path / "deep" / "log").read_text() == "1\n"
