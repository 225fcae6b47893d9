"""The table "what makes a row stale", cell by cell, with a counter of evaluated rows."""

import os
import pickle
import shutil
import subprocess

import pytest

SQUARE = """
pspace = Param(a=[1, 2, 3])

def execute(a):
    counted(a)
    return {'y': a * a}
"""


def done_square(project):
    project.task("square", SQUARE)
    assert project.psy("run").code == 0
    assert project.evaluated() == ["1", "2", "3"]


@pytest.fixture
def square(once):
    return once(done_square)


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


MODEL = """
import helper
from pkg import core
from pkg.shapes import Round as Shape

N = 3
UNUSED = 1
pspace = Param(a=range(N)) * Param(f=[helper.plus, core.times]) * Param(s=[Shape(2)])
file_dep = ['data.txt']
max_jobs = 2

class Base:
    def start(self):
        return LIMIT

class Model(Base):
    def value(self, a, scale=helper.SCALE):
        return self.start() + scale * a

LIMIT = 10
TABLE = {}
TABLE['shift'] = 100

def setup(proc_id):
    return {'offset': OFFSET}

OFFSET = 1000

def execute(a, f, s, offset):
    counted(a)
    return {'y': f(a) + s.area() + Model().value(a) + offset + TABLE['shift']}

def other(a):
    return UNUSED
"""
FILES = {
    "helper.py": "SCALE = 2\nSPARE = 3\n\ndef plus(a):\n    return a + 1\n\ndef spare(a):\n"
    "    return a\n",
    "pkg/__init__.py": "VERSION = 1\n",
    "pkg/core.py": "from . import deep\n\ndef times(a):\n    return deep.FACTOR * a\n\n"
    "def spare(a):\n    return a\n",
    "pkg/deep.py": "FACTOR = 3\nSPARE = 4\n",
    "pkg/shapes.py": "class Round:\n    def __init__(self, r):\n        self.r = r\n\n"
    "    def __eq__(self, other):\n        return self.r == other.r\n\n    __hash__ = None\n\n"
    "    def area(self):\n        return 3 * self.r\n",
    "data.txt": "1",
    "psy-conf.py": "min_items = 1\n",
}


def done_model(project):
    project.task("model", MODEL)
    for name, text in FILES.items():
        path = project.tasks / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert len(project.evaluated()) == 6


@pytest.fixture
def model(once):
    return once(done_model)


def edit_file(project, name, old, new):
    path = project.tasks / name
    source = path.read_text()
    assert source.count(old) == 1, source
    path.write_text(source.replace(old, new))


