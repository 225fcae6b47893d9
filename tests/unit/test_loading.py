"""Running users' files, from the disk or frozen, and what is left behind afterwards."""

import importlib
import linecache
import pickle
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import pytest

from psyrun.exceptions import TaskError
from psyrun.loading import FrozenFinder, FrozenModule, run_module, working_in


@pytest.fixture(autouse=True)
def _forget_modules(monkeypatch):
    before = set(sys.modules)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_folder_and_the_path_are_restored(tmp_path):
    before = Path.cwd(), list(sys.path)
    with working_in(tmp_path):
        assert Path.cwd() == tmp_path
        assert sys.path[0] == str(tmp_path)
    assert (Path.cwd(), sys.path) == before


@pytest.mark.parametrize(
    "code", ["raise ValueError", "sys.exit(3)", "raise KeyboardInterrupt", "os.chdir('/')"]
)
def test_the_folder_and_the_path_are_restored_whatever_the_code_does(tmp_path, code):
    before = Path.cwd(), list(sys.path)
    path = tmp_path / "task_x.py"
    path.write_text(f"import os, sys\n{code}\n")
    try:
        with working_in(tmp_path):
            run_module("task_x", path)
    except (TaskError, KeyboardInterrupt):
        pass
    assert (Path.cwd(), sys.path) == before


def test_a_module_is_known_by_its_name_so_that_its_classes_are_pickled(tmp_path):
    path = tmp_path / "task_x.py"
    path.write_text("class Thing:\n    pass\n")
    module = run_module("task_x", path)
    assert sys.modules["task_x"] is module
    assert type(pickle.loads(pickle.dumps(module.Thing()))) is module.Thing
    assert module.__file__ == str(path)


def test_future_imports_are_the_users_own(tmp_path):
    path = tmp_path / "task_x.py"
    path.write_text("def f(a: 1 + 1): pass\n")
    assert run_module("task_x", path).f.__annotations__ == {"a": 2}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\nraise ValueError('no')\n", r"task_x\.py:2: ValueError: no"),
        ("x = 1\ny = (\n", r"task_x\.py:2: SyntaxError: '\(' was never closed"),
        ("def f():\npass\n", r"task_x\.py:2: IndentationError: expected an indented block"),
        ("import sys\nsys.exit('bye')\n", r"task_x\.py:2: SystemExit: bye"),
        ("import not_there_at_all\n", r"task_x\.py:1: ModuleNotFoundError: .*not_there_at_all"),
        ("def f():\n    1 / 0\n\nf()\n", r"task_x\.py:2: ZeroDivisionError: division by zero"),
        ("import json\njson.loads('{')\n", r"task_x\.py:2: JSONDecodeError: "),
        ("x = 1\neval('1 +')\n", r"task_x\.py:2: SyntaxError: invalid syntax"),
        ("raise SyntaxError('mine')\n", r"task_x\.py:1: SyntaxError: mine"),
        ("x = '\0'\n", r"task_x\.py.*: .*null bytes"),
        ("raise RecursionError\n", r"task_x\.py:1: RecursionError"),
        ("class Stop(BaseException): pass\nraise Stop('x')\n", r"task_x\.py:2: Stop: x"),
    ],
)
def test_what_goes_wrong_is_told_with_file_and_line(tmp_path, source, message):
    path = tmp_path / "task_x.py"
    path.write_text(source)
    with pytest.raises(TaskError, match=message):
        run_module("task_x", path)
    assert "task_x" not in sys.modules


def test_a_syntax_error_in_a_helper_is_told_with_the_helpers_line(tmp_path):
    (tmp_path / "helper_broken.py").write_text("\n\ndef (\n")
    path = tmp_path / "task_x.py"
    path.write_text("import helper_broken\n")
    with (
        working_in(tmp_path),
        pytest.raises(TaskError, match=r"helper_broken\.py:3: SyntaxErr"),
    ):
        run_module("task_x", path)


def test_an_interruption_is_no_fault_of_the_file(tmp_path):
    path = tmp_path / "task_x.py"
    path.write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        run_module("task_x", path)
    assert "task_x" not in sys.modules


def test_a_module_that_fails_leaves_the_one_before(tmp_path):
    path = tmp_path / "task_x.py"
    path.write_text("good = True\n")
    module = run_module("task_x", path)
    with pytest.raises(TaskError, match="ZeroDivisionError"):
        run_module("task_x", path, b"1 / 0\n")
    assert sys.modules["task_x"] is module


