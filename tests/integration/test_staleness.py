"""The table "what makes a row stale", cell by cell, with a counter of evaluated rows."""

import os
import pickle
import shutil

import pytest

SQUARE = """
pspace = Param(a=[1, 2, 3])

def execute(a):
    counted(a)
    return {'y': a * a}
"""


@pytest.fixture
def square(project):
    project.task("square", SQUARE)
    assert project.psy("run").code == 0
    assert project.evaluated() == ["1", "2", "3"]
    return project


def edit(project, old, new, name="square"):
    path = project.tasks / f"task_{name}.py"
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new))


both = pytest.mark.parametrize("options", [[], ["-c"]], ids=["run", "run -c"])


def nothing_to_do(project, *options):
    before = (project.workdir("square") / "result.pkl").stat()
    ran = project.psy("run", *options)
    assert ran.code == 0
    assert "up to date" in ran.out
    assert project.evaluated() == []
    after = (project.workdir("square") / "result.pkl").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@both
def test_nothing_changed(square, options):
    nothing_to_do(square, *options)


@both
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def execute", "# a comment\ndef execute"),
        ("return {'y': a * a}", "return {\n        'y': (a * a)}"),
        ("def execute(a):\n", "def execute(a):\n    '''A docstring.'''\n"),
        ("pspace =", "max_jobs = 7\npspace ="),
        ("pspace =", "min_items = 2\npspace ="),
        ("pspace =", "pool_size = 1\npspace ="),
        ("pspace =", "scheduler_args = {'timelimit': '1h'}\npspace ="),
        ("Param(a=[1, 2, 3])", "Param(a=range(1, 4))"),
    ],
    ids=["comment", "layout", "docstring", "max_jobs", "min_items", "pool", "args", "equal"],
)
def test_what_cannot_change_a_result(square, options, old, new):
    edit(square, old, new)
    nothing_to_do(square, *options)


@both
def test_the_file_was_touched(square, options):
    os.utime(square.tasks / "task_square.py", (1, 1))
    nothing_to_do(square, *options)


@both
def test_the_project_moved(square, options, monkeypatch):
    moved = square.root / "elsewhere"
    moved.mkdir()
    for name in ("psy-tasks", "psy-work"):
        shutil.move(square.root / name, moved / name)
    monkeypatch.chdir(moved)
    ran = square.psy("run", *options)
    assert (ran.code, square.evaluated()) == (0, [])
    assert "up to date" in ran.out


@both
@pytest.mark.parametrize(
    ("space", "values", "fresh"),
    [
        ("[1, 2, 3, 4]", [1, 4, 9, 16], ["4"]),
        ("[3, 1, 2]", [9, 1, 4], []),
        ("[2]", [4], []),
        ("[5, 3, 3, 1]", [25, 9, 9, 1], ["3", "5"]),
        ("[1.0, 2, 3]", [1, 4, 9], []),
    ],
    ids=["grew", "reordered", "shrank", "duplicate", "equal value"],
)
def test_the_space_changed(square, options, space, values, fresh):
    edit(square, "[1, 2, 3]", space)
    assert square.psy("run", *options).code == 0
    assert square.evaluated() == fresh
    assert square.result("square")["y"] == values


def test_a_space_with_nan_is_matched(project):
    project.task(
        "nan",
        """
        pspace = Param(a=[1, 2]) + Param(b=[3])

        def execute(a, b):
            counted(a, b)
            return {'y': b}
        """,
    )
    project.psy("run")
    project.evaluated()
    edit(project, "Param(b=[3])", "Param(b=[3, 4])", "nan")
    assert project.psy("run").code == 0
    assert project.evaluated() == ["nan,4"]


def test_execute_changed_evaluates_everything_and_says_so_first(square):
    edit(square, "a * a", "a + a")
    ran = square.psy("run")
    assert ran.code == 0
    assert "all 3 rows again: `execute` changed; `psy run -c` keeps the 3 done" in ran.err
    assert square.evaluated() == ["1", "2", "3"]
    assert square.result("square")["y"] == [2, 4, 6]


def test_execute_changed_with_continue_keeps_the_done(square):
    edit(square, "[1, 2, 3]", "[1, 2, 3, 4]")
    edit(square, "a * a", "-a")
    assert square.psy("run", "-c").code == 0
    assert square.evaluated() == ["4"]
    assert square.result("square")["y"] == [1, 4, 9, -4]
    assert "3 rows by earlier code, accepted" in square.psy("status").out
    nothing_to_do(square)


def test_a_helper_beside_the_task_file_counts(project):
    helper = project.root / "psy-tasks" / "helper.py"
    project.task(
        "square",
        """
        import helper

        pspace = Param(a=[1, 2])

        def execute(a):
            counted(a)
            return {'y': helper.double(a)}
        """,
    )
    helper.write_text("def double(x):\n    return 2 * x\n")
    assert project.psy("run").code == 0
    project.evaluated()
    helper.write_text("# a comment\ndef double(x):\n    return 2 * x\n")
    nothing_to_do(project)
    helper.write_text("def double(x):\n    return 20 * x\n")
    ran = project.psy("run")
    assert "`helper.double` changed" in ran.err
    assert project.evaluated() == ["1", "2"]
    assert project.result("square")["y"] == [20, 40]


def test_a_file_dependency_counts_by_content(square):
    data = square.tasks / "data.txt"
    data.write_text("one")
    edit(square, "pspace =", "file_dep = ['data.txt']\npspace =")
    ran = square.psy("run")
    assert "file `data.txt` changed" in ran.err
    square.evaluated()
    os.utime(data, (1, 1))
    nothing_to_do(square)
    data.write_text("two")
    assert square.psy("run", "-c").code == 0
    assert square.evaluated() == []