TASK_FILE = "task_model.py"


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (TASK_FILE, "f(a) +", "f(a) -", "`execute`"),
        (TASK_FILE, "self.start() +", "self.start() -", "`Model`"),
        (TASK_FILE, "return LIMIT", "return -LIMIT", "`Base`"),
        (TASK_FILE, "LIMIT = 10", "LIMIT = 11", "`LIMIT`"),
        (TASK_FILE, "OFFSET = 1000", "OFFSET = 1001", "`OFFSET`"),
        (TASK_FILE, "'offset': OFFSET", "'offset': -OFFSET", "`setup`"),
        (TASK_FILE, "] = 100\n", "] = 101\n", "statement `TABLE['shift'] = 100`"),
        (TASK_FILE, "TABLE = {}", "TABLE = {1: 1}", "`TABLE`"),
        (TASK_FILE, "s, offset):", "s, offset=0):", "`execute`"),
        ("helper.py", "SCALE = 2", "SCALE = 3", "`helper.SCALE`"),
        ("helper.py", "a + 1", "a + 2", "`helper.plus`"),
        ("pkg/core.py", "deep.FACTOR * a", "a * deep.FACTOR", "`pkg.core.times`"),
        ("pkg/deep.py", "FACTOR = 3", "FACTOR = 4", "`pkg.deep.FACTOR`"),
        ("pkg/shapes.py", "3 * self.r", "4 * self.r", "`pkg.shapes.Round`"),
        (
            "pkg/__init__.py",
            "VERSION = 1",
            "print('hello')",
            "statement `print('hello')` of pkg",
        ),
        ("data.txt", "1", "2", "file `data.txt`"),
        ("psy-conf.py", "min_items = 1", "import os; os.nice(0)", "statement `os.nice(0)`"),
    ],
)
def test_each_kind_of_edit_of_what_is_reached(model, name, old, new, said):
    edit_file(model, name, old, new)
    dry = model.psy("run", "--dry-run", "-c")
    assert "would evaluate nothing" in dry.out
    ran = model.psy("run")
    assert ran.code == 0, ran.err
    assert f"all 6 rows again: {said}" in ran.err
    assert len(model.evaluated()) == 6
    assert "up to date" in model.psy("run").out


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (TASK_FILE, "UNUSED = 1", "UNUSED = 2"),
        (TASK_FILE, "return UNUSED", "return -UNUSED"),
        (TASK_FILE, "max_jobs = 2", "max_jobs = 3\nscheduler_args = {'timelimit': '1h'}"),
        (TASK_FILE, "N = 3", "N = int('3')"),
        (TASK_FILE, "import helper\n", "import helper\nimport json\n"),
        (TASK_FILE, "import helper\n", "import helper  # why\n\n\n"),
        (TASK_FILE, "def other", "if __name__ == '__main__':\n    print()\n\ndef other"),
        (TASK_FILE, "def other", "import logging\nlogging.disable()\n\ndef other"),
        ("helper.py", "SPARE = 3", "SPARE = 4"),
        ("helper.py", "return a\n", "return -a\n"),
        ("helper.py", "SCALE = 2", "'''A text.'''\nSCALE = (\n    0x2)"),
        ("pkg/core.py", "return a\n", "return -a\n"),
        ("pkg/deep.py", "SPARE = 4", "def spare(): pass"),
        ("pkg/__init__.py", "VERSION = 1", "VERSION = 2"),
        ("psy-conf.py", "min_items = 1", "min_items = 2"),
    ],
)
@both
def test_each_kind_of_edit_of_what_is_not_reached(model, options, name, old, new):
    edit_file(model, name, old, new)
    ran = model.psy("run", *options)
    assert ran.code == 0, ran.err
    assert "up to date" in ran.out
    assert model.evaluated() == []


@both
def test_a_space_that_grows_by_a_function_evaluates_that_only(model, options):
    edit_file(model, TASK_FILE, "core.times]", "core.times, core.spare]")
    assert model.psy("run", *options).code == 0
    assert model.evaluated() == ["0", "1", "2"]
    edit_file(model, "pkg/core.py", "return a\n", "return -a\n")
    ran = model.psy("run")
    assert "3 of 9 rows: `pkg.core.spare` changed" in ran.err  # the others were made without
    assert model.evaluated() == ["0", "1", "2"]


def test_a_function_that_left_the_space_counts_no_longer(model):
    edit_file(model, TASK_FILE, "[helper.plus, core.times]", "[helper.plus]")
    edit_file(model, "pkg/deep.py", "FACTOR = 3", "FACTOR = 4")
    assert model.psy("run").code == 0
    assert model.evaluated() == []


def git(project, *arguments):
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@b", *arguments]
    subprocess.run(command, cwd=project.root, check=True, capture_output=True)


@both
def test_a_checkout_of_the_same_content(model, options):
    git(model, "init")
    git(model, "add", "psy-tasks")
    git(model, "commit", "-m", "one")
    edit_file(model, "helper.py", "SCALE = 2", "SCALE = 3")
    git(model, "commit", "-a", "-m", "two")
    before = (model.tasks / "helper.py").stat()
    git(model, "checkout", "HEAD~1")
    after = (model.tasks / "helper.py").stat()
    assert (before.st_ino, before.st_mtime_ns) != (after.st_ino, after.st_mtime_ns)
    ran = model.psy("run", *options)
    assert (ran.code, model.evaluated()) == (0, [])
    assert "up to date" in ran.out