def test_frozen_text_runs_in_the_place_of_the_file(tmp_path):
    path = tmp_path / "task_x.py"
    path.write_text("x = 'live'\n")
    assert run_module("task_x", path, b"x = 'frozen'\n").x == "frozen"


def test_tracebacks_show_the_frozen_lines(tmp_path):
    path = tmp_path / "task_x.py"
    path.write_text("# something\n# else\n")
    module = run_module("task_x", path, b"def f():\n    return 1 / 0  # frozen\n")
    path.write_text("# changed once more\n")
    linecache.checkcache()
    with pytest.raises(ZeroDivisionError) as caught:
        module.f()
    lines = "".join(traceback.format_exception(caught.value))
    assert "return 1 / 0  # frozen" in lines
    assert f'"{path}", line 2' in lines


def test_the_encoding_of_a_frozen_text_is_respected(tmp_path):
    source = b"# coding: latin-1\nx = '\xe9'\n"
    assert run_module("task_x", tmp_path / "task_x.py", source).x == "é"


def freeze(folder: Path, sources: dict[str, str | None]) -> None:
    """Let modules be imported from frozen text by file name; None is a folder without one."""
    modules = {}
    for file, source in sources.items():
        package = source is None or file.endswith("__init__.py")
        name = file.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        text = None if source is None else source.encode()
        modules[name] = FrozenModule(folder / file, text, package)
    sys.meta_path.insert(0, FrozenFinder(modules))


def test_a_frozen_helper_wins_over_the_changed_one(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "helper_f.py").write_text("x = 'live'\n")
    freeze(tmp_path, {"helper_f.py": "x = 'frozen'\n"})
    module = importlib.import_module("helper_f")
    assert module.x == "frozen"
    assert module.__file__ == str(tmp_path / "helper_f.py")


def test_a_frozen_helper_needs_no_file(tmp_path):
    freeze(
        tmp_path, {"helper_f.py": "from pathlib import Path\nhere = Path(__file__).parent\n"}
    )
    assert importlib.import_module("helper_f").here == tmp_path


def test_what_is_not_frozen_is_imported_as_ever(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "helper_live.py").write_text("x = 'live'\n")
    freeze(tmp_path, {"helper_f.py": ""})
    assert importlib.import_module("helper_live").x == "live"


def test_frozen_packages_import_their_members(tmp_path):
    freeze(
        tmp_path,
        {
            "helper_p/__init__.py": "from .one import x\n",
            "helper_p/one.py": "from . import two\nx = two.y\n",
            "helper_p/two.py": "y = 'frozen'\n",
        },
    )
    assert importlib.import_module("helper_p").x == "frozen"


def test_a_frozen_namespace_package_imports_its_members(tmp_path):
    freeze(
        tmp_path,
        {"helper_n": None, "helper_n/deep": None, "helper_n/deep/leaf.py": "x = 'frozen'\n"},
    )
    assert importlib.import_module("helper_n.deep.leaf").x == "frozen"


def test_a_member_that_was_not_frozen_is_found_beside(tmp_path):
    (tmp_path / "helper_m").mkdir()
    (tmp_path / "helper_m" / "data.py").write_text("x = 'live'\n")
    freeze(tmp_path, {"helper_m/__init__.py": ""})
    assert importlib.import_module("helper_m.data").x == "live"


def test_frozen_modules_may_import_each_other_in_a_ring(tmp_path):
    freeze(
        tmp_path,
        {"helper_a.py": "import helper_b\nx = 1\n", "helper_b.py": "import helper_a\ny = 2\n"},
    )
    assert importlib.import_module("helper_a").helper_b.y == 2


def test_the_source_of_a_frozen_function_can_be_shown(tmp_path):
    import inspect

    freeze(tmp_path, {"helper_f.py": "def f():\n    return 'frozen'\n"})
    module = importlib.import_module("helper_f")
    assert inspect.getsource(module.f) == "def f():\n    return 'frozen'\n"


def test_frozen_modules_can_be_loaded_in_a_fresh_process(tmp_path):
    code = """
        import sys
        from pathlib import Path
        from psyrun.loading import FrozenFinder, FrozenModule
        path = Path(sys.argv[1]) / "sndhdr.py"
        sys.meta_path.insert(0, FrozenFinder({"sndhdr": FrozenModule(path, b"x = 1", False)}))
        import sndhdr
        print(sndhdr.x, sndhdr.__file__ == str(path))
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        check=True,
        text=True,
        capture_output=True,
    )
    assert ran.stdout == "1 True\n"
