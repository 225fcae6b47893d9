"""What a task file may set, and what it is told when it sets something else."""

import sys
import textwrap
import warnings
from pathlib import Path

import pytest

import psyrun
from psyrun.backend import DistributeBackend
from psyrun.code import CodeImage
from psyrun.exceptions import TaskError, TaskWarning
from psyrun.scheduler import ImmediateRun
from psyrun.store import PickleStore
from psyrun.tasks import Config, PackageLoader, TaskDef

SPACE = "from psyrun import Param\npspace = Param(a=[1, 2])\n"
EXECUTE = "def execute(a):\n    return {'y': a}\n"


@pytest.fixture(autouse=True)
def _forget_modules():
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("task_", "psy_conf", "helper")):
            del sys.modules[name]


@pytest.fixture
def load(tmp_path):
    def load(source: str, conf: str | None = None) -> TaskDef:
        (tmp_path / "task_a.py").write_text(textwrap.dedent(source))
        if conf is not None:
            (tmp_path / "psy-conf.py").write_text(textwrap.dedent(conf))
        return TaskDef(tmp_path / "task_a.py")

    return load


WRONG = [
    ("pspace", "[1, 2]", "[1, 2]", "a parameter space"),
    ("pspace", "int", "<class 'int'>", "a parameter space"),
    ("execute", "3", "3", "a function"),
    ("setup", "'x'", "'x'", "a function"),
    ("name", "3", "3", "a text"),
    ("backend", "3", "3", "a backend class"),
    ("backend", "int", "<class 'int'>", "a backend class"),
    ("scheduler", "'Slurm'", "'Slurm'", "a scheduler or its class"),
    ("scheduler", "int", "<class 'int'>", "a scheduler or its class"),
    ("scheduler_args", "['x']", r"\['x'\]", "a dict"),
    ("store", "'pkl'", "'pkl'", "a store or its class"),
    ("store", "dict", "<class 'dict'>", "a store or its class"),
    ("max_jobs", "0", "0", "a whole number, at least 1"),
    ("max_jobs", "'10'", "'10'", "a whole number, at least 1"),
    ("max_jobs", "2.0", r"2\.0", "a whole number, at least 1"),
    ("max_jobs", "True", "True", "a whole number, at least 1"),
    ("min_items", "None", "None", "a whole number, at least 1"),
    ("min_items", "-1", "-1", "a whole number, at least 1"),
    ("pool_size", "'all'", "'all'", "a whole number, at least 1"),
    ("python", "3", "3", "a path"),
    ("python", "None", "None", "a path"),
    ("exclude_from_result", "3", "3", "a list of names"),
    ("exclude_from_result", "[1]", r"\[1\]", "a list of names"),
    ("exclude_from_result", "None", "None", "a list of names"),
    ("file_dep", "3", "3", "a list of paths"),
    ("file_dep", "[1]", r"\[1\]", "a list of paths"),
    ("file_dep", "None", "None", "a list of paths"),
    ("overwrite_dirty", "1", "1", "True or False"),
    ("overwrite_dirty", "'no'", "'no'", "True or False"),
    ("resultfile", "3", "3", "a path"),
    ("workdir", "None", "None", "a path"),
]


@pytest.mark.parametrize(("setting", "code", "shown", "wanted"), WRONG)
def test_a_wrong_type_is_told_with_file_setting_value_and_what_it_should_be(
    load, setting, code, shown, wanted
):
    with pytest.raises(
        TaskError, match=rf"task_a\.py.*: {setting} is .*{shown}.*, but should be .*{wanted}"
    ):
        load(f"{setting} = {code}\n")


@pytest.mark.parametrize(
    ("setting", "text", "name"),
    [
        ("store", "h5", "H5Store"),
        ("store", ".npz", "NpzStore"),
        ("store", "PickleStore", "PickleStore"),
        ("scheduler", "slurm", "Slurm"),
        ("scheduler", "SGE", "SGE"),
        ("scheduler", "local", "ImmediateRun"),
    ],
)
def test_a_store_or_scheduler_by_name_is_told_with_the_line_to_write(load, setting, text, name):
    line = f"from psyrun import {name}; {setting} = {name}"
    with pytest.raises(TaskError, match=f"or its class: {line}$"):
        load(f"{setting} = {text!r}\n")
    assert name in psyrun.__all__


@pytest.mark.parametrize("kind", ["store", "scheduler"])
def test_a_class_that_cannot_be_made_is_told(load, kind):
    with pytest.raises(TaskError, match=rf"task_a\.py.*: {kind} .*interface"):
        load(f"import psyrun.{kind} as m\n{kind} = m.{kind.capitalize()}\n")