@both
def test_all_files_touched_and_the_project_moved(model, options, monkeypatch):
    for path in model.tasks.rglob("*"):
        os.utime(path, (1, 1))
    moved = model.root / "else where"
    moved.mkdir()
    for name in ("psy-tasks", "psy-work"):
        shutil.copytree(model.root / name, moved / name)
        shutil.rmtree(model.root / name)
    monkeypatch.chdir(moved)
    ran = model.psy("run", *options)
    assert (ran.code, model.evaluated()) == (0, [])
    assert "up to date" in ran.out


OWN_STORE = """
from psyrun.store import PickleStore

class Own(PickleStore):
    ext = '.own'
"""


@both
def test_another_store_merges_again(square, options):
    edit(square, "pspace =", f"{OWN_STORE}\nstore = Own()\npspace =")
    ran = square.psy("run", *options)
    assert (ran.code, square.evaluated()) == (0, [])
    assert (square.workdir("square") / "result.own").exists()
    nothing = square.psy("run", *options)
    assert "up to date" in nothing.out


@both
def test_rows_failed_and_missing_are_evaluated(project, options):
    project.task(
        "square",
        """
        pspace = Param(a=[1, 2, 3])
        pool_size = max_jobs = max_failures = 1

        def execute(a):
            counted(a)
            if a == 2 and not os.path.exists('mended'):
                raise ValueError(a)
            return {'y': a * a}
        """,
    )
    assert project.psy("run").code == 1
    project.evaluated()
    (project.tasks / "mended").touch()
    assert project.psy("run", *options).code == 0
    assert project.evaluated() == ["2", "3"]
    assert project.result("square")["y"] == [1, 4, 9]


def test_older_generations_stay_until_a_new_result_stands(square):
    """Spaces and codes, several side by side; each edit taken back finds its rows."""
    edit(square, "counted(a)", "counted(a); assert a < 3")
    assert square.psy("run").code == 1
    edit(square, "a * a", "a + a")
    edit(square, "[1, 2, 3]", "[3, 2]")
    assert square.psy("run").code == 1
    square.evaluated()
    assert len([*(square.workdir("square") / "code").iterdir()]) == 3
    assert len([*(square.workdir("square") / "pspace").iterdir()]) == 2
    edit(square, "[3, 2]", "[1, 2, 3]")
    edit(square, "a + a", "a * a")
    assert square.psy("run").code == 1
    assert square.evaluated() == ["3"]
    edit(square, "; assert a < 3", "")
    nothing_to_do(square)
    assert square.psy("run", "--force").code == 0
    assert len([*(square.workdir("square") / "code").iterdir()]) == 1
    assert len([*(square.workdir("square") / "pspace").iterdir()]) == 1


VALUES = """
import functools
import helper

pspace = Param(f=[{value}])
exclude_from_result = ['f']

@functools.lru_cache
def cached(a):
    return helper.X * a

def execute(f):
    counted(1)
    return {{'y': {call}}}
"""


@pytest.mark.parametrize(
    ("value", "call"),
    [
        ("helper", "f.X"),
        ("lambda a: helper.X * a", "f(1)"),
        ("functools.partial(helper.times, 2)", "f(1)"),
        ("helper.cached", "f(1)"),
        ("functools.partial(helper.cached, 2)", "f()"),
        ("helper.Thing()", "f.value()"),
    ],
)
def test_what_occurs_as_a_value_counts(project, value, call):
    project.task("values", VALUES.format(value=value, call=call))
    helper = project.tasks / "helper.py"
    helper.write_text(
        "import functools\n\nX = 1\n\ndef times(a, b):\n    return X * a * b\n\n"
        "@functools.lru_cache\ndef cached(a):\n    return X * a\n\n"
        "class Thing:\n    def value(self):\n        return X\n"
    )
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    project.evaluated()
    assert "up to date" in project.psy("run").out
    before = project.result("values")["y"]
    helper.write_text(helper.read_text().replace("X = 1", "X = 3"))
    ran = project.psy("run")
    assert "`helper.X` changed" in ran.err
    assert project.evaluated() == ["1"]
    assert project.result("values")["y"] == [3 * before[0]]


