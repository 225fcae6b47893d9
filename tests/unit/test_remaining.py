"""Which rows of a job are left, and what it takes to find out."""

import tracemalloc

import pytest

from psyrun.pspace import Param
from psyrun.remaining import left_to_do
from psyrun.workdir import Workdir
from tests.desk import Desk


@pytest.fixture
def desk(tmp_path):
    workdir = Workdir(tmp_path / "t")
    workdir.make()
    return Desk(workdir)


def test_rows_that_no_journal_holds_are_left(desk):
    job = desk.job("1-0", desk.space(Param(a=range(100))), ((40, 50), (60, 62)))
    assert left_to_do(desk.workdir, job) == ((40, 50), (60, 62))
    desk.journal(job, {41: {}, 42: {}, 61: {}}, {45: "no"})
    assert left_to_do(desk.workdir, job) == ((40, 41), (43, 50), (60, 61))
    assert left_to_do(desk.workdir, job, retry=False) == (
        (40, 41),
        (43, 45),
        (46, 50),
        (60, 61),
    )


def test_rows_of_others_in_a_journal_do_no_harm(desk):
    job = desk.job("1-0", desk.space(Param(a=range(100))), ((40, 50),))
    desk.journal(job, {row: {} for row in (0, 39, 40, 49, 50, 99)})
    assert left_to_do(desk.workdir, job) == ((41, 49),)


def test_a_job_without_rows_has_none_left(desk):
    job = desk.job("1-0", desk.space(Param(a=range(100))), ())
    desk.journal(job, {3: {}})
    assert left_to_do(desk.workdir, job) == ()


def test_a_job_at_the_end_of_a_large_space_takes_no_more_memory_than_another(desk):
    first = 10**8
    job = desk.job("1-0", desk.space(Param(a=range(first + 10))), ((first, first + 10),))
    desk.journal(job, {first: {}})
    tracemalloc.start()
    try:
        assert left_to_do(desk.workdir, job) == ((first + 1, first + 10),)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10**6