def test_a_class_that_needs_arguments_is_told(load):
    with pytest.raises(TaskError, match=r"task_a\.py.*: store .*where"):
        load(
            """
            from psyrun.store import PickleStore
            class Mine(PickleStore):
                def __init__(self, where):
                    super().__init__()
            store = Mine
            """
        )


def test_a_huge_wrong_value_is_shown_in_short(load):
    with pytest.raises(TaskError, match="pspace is") as caught:
        load("pspace = list(range(10**5))\n")
    assert len(str(caught.value)) < 500


def test_a_wrong_type_in_psy_conf_names_psy_conf(load):
    with pytest.raises(TaskError, match=r"psy-conf\.py.*: max_jobs is 'x'"):
        load("", conf="max_jobs = 'x'\n")


@pytest.mark.parametrize(
    ("source", "setting", "kind"),
    [
        ("from psyrun import PickleStore\nstore = PickleStore\n", "store", PickleStore),
        (
            "from psyrun import ImmediateRun\nscheduler = ImmediateRun\n",
            "scheduler",
            ImmediateRun,
        ),
        ("", "store", PickleStore),
        ("", "scheduler", ImmediateRun),
    ],
)
def test_a_class_is_made_an_object(load, source, setting, kind):
    assert type(getattr(load(source), setting)) is kind


def test_an_object_stays_itself(load):
    task = load("from psyrun import PickleStore\nstore = PickleStore(protocol=4)\n")
    assert task.store is task.module.store


@pytest.mark.parametrize(
    ("code", "expected"),
    [("'x'", ["x"]), ("['x', 'y']", ["x", "y"]), ("('x',)", ["x"]), ("()", [])],
)
def test_one_name_may_stand_for_a_list(load, code, expected):
    task = load(f"exclude_from_result = {code}\nfile_dep = {code}\n")
    assert task.exclude_from_result == expected
    assert task.file_dep == expected


def test_paths_may_be_path_objects(load):
    task = load("from pathlib import Path\nworkdir = Path('w')\nresultfile = Path('r') / 'x'\n")
    assert (task.workdir, task.resultfile) == ("w", "r/x")


def test_psy_conf_gives_defaults_and_the_task_file_overrides(load):
    task = load("max_jobs = 3\n", conf="max_jobs = 7\nmin_items = 9\n")
    assert (task.max_jobs, task.min_items, task.pool_size) == (3, 9, None)


def test_none_in_the_task_file_overrides_too(load):
    assert load("pool_size = None\n", conf="pool_size = 4\n").pool_size is None


def test_execute_may_come_from_psy_conf(load):
    task = load(SPACE, conf="def execute(a):\n    return {'y': a}\n")
    task.check()
    assert task.execute(3) == {"y": 3}


def test_a_name_in_psy_conf_names_no_task(load):
    assert load("", conf="name = 'shared'\n").name == "a"


def test_conf_as_a_file_elsewhere(tmp_path):
    (tmp_path / "task_a.py").write_text("")
    (tmp_path / "other.py").write_text("max_jobs = 5\n")
    assert TaskDef(tmp_path / "task_a.py", tmp_path / "other.py").max_jobs == 5


def test_conf_as_settings(tmp_path):
    (tmp_path / "task_a.py").write_text("min_items = 2\n")
    task = TaskDef(tmp_path / "task_a.py", Config(max_jobs=5, min_items=3))
    assert (task.max_jobs, task.min_items, task.name) == (5, 2, "a")


def test_settings_from_a_file(tmp_path):
    (tmp_path / "psy-conf.py").write_text("max_jobs = 5\nother = 1\nprint(other)\n")
    assert Config.load_from_file(tmp_path / "psy-conf.py").max_jobs == 5


@pytest.mark.parametrize("files", [["task_b.py"], ["task_a.py", "none.py"]])
def test_a_file_that_is_not_there_is_named(tmp_path, files):
    (tmp_path / "task_a.py").write_text("")
    with pytest.raises(TaskError, match=f"cannot read .*{files[-1]}: No such file"):
        TaskDef(*map(tmp_path.joinpath, files))


def test_a_task_is_named_by_its_file(load):
    assert load("").name == "a"


def test_a_task_is_named_as_it_says(load):
    assert load("name = 'x'\n").name == "x"


def test_a_loop_variable_names_no_task(load):
    assert load("for name in ['x', 'y']:\n    print(name)\n").name == "a"


MISSPELT = [
    ("schedular = 1", "scheduler"),
    ("max_job = 1", "max_jobs"),
    ("exclude_from_results = []", "exclude_from_result"),
    ("pool_sise: int = 1", "pool_size"),
    ("def excute(a): pass", "execute"),
    ("x = overwrite_dirt = 1\nprint(x)", "overwrite_dirty"),
]


