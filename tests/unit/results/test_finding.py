"""Whole results: which file is whose, and what its columns are."""

import shutil
from dataclasses import replace

import pytest

from psyrun.exceptions import ResultsError
from psyrun.merge import Merger
from psyrun.pspace import Param
from psyrun.resultfile import write_result
from psyrun.results import load_result
from psyrun.runfile import RunFile, read_run_file, write_run_file
from psyrun.store import H5Store, NpzStore, PickleStore


def whole(desk, space, results, store=None, file="result.pkl"):
    """Write the result of rows that stand in a journal, as runs with failures leave them."""
    digest = desk.space(space)
    desk.journal(desk.job("1-0", digest, ((0, space.size),)), dict(enumerate(results)))
    run = desk.run(digest)
    merger = Merger(desk.state(run), space, store or PickleStore())
    path = desk.workdir.root / file
    result = write_result(merger, path, {})
    write_run_file(desk.workdir, RunFile("task", (run,), result))
    return path


@pytest.mark.parametrize(
    ("store", "ext"), [(PickleStore(), ".pkl"), (NpzStore(), ".npz"), (H5Store(), ".h5")]
)
def test_a_parameter_that_results_override_is_told_by_its_values(desk, store, ext):
    space = Param(a=[1, 2], b=["x", "y"], c=[(1, 2), (3,)])
    path = whole(desk, space, [{"a": -1}, {"a": 2}], store, f"result{ext}")
    found = load_result(path)
    assert found.parameters == ["b", "c"]
    assert found["a"].tolist() == [-1, 2]


def test_the_result_of_a_moved_work_directory(desk, tmp_path):
    path = whole(desk, Param(a=[1, 2]), [{"y": 1}, {"y": 2}])
    shutil.move(desk.workdir.root, tmp_path / "moved")
    found = load_result(tmp_path / "moved" / path.name)
    assert (found.name, found["y"].tolist()) == ("task", [1, 2])


def test_another_file_in_the_work_directory_is_a_file_by_itself(desk, tmp_path):
    path = whole(desk, Param(a=[1, 2]), [{"y": 1}, {"y": 2}])
    shutil.copy(path, desk.workdir.root / "other.pkl")
    assert load_result(desk.workdir.root / "other.pkl").space is None


def test_the_results_of_a_task_whose_out_folder_is_empty(desk):
    whole(desk, Param(a=[1, 2]), [{"y": 1}, {"y": 2}])
    for path in desk.workdir.out_folder.iterdir():
        path.unlink()
    assert load_result(desk.workdir.root)["y"].tolist() == [1, 2]


def test_a_result_of_other_rows_is_refused(desk):
    path = whole(desk, Param(a=[1, 2]), [{"y": 1}, {"y": 2}])
    file = read_run_file(desk.workdir, "task")
    other = desk.space(Param(a=[1]))
    assert file.result is not None
    result = replace(file.result, snapshot=other)
    write_run_file(desk.workdir, replace(file, result=result))
    with pytest.raises(ResultsError, match="has not as many rows"):
        load_result(path)