def test_overwrite_dirty_off_refuses_without_continue(square):
    edit(square, "pspace =", "overwrite_dirty = False\npspace =")
    edit(square, "a * a", "-a")
    ran = square.psy("run")
    assert ran.code == 1
    assert "overwrite_dirty is off" in ran.err
    assert square.evaluated() == []
    assert square.result("square")["y"] == [1, 4, 9]
    assert square.psy("run", "-c").code == 0
    assert square.psy("run", "--force").code == 0
    assert square.result("square")["y"] == [-1, -2, -3]


@both
@pytest.mark.parametrize(
    ("setting", "path", "columns"),
    [
        ("exclude_from_result = ['a']", "psy-work/square/result.pkl", {"y"}),
        ("resultfile = 'other.pkl'", "other.pkl", {"a", "y"}),
    ],
)
def test_what_is_merged_again_without_evaluating(square, options, setting, path, columns):
    edit(square, "pspace =", f"{setting}\npspace =")
    ran = square.psy("run", *options)
    assert (ran.code, square.evaluated()) == (0, [])
    assert set(pickle.loads((square.root / path).read_bytes())) == columns


@both
def test_all_rows_done_and_the_merge_died(square, options):
    (square.workdir("square") / "result.pkl").unlink()
    assert square.psy("run", *options).code == 0
    assert square.evaluated() == []
    assert square.result("square")["y"] == [1, 4, 9]


def test_force_evaluates_everything(square):
    assert square.psy("run", "--force").code == 0
    assert square.evaluated() == ["1", "2", "3"]
    nothing_to_do(square)


def test_an_edit_taken_back_finds_the_old_rows(project):
    project.task(
        "square",
        """
        pspace = Param(a=[1, 2, 3])

        def execute(a):
            counted(a)
            if a == 3:
                raise ValueError(a)
            return {'y': a * a}
        """,
    )
    assert project.psy("run").code == 1
    project.evaluated()
    edit(project, "a * a", "a + a")
    assert project.psy("run").code == 1
    assert project.evaluated() == ["1", "2", "3"]
    edit(project, "a + a", "a * a")
    assert project.psy("run").code == 1
    assert project.evaluated() == ["3"]


def test_mending_a_failing_row_with_continue_keeps_the_others(project):
    project.task(
        "square",
        """
        pspace = Param(a=[1, 2, 3])

        def execute(a):
            counted(a)
            if a == 3:
                raise ValueError(a)
            return {'y': a * a}
        """,
    )
    assert project.psy("run").code == 1
    project.evaluated()
    edit(project, "a == 3", "a == 4")
    assert project.psy("run", "-c").code == 0
    assert project.evaluated() == ["3"]
    assert project.result("square")["y"] == [1, 4, 9]


def test_values_without_a_fixed_order_on_disk_are_matched(project):
    project.task(
        "sets",
        """
        pspace = Param(a=[{'x', 'y', 'zz'}, {'p', 'q', 'r'}])

        def execute(a):
            counted(len(a))
            return {'y': len(a)}
        """,
    )
    first = project.start("run")
    assert first.wait(30) == 0
    first.communicate()
    project.evaluated()
    second = project.start("run")
    out, _ = second.communicate(timeout=30)
    assert "up to date" in out
    assert project.evaluated() == []


def test_constants_of_psy_conf_count_where_it_defines_execute(project):
    project.task("square", "pspace = Param(a=[1, 2])\n")
    conf = project.tasks / "psy-conf.py"
    conf.write_text("FACTOR = 2\n\ndef execute(a):\n    return {'y': a * FACTOR}\n")
    project.psy("run")
    assert project.result("square")["y"] == [2, 4]
    conf.write_text(conf.read_text().replace("= 2", "= 3"))
    ran = project.psy("run")
    assert "`FACTOR` of psy-conf.py changed" in ran.err
    assert project.result("square")["y"] == [3, 6]


def test_importing_another_scheduler_changes_no_result(square):
    edit(square, "from psyrun import Param", "from psyrun import ImmediateRun, Param")
    edit(square, "pspace =", "scheduler = ImmediateRun()\npspace =")
    nothing_to_do(square)


def test_an_older_space_that_cannot_be_read_is_told(square):
    (snapshot,) = (square.workdir("square") / "pspace").iterdir()
    (snapshot / "space.json").write_text("{")
    edit(square, "[1, 2, 3]", "[1, 2, 3, 4]")
    ran = square.psy("run")
    assert ran.code == 0
    assert "WARNING square: rows of an earlier parameter space are not kept" in ran.err
    assert square.evaluated() == ["1", "2", "3", "4"]
    assert square.result("square")["y"] == [1, 4, 9, 16]


def test_continue_on_a_complete_task_is_remembered(square):
    edit(square, "a * a", "-a")
    assert square.psy("run", "-c").code == 0
    assert "3 rows by earlier code, accepted" in square.psy("status").out
    nothing_to_do(square)


def test_accepted_code_is_remembered_after_a_detour(square):
    edit(square, "a * a", "-a")
    square.psy("run", "-c")
    edit(square, "return {'y': -a}", "raise ValueError")
    assert square.psy("run").code == 1
    square.evaluated()
    edit(square, "raise ValueError", "return {'y': -a}")
    assert square.psy("run").code == 0
    assert square.evaluated() == []
    assert square.result("square")["y"] == [1, 4, 9]


def test_the_order_of_assignments_counts(project):
    path = project.task(
        "order",
        "pspace = Param(a=[1])\nx = 1\ny = x\nx = 2\n\ndef execute(a):\n    return {'y': y}\n",
    )
    project.psy("run")
    path.write_text(path.read_text().replace("y = x\nx = 2", "x = 2\ny = x"))
    project.psy("run")
    assert project.result("order")["y"] == [2]