@pytest.mark.parametrize(("line", "meant"), MISSPELT)
def test_a_misspelt_setting_is_asked_about_with_its_line(load, line, meant):
    with pytest.raises(TaskError, match=rf"task_a\.py:3: .*did you mean {meant}\?"):
        load(f"\n\n{line}\n")


@pytest.mark.parametrize(
    "source",
    [
        "schedular = 1\nprint(schedular)\n",
        "max_job = 3\nmax_jobs = max_job\n",
        "_schedular = 1\n",
        "def excute(a): pass\ndef execute(a): return excute(a)\n",
        "something = 1\n",
        "if True:\n    schedular = 1\n",
    ],
)
def test_a_similar_name_that_is_used_is_no_mistake(load, source):
    load(source)


def test_a_syntax_error_names_file_and_line(load):
    with pytest.raises(TaskError, match=r"task_a\.py:2: SyntaxError"):
        load("x = 1\ny = (\n")


def test_an_error_in_psy_conf_names_file_and_line(load):
    with pytest.raises(TaskError, match=r"psy-conf\.py:1: ZeroDivisionError"):
        load("", conf="1 / 0\n")


def test_the_folder_is_the_task_directory_while_loading(load, tmp_path):
    before = Path.cwd(), list(sys.path)
    task = load("from pathlib import Path\nhere = Path.cwd()\nprint(here)\n")
    assert task.module.here == tmp_path
    assert (Path.cwd(), sys.path) == before


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (EXECUTE, r"sets no pspace: a parameter space"),
        (SPACE, r"defines no execute: a function is needed that takes a and returns"),
        (
            SPACE + "def execute(b):\n    return {}\n",
            r"task_a\.py: .*b.*; the parameters are: a",
        ),
        (SPACE + "def execute(a, b):\n    return {}\n", r"task_a\.py: .*b"),
        (SPACE + "def execute():\n    return {}\n", r"task_a\.py: .*a"),
    ],
)
def test_what_cannot_be_evaluated_is_told(load, source, message):
    task = load(source)
    with pytest.raises(TaskError, match=message):
        task.check()


@pytest.mark.parametrize(
    "source",
    [
        SPACE + EXECUTE,
        SPACE + "def execute(**kwargs):\n    return {}\n",
        SPACE + "def execute(a, b=1):\n    return {}\n",
        SPACE + "def setup(i):\n    return {'m': 1}\ndef execute(a, m):\n    return {}\n",
        "from psyrun import Param\npspace = Param()\ndef execute():\n    return {}\n",
    ],
)
def test_what_can_be_evaluated_is_fine(load, source):
    load(source).check()


def test_all_tasks_are_loaded_but_broken_ones_which_are_warned_of(tmp_path):
    for name, source in {"a": "", "b": "1 / 0", "c": "max_jobs = 0", "d": ""}.items():
        (tmp_path / f"task_{name}.py").write_text(source)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tasks = PackageLoader(tmp_path).load_task_defs()
    assert [task.name for task in tasks] == ["a", "d"]
    assert [w.category for w in caught] == [TaskWarning, TaskWarning]
    assert "task_b.py:1: ZeroDivisionError" in str(caught[0].message)


def test_a_task_is_loaded_by_name(tmp_path):
    (tmp_path / "task_a.py").write_text("name = 'x'\n")
    assert PackageLoader(tmp_path).load("x").path == tmp_path / "task_a.py"


def test_a_backend_is_a_class(load):
    assert load("").backend is DistributeBackend


@pytest.mark.parametrize("frozen", [b"max_jobs = 7\n", None], ids=["removed", "added"])
def test_frozen_code_has_the_defaults_of_its_time(tmp_path, frozen):
    """Whether there is a `psy-conf.py` now does not matter."""
    source = (
        b"from psyrun import Param\npspace = Param(a=[1])\ndef execute(a):\n    return {}\n"
    )
    if frozen is None:
        (tmp_path / "psy-conf.py").write_text("max_jobs = 9\n")
    image = CodeImage("task_x.py", source, frozen)
    task = TaskDef(tmp_path / "task_x.py", image=image)
    assert task.max_jobs == (7 if frozen else 100)


@pytest.mark.parametrize("name", ["task_a.py", "psy-conf.py"])
def test_a_file_that_changed_while_it_was_run_is_no_code_to_submit(tmp_path, name):
    """Its space and its settings are of the text before, and jobs would get the one after."""
    (tmp_path / "task_a.py").write_text("def execute(a): return {}\n")
    (tmp_path / "psy-conf.py").write_text("max_jobs = 3\n")
    task = TaskDef(tmp_path / "task_a.py")
    task.code()
    (tmp_path / name).write_text("def execute(a): return {'y': 1}\n")
    with pytest.raises(TaskError, match="changed since it was run for its settings; try again"):
        task.code()