def test_a_module_imported_by_a_call_with_its_name_counts(project):
    project.task(
        "square",
        """
        import importlib

        pspace = Param(a=[1])

        def execute(a):
            counted(a)
            return {'y': importlib.import_module('late').X}
        """,
    )
    late = project.tasks / "late.py"
    late.write_text("X = 1\n")
    project.psy("run")
    late.write_text("X = 2\n")
    assert "`late.X` changed" in project.psy("run").err
    assert project.result("square")["y"] == [2]


def test_a_file_dependency_that_changes_during_a_run_fails_the_jobs_that_follow(project):
    project.task(
        "square",
        """
        import time

        pspace = Param(a=range(6))
        file_dep = ['data.txt']
        pool_size = 1

        def execute(a):
            counted(a)
            if a == 1:
                with open('data.txt', 'w') as file:
                    file.write('another')
                time.sleep(1)  # files are not looked at all the time
            return {'y': a}
        """,
    )
    data = project.tasks / "data.txt"
    data.write_text("one")
    ran = project.psy("run")
    assert ran.code == 1
    assert "file_dep changed since the task was submitted: data.txt" in ran.err
    assert project.evaluated() == ["0", "1"]
    data.write_text("one")
    assert project.psy("run").code == 0
    assert project.evaluated() == ["2", "3", "4", "5"]


@pytest.mark.parametrize("entry", ["..", "../psy-work", "../psy-work/square", "results"])
def test_a_run_depends_on_nothing_that_it_writes(square, entry):
    edit(
        square,
        "pspace =",
        f"file_dep = ['{entry}']; resultfile = 'psy-tasks/results/r.pkl'\npspace =",
    )
    (square.tasks / "results").mkdir()
    for options in (["--dry-run"], []):
        ran = square.psy("run", *options)
        assert ran.code == 1
        assert "where a run writes itself" in ran.err
    assert square.evaluated() == []


def test_a_dry_run_refuses_where_a_run_would(project):
    project.task("square", "pspace = Param(f=[lambda: 1])\ndef execute(f): return {'y': f()}\n")
    for options in (["--dry-run"], []):
        ran = project.psy("run", *options)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("ERROR ")
    assert not (project.workdir("square") / "run.json").exists()


def test_a_file_with_another_kind_of_name_is_left_out(square):
    shutil.copy(square.tasks / "task_square.py", square.tasks / "task_square (copy).py")
    ran = square.psy("run")
    assert ran.code == 0
    assert "WARNING" in ran.err
    assert "is no name for a task: it begins with" in ran.err
    assert square.evaluated() == []


def test_objects_that_hold_sets_are_the_same_in_every_process(project):
    project.task(
        "bags",
        """
        class Bag:
            def __init__(self, *words):
                self.words = set(words)
                self.pairs = {'deep': frozenset({frozenset(words), frozenset(words[1:])})}

        pspace = Param(bag=[Bag(*(f'word{i}{j}' for j in range(4))) for i in range(20)])

        def execute(bag):
            counted(1)
            return {'y': len(bag.words)}
        """,
    )
    for seed in range(6):
        command = project.start("run", environment={"PYTHONHASHSEED": str(seed)})
        out, err = command.communicate(timeout=60)
        assert command.returncode == 0, err
        assert len(project.evaluated()) == (20 if seed == 0 else 0)
        assert seed == 0 or "up to date" in out
