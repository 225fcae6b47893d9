import pytest

from psyrun.exceptions import TaskError
from psyrun.taskfiles import (
    declared,
    find_task_file,
    find_task_files,
    name_from,
    suggestion,
    workdir_root,
)


def write(folder, sources):
    for name, source in sources.items():
        (folder / name).write_text(source)


def test_files_are_found_by_name_and_none_is_run(tmp_path):
    write(
        tmp_path,
        {"task_b.py": "1 / 0", "task_a.py": "def (", "helper.py": "", "task_c.txt": ""},
    )
    assert find_task_files(tmp_path) == {
        "a": tmp_path / "task_a.py",
        "b": tmp_path / "task_b.py",
    }


@pytest.mark.parametrize(
    "line", ["name = 'x'", 'name = "x"', "name: str = 'x'", "name = ('x')"]
)
def test_a_declared_name_counts(tmp_path, line):
    write(tmp_path, {"task_a.py": f"import os\n{line}\n"})
    assert list(find_task_files(tmp_path)) == ["x"]


@pytest.mark.parametrize(
    "source", ["names = 'x'", "def f():\n name = 'x'", "name = 3", "name = f()"]
)
def test_what_is_no_declared_name(tmp_path, source):
    write(tmp_path, {"task_a.py": source})
    assert list(find_task_files(tmp_path)) == ["a"]


def test_the_last_declaration_counts(tmp_path):
    write(tmp_path, {"task_a.py": "name = 'x'\nname = 'y'\n"})
    assert declared(tmp_path / "task_a.py", "name") == "y"


def test_nothing_is_declared_in_a_file_that_is_not_there(tmp_path):
    assert declared(tmp_path / "none.py", "name") is None


def test_two_files_of_one_name_are_refused(tmp_path):
    write(tmp_path, {"task_a.py": "", "task_b.py": "name = 'a'"})
    with pytest.raises(TaskError, match=r"task_a\.py and .*task_b\.py both declare .*'a'"):
        find_task_files(tmp_path)


def test_no_folder_says_what_to_do(tmp_path):
    with pytest.raises(TaskError, match=r"there is no folder .*none.*--taskdir.*psy new-task"):
        find_task_files(tmp_path / "none")


def test_a_similar_name_is_asked_for(tmp_path):
    write(tmp_path, {"task_square.py": ""})
    with pytest.raises(TaskError, match=r"no task 'sqare' .*did you mean square\?"):
        find_task_file(tmp_path, "sqare")


def test_without_a_similar_name_all_are_listed():
    assert suggestion("zzz", ["one", "two"]) == "; there are: one, two"
    assert suggestion("zzz", []) == "; there is none at all"


def test_the_name_of_a_file(tmp_path):
    assert name_from(tmp_path / "task_task_a.b.py") == "task_a.b"


@pytest.mark.parametrize(
    ("task", "conf", "expected"),
    [
        ("", None, "psy-work/a"),
        ("", "workdir = 'w'", "w/a"),
        ("workdir = 'own'", "workdir = 'w'", "own/a"),
    ],
)
def test_the_work_directory_without_running_a_file(tmp_path, task, conf, expected):
    write(tmp_path, {"task_a.py": task} | ({"psy-conf.py": conf} if conf else {}))
    assert workdir_root(tmp_path, "a", tmp_path / "task_a.py").as_posix() == expected
