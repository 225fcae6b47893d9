"""Merging what is there: a work directory, its parts, copies of them, any result files."""

import shutil

import pytest

from psyrun.exceptions import WorkdirError
from psyrun.pspace import Param
from psyrun.runfile import RunFile, write_run_file
from psyrun.salvage import find_rows
from psyrun.store import H5Store, PickleStore


@pytest.fixture
def task(desk):
    """Two jobs of three: a partial result and a journal."""
    space = desk.space(Param(a=[30, 10, 20]))
    desk.partial(desk.job("1-0", space, ((2, 3),)), {2: {"y": "c"}})
    desk.journal(desk.job("1-1", space, ((0, 2),)), {0: {"y": "a"}}, {1: "no"})
    write_run_file(desk.workdir, RunFile("task", (desk.run(space),)))
    return desk.workdir


def rows_in(folder):
    found = find_rows(folder, PickleStore())
    return {name: list(column) for name, column in found.columns.items()}, found


@pytest.mark.parametrize("part", ["", "out"])
def test_a_task_is_merged_from_its_work_directory(task, part):
    columns, found = rows_in(task.root / part)
    assert columns == {"a": [30, 20], "y": ["a", "c"]}
    assert (found.done, found.missing) == (2, 1)


def test_a_work_directory_that_was_moved_is_merged(task, tmp_path):
    shutil.copytree(task.root, tmp_path / "copy")
    assert rows_in(tmp_path / "copy")[0] == {"a": [30, 20], "y": ["a", "c"]}


def test_a_copy_of_the_partial_results_is_merged_by_the_notes(task, tmp_path):
    shutil.copytree(task.out_folder, tmp_path / "copy")
    columns, found = rows_in(tmp_path / "copy")
    assert columns == {"a": [20], "y": ["c"]}
    assert any("1 journals are left out" in note for note in found.notes)


def test_a_copy_within_the_work_directory_is_not_the_task(task):
    (task.root / "backup").mkdir()
    shutil.copy(task.out_folder / "1-0.pkl", task.root / "backup" / "old.pkl")
    assert rows_in(task.root / "backup")[0] == {"a": [20], "y": ["c"]}
    assert "joined in the order of their names" in rows_in(task.root / "backup")[1].notes[0]


def test_rows_by_other_code_are_added_where_the_present_has_none(desk, task):
    space = next(iter(desk.spaces))
    job = desk.job("2-0", space, ((0, 2),), "other")
    desk.journal(job, {0: {"y": "other"}, 1: {"y": "b"}})
    assert rows_in(task.root)[0]["y"] == ["a", "b", "c"]


def test_a_damaged_partial_result_is_left_out_with_a_word(task):
    path = task.out_folder / "1-0.pkl"
    raw = bytearray(path.read_bytes())
    raw[-2] ^= 1
    path.write_bytes(raw)
    columns, found = rows_in(task.root)
    assert columns == {"a": [30], "y": ["a"]}
    assert found.notes == [f"{path} is damaged and left out"]


def test_files_without_notes_are_joined_by_name(tmp_path):
    for name, value in (("b", 2), ("a", 1)):
        PickleStore().save(tmp_path / f"{name}.pkl", {"x": [value]})
    (tmp_path / "notes.txt").write_text("no result")
    (tmp_path / "other.pkl").write_bytes(b"no result")
    columns, found = rows_in(tmp_path)
    assert columns == {"x": [1, 2]}
    assert [note.partition(":")[0] for note in found.notes[1:]] == [
        f"{tmp_path / 'other.pkl'} is left out"
    ]


def test_rows_that_are_copied_into_a_virtual_result_are_counted_once(desk):
    space = desk.space(Param(a=range(3)))
    desk.journal(desk.job("1-0", space, ((0, 3),)), {row: {"y": 1} for row in range(3)})
    desk.store = H5Store()
    desk.partial(desk.job("2-0", space, ((0, 2),)), {0: {"y": 2}, 1: {"y": 2}})
    write_run_file(desk.workdir, RunFile("task", (desk.run(space),)))
    found = find_rows(desk.workdir.root, H5Store(virtual=True))
    assert found.notes == ["copied 1 row: only those in HDF5 files can be referred to"]


def test_a_folder_without_rows_is_told(tmp_path):
    with pytest.raises(WorkdirError, match="holds no rows of Psyrun"):
        rows_in(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(WorkdirError, match="there is no folder"):
        rows_in(tmp_path / "none")
