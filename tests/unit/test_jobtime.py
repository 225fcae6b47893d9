import time
from dataclasses import replace
from math import inf

import pytest

from psyrun.jobs import Job
from psyrun.jobtime import JobTime, time_of
from psyrun.workdir import Workdir

JOB = Job("3-7", "t", "/tasks", "snap", "code", ((0, 3),))


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_JOB_END_TIME", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    workdir = Workdir(tmp_path)
    workdir.make()
    return workdir


def test_a_job_without_a_limit_never_ends(workdir):
    found = time_of(workdir, JOB)
    assert found.end == found.last_start == found.give_up == inf
    assert not found.is_over(time.monotonic())


def test_a_job_ends_when_it_was_asked_to(workdir):
    found = time_of(workdir, replace(JOB, time_limit=1e9))
    assert found.end - time.monotonic() < 1e9
    assert found.limit == 1e9


def test_the_scheduler_knows_the_end_better(workdir, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(time.time() + 100))
    found = time_of(workdir, replace(JOB, time_limit=1e9))
    assert 90 < found.end - time.monotonic() < 101


@pytest.mark.parametrize(("limit", "margin"), [(2, 0.5), (10, 1), (200, 10), (10**6, 30)])
def test_the_margin_fits_the_limit(limit, margin):
    assert JobTime(limit, limit).margin == margin


def test_starts_are_counted_where_the_scheduler_does_not(workdir):
    found = [time_of(workdir, replace(JOB, requeue=1)) for _ in range(3)]
    assert [each.restarts for each in found] == [0, 1, 2]
    assert [each.may_come_back() for each in found] == [True, False, False]
    assert [bool(each.too_often()) for each in found] == [False, False, True]


def test_slurm_counts_starts_itself(workdir, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SLURM_JOB_END_TIME", "99")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "4")
    assert time_of(workdir, replace(JOB, requeue=4)).restarts == 4
    assert not workdir.starts("3-7").exists()


def test_a_job_that_may_not_come_back_counts_nothing(workdir):
    assert not time_of(workdir, JOB).may_come_back()
    assert not workdir.starts("3-7").exists()


@pytest.mark.parametrize(
    ("end_in", "began", "since", "refused", "whole", "futile"),
    [
        (0, 95, 94, False, True, True),
        (0, 95, 94, False, False, False),  # it came late to its time
        (0, 95, 30, False, True, False),  # it had waited for others
        (0, 95, -inf, True, True, False),  # what came then was too late
        (50, 45, 44, False, True, False),  # somebody ended it
        (90, 5, -inf, True, True, True),
        (90, 5, -inf, True, False, False),
    ],
)
def test_a_job_in_which_no_row_ended_is_futile_if_one_had_all_of_its_time(
    end_in, began, since, refused, whole, futile
):
    now = time.monotonic()
    job_time = JobTime(100, now + end_in, requeue=2, whole=whole)
    assert job_time.is_futile(now - began, now - since, refused=refused) is futile


def test_what_ran_out_is_said_with_what_to_do():
    assert JobTime(3600, 0).ran_out(12)["message"] == (
        "the job's time (1 h) ran out with 12 rows left; "
        "raise timelimit in scheduler_args, or set requeue"
    )
    assert JobTime(3600, 0, 2, 2).ran_out(1)["message"] == (
        "the job's time (1 h) ran out with 1 row left; "
        "raise timelimit in scheduler_args, or requeue; it came back 2 times"
    )
    assert JobTime(3600, 0, 0, 2).ran_out(1, futile=True)["message"] == (
        "the job's time (1 h) ran out with 1 row left; "
        "a row takes longer than that: raise timelimit in scheduler_args"
    )
