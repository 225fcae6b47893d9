"""Failures grouped by cause, told from files alone."""

import itertools

import pytest

from psyrun.causes import errors_of, group
from psyrun.pspace import Param
from psyrun.runfile import RunFile, write_run_file
from psyrun.state import Failure


def failure(row, kind, place="", job="1-0"):
    return Failure(row, job, {"type": kind, "message": f"{row}", "place": place})


def test_failures_of_one_type_and_place_are_one_cause():
    found = group([failure(1, "A", "x:1"), failure(4, "A", "x:1"), failure(5, "A", "x:2")])
    assert [(cause.count, cause.rows) for cause in found] == [(2, [1, 4]), (1, [5])]


def test_rows_that_hang_in_one_file_are_one_cause_wherever_in_a_loop_they_were():
    found = group([failure(row, "Timeout", f"x:{20 + row}") for row in range(3)])
    assert [cause.rows for cause in found] == [[0, 1, 2]]


def test_the_most_frequent_cause_is_the_first_and_the_first_row_its_example():
    found = group([failure(0, "A"), failure(1, "B"), failure(2, "B"), failure(3, "C")])
    assert [cause.example.row for cause in found] == [1, 0, 3]


def test_jobs_that_could_not_begin_are_no_rows():
    rows, jobs = group([failure(0, "A"), failure(None, "A")])
    assert (rows.of_jobs, jobs.of_jobs) == (False, True)
    assert jobs.rows == []


def test_grouping_holds_no_more_than_an_example_of_each():
    endless = (failure(row, "AB"[row % 2]) for row in itertools.count())
    found = group(itertools.islice(endless, 1000))
    assert [(cause.count, len(cause.rows)) for cause in found] == [(500, 10), (500, 10)]


@pytest.fixture
def run(desk):
    """A run of which rows 1 and 2 failed, row 2 twice."""
    space = desk.space(Param(a=range(4)))
    job = desk.job("1-0", space, ((0, 4),))
    desk.journal(job, {0: {}}, {1: "one", 2: "first"})
    desk.journal(job, failed={2: "last"})
    run = desk.run(space, jobs={"1-0": None})
    write_run_file(desk.workdir, RunFile("task", (run,)))
    return run


def test_the_last_error_of_each_row_counts(desk, run):
    errors = errors_of(desk.workdir, "task")
    assert errors is not None
    assert errors.count(of_jobs=False) == 2
    assert errors.missing == 1
    (cause,) = errors.causes
    assert cause.rows == [1, 2]
    assert cause.example.error["message"] == "one"


def test_an_error_that_cannot_be_read_is_counted_apart(desk, run):
    path = desk.workdir.journals("1-0")[0]
    data = bytearray(path.read_bytes())
    data[data.index(b'"one"') + 2] ^= 1
    path.write_bytes(data)
    errors = errors_of(desk.workdir, "task")
    assert errors is not None
    assert (errors.count(of_jobs=False), errors.unreadable) == (1, 1)


def test_a_task_that_was_never_run_has_no_errors_to_read(desk):
    assert errors_of(desk.workdir, "task") is None
