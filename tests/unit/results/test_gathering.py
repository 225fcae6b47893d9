"""Rows that move while results are in a user's hands."""

import pytest

from psyrun import gather
from psyrun.exceptions import WorkdirError
from psyrun.partial import write_partial
from psyrun.pspace import Param
from psyrun.results import load_result
from psyrun.runfile import RunFile, write_run_file


@pytest.fixture
def task(desk):
    """Three rows in two journals, one of which has its rows all done."""
    space = desk.space(Param(a=[30, 10, 20]))
    desk.journal(desk.job("1-0", space, ((2, 3),)), {2: {"y": "c"}})
    desk.journal(desk.job("1-1", space, ((0, 2),)), {0: {"y": "a", "a": -1}}, {1: "no"})
    write_run_file(desk.workdir, RunFile("task", (desk.run(space),)))
    return desk.workdir


def end_job(desk, name):
    """Do as a job that ends: turn its journal into a partial result."""
    space = next(iter(desk.spaces))
    job = desk.job(name, space, ((2, 3),))
    assert write_partial(desk.workdir, job, desk.spaces[space], desk.store)


def test_rows_are_gathered(task):
    found = load_result(task.root)
    assert (found["a"].tolist(), found["y"].tolist()) == ([-1, 20], ["a", "c"])
    assert found.failed.build() == {"a": [10]}
    assert found.parameters == []


def test_rows_that_moved_are_found_again(desk, task, monkeypatch):
    monkeypatch.setattr(gather, "_MOST_FILES", 1)
    found = load_result(task.root)
    end_job(desk, "1-0")
    assert found["y"].tolist() == ["a", "c"]


@pytest.mark.parametrize("later", ["b", "longer", [1]])
def test_rows_that_came_since_are_left_out(desk, task, monkeypatch, later):
    monkeypatch.setattr(gather, "_MOST_FILES", 1)
    found = load_result(task.root)
    assert found.columns["y"].form.dtype == "U1"
    space = next(iter(desk.spaces))
    desk.journal(desk.job("2-0", space, ((1, 2),)), {1: {"y": later}})
    end_job(desk, "1-0")
    assert found["y"].tolist() == ["a", "c"]
    assert load_result(task.root)["y"].tolist() == ["a", later, "c"]


def test_rows_that_are_gone_are_told(task, monkeypatch):
    monkeypatch.setattr(gather, "_MOST_FILES", 1)
    found = load_result(task.root)
    for path in task.out_folder.iterdir():
        path.unlink()
    with pytest.raises(WorkdirError, match="gone since they were looked at; load them again"):
        found["y"]
