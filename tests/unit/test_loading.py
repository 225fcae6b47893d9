"""Running users' files, from the disk or frozen, and what is left behind afterwards."""

import importlib
import linecache
import pickle
import runpy
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Iterable
from pathlib import Path

import pytest

from psyrun.exceptions import TaskError
from psyrun.loading import (
    FrozenFinder,
    FrozenModule,
    forgetting_local_modules,
    is_local,
    local_names,
    run_module,
    working_in,
)
from tests.compiling import build, compile_without_source


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


def test_modules_are_found_in_a_folder_given_by_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "helper_rel.py").write_text("")
    with working_in(Path("tasks")):
        importlib.import_module("helper_rel")


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


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"A = 1\n\x0c\n1 / 0  # third\n", "1 / 0  # third"),
        ("A = '\x85\u2028'\n\n1 / 0  # third\n".encode(), "1 / 0  # third"),
        (b"A = 1\r\n\r\n1 / 0  # third\r\n", "1 / 0  # third"),
        (b"# coding: latin-1\n\n1 / 0  # dritt\xe9\n", "1 / 0  # dritté"),
        (b"\xef\xbb\xbf1 / 0  # first\n", "1 / 0  # first"),
    ],
)
def test_tracebacks_show_the_line_that_python_means(tmp_path, source, line):
    with pytest.raises(TaskError) as caught:
        run_module("task_x", tmp_path / "task_x.py", source)
    cause = caught.value.__cause__
    assert cause is not None
    assert traceback.extract_tb(cause.__traceback__)[-1].line == line


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


PACKAGE: dict[str, str | None] = {
    "frozen_p/__init__.py": "",
    "frozen_p/mod.py": "import warnings\n\ndef f():\n    return 1 / 0  # frozen\n\n"
    "def warn():\n    warnings.warn('mind', stacklevel=1)  # frozen\n",
}


@pytest.fixture
def package(tmp_path):
    """Freeze a package, whose files the user then changed."""
    freeze(tmp_path, PACKAGE)
    folder = tmp_path / "frozen_p"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('live')\n")
    (folder / "mod.py").write_text("# live\n" * 9)
    (folder / "data.txt").write_text("data")
    return folder


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    "expression",
    [
        "importlib.import_module('frozen_p.mod')",
        "importlib.import_module('.mod', 'frozen_p')",
        "__import__('frozen_p.mod').mod",
        "importlib.util.module_from_spec(importlib.util.find_spec('frozen_p.mod'))",
        "[importlib.import_module(f'frozen_p.{name}') for _, name, _ in found()][0]",
        "importlib.reload(importlib.import_module('frozen_p.mod'))",
    ],
)
def test_whatever_way_a_frozen_module_is_asked_for(tmp_path, expression):
    import importlib.util
    import pkgutil

    def found() -> Iterable[pkgutil.ModuleInfo]:
        return pkgutil.iter_modules(importlib.import_module("frozen_p").__path__)

    module = eval(expression, {"importlib": importlib, "found": found})
    assert module.__file__ == str(tmp_path / "frozen_p" / "mod.py")
    assert "# frozen" in module.__loader__.get_source("frozen_p.mod")


def test_data_beside_a_frozen_package_is_where_the_user_has_it(package):
    import pkgutil
    from importlib import resources

    module = importlib.import_module("frozen_p.mod")
    assert pkgutil.get_data("frozen_p", "data.txt") == b"data"
    assert (resources.files("frozen_p") / "data.txt").read_text() == "data"
    assert Path(str(module.__file__)).with_name("data.txt").read_text() == "data"
    assert sys.modules["frozen_p"].__path__ == [str(package)]


@pytest.mark.usefixtures("package")
def test_what_is_shown_of_a_frozen_module_are_the_frozen_lines(tmp_path):
    import inspect
    import warnings

    module = importlib.import_module("frozen_p.mod")
    linecache.checkcache()
    assert inspect.getsource(module.f) == "def f():\n    return 1 / 0  # frozen\n"
    assert inspect.getsource(module) == PACKAGE["frozen_p/mod.py"]
    assert inspect.getsourcefile(module.f) == str(tmp_path / "frozen_p" / "mod.py")
    with pytest.raises(ZeroDivisionError) as caught:
        module.f()
    text = "".join(traceback.format_exception(caught.value))
    assert f'"{tmp_path}/frozen_p/mod.py", line 4' in text
    assert "return 1 / 0  # frozen" in text
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        module.warn()
    shown = warnings.formatwarning(
        warned[0].message, warned[0].category, warned[0].filename, warned[0].lineno
    )
    assert shown.startswith(f"{tmp_path}/frozen_p/mod.py:7: UserWarning: mind")
    assert "# frozen" in shown


def test_nothing_is_kept_in_the_place_of_the_users_compiled_text(package):
    runpy.run_module("frozen_p.mod")
    assert not (package / "__pycache__").exists()


def test_a_frozen_namespace_package_has_all_its_folders(tmp_path, monkeypatch):
    for folder in "ab":
        (tmp_path / folder / "spread_n").mkdir(parents=True)
        monkeypatch.syspath_prepend(str(tmp_path / folder))
    (tmp_path / "a" / "spread_n" / "live.py").write_text("x = 'live'\n")
    freeze(tmp_path / "b", {"spread_n": None, "spread_n/leaf.py": "x = 'frozen'\n"})
    assert importlib.import_module("spread_n.leaf").x == "frozen"
    assert importlib.import_module("spread_n.live").x == "live"


def frozen(path: Path, name: str, tmp_path: Path) -> None:
    """Let a compiled module be imported from a copy."""
    copy = tmp_path / "copies" / f"{name}{FrozenModule(path, b'', False).suffix}"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    module = FrozenModule(path, path.read_bytes(), is_package=False, copy=copy)
    sys.meta_path.insert(0, FrozenFinder({name: module}))


@pytest.mark.parametrize("options", [(), ("-DSINGLE_PHASE",)], ids=["two phases", "one phase"])
@pytest.mark.parametrize("live", ["same", "other", "gone"])
def test_a_frozen_compiled_module_is_loaded_from_its_copy(tmp_path, options, live):
    name = f"fast_{live}_{len(options)}"  # the process keeps what it has loaded
    path = build(tmp_path, name, 1, *options)
    frozen(path, name, tmp_path)
    if live == "other":
        build(tmp_path, name, 2, *options)
    elif live == "gone":
        path.unlink()
    module = importlib.import_module(name)
    assert module.answer() == 1
    assert module.__file__ == str(path)
    assert f"{tmp_path}/copies/{name}" in Path("/proc/self/maps").read_text()


def test_a_compiled_module_finds_libraries_beside_it(tmp_path):
    path = build(tmp_path, "fast_lib", 1, "-DFROM_LIBRARY")
    frozen(path, "fast_lib", tmp_path)
    assert importlib.import_module("fast_lib").answer() == 1


def test_a_copy_that_lacks_its_neighbours_is_told(tmp_path):
    path = build(tmp_path, "fast_changed", 1, "-DFROM_LIBRARY")
    frozen(path, "fast_changed", tmp_path)
    build(tmp_path, "fast_changed", 2)
    message = r"libfast_changed.so: .*fast_changed\.\S+ changed since the task was submitted"
    with pytest.raises(ImportError, match=message):
        importlib.import_module("fast_changed")


def test_a_compiled_module_that_is_none_is_told_as_python_does(tmp_path):
    path = build(tmp_path, "fast_bad", 1)
    path.write_bytes(b"no library")
    frozen(path, "fast_bad", tmp_path)
    with pytest.raises(ImportError, match=r"fast_bad\.\S+: file too short$"):
        importlib.import_module("fast_bad")


def test_what_was_compiled_for_another_python_is_not_offered(tmp_path):
    path = tmp_path / "fast_old.cpython-30-x86_64-linux-gnu.so"
    finder = FrozenFinder({"fast_old": FrozenModule(path, b"", is_package=False)})
    assert finder.find_spec("fast_old") is None


def test_a_frozen_module_without_a_source_is_run(tmp_path):
    path = compile_without_source(tmp_path, "bare", "x = 'frozen'\n")
    frozen(path, "bare", tmp_path)
    compile_without_source(tmp_path, "bare", "x = 'live'\n")
    module = importlib.import_module("bare")
    assert (module.x, module.__file__) == ("frozen", str(path))


def test_local_modules_are_forgotten_and_others_stay(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("early_l", "late_l", "space_l/leaf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text("")
    importlib.import_module("early_l")
    for name in ("colorsys", "late_l"):
        sys.modules.pop(name, None)
    before = {*sys.modules}
    with forgetting_local_modules(tmp_path):
        for name in ("late_l", "space_l.leaf", "colorsys"):
            importlib.import_module(name)
        assert local_names(tmp_path, before) == ("late_l", "space_l", "space_l.leaf")
    assert {"early_l", "colorsys"} <= sys.modules.keys()
    assert not {"late_l", "space_l", "space_l.leaf"} & sys.modules.keys()


def test_modules_that_are_no_modules_have_no_place(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "odd_none", None)
    monkeypatch.setitem(sys.modules, "odd_text", "text")
    assert not {"odd_none", "odd_text"} & {*local_names(tmp_path, ())}


def test_a_folder_only_named_like_one_for_packages_holds_no_installed_ones(tmp_path):
    project = tmp_path / "lib" / "python3.11" / "site-packages" / "project"
    assert is_local(project / "helper.py", project / "psy-tasks")
    assert not is_local(tmp_path / "site-packages" / "helper.py", project / "psy-tasks")


def test_a_link_to_an_installed_package_is_no_local_one(tmp_path, monkeypatch):
    """As in environments that only link to packages: the real ones are not on the path."""
    real = tmp_path / "store" / "lib" / "python3.11" / "site-packages" / "package"
    real.mkdir(parents=True)
    packages = tmp_path / "view" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "package").symlink_to(real)
    monkeypatch.syspath_prepend(str(packages))
    assert not is_local(packages / "package" / "mod.py", tmp_path / "tasks")


def test_a_link_from_the_packages_to_the_users_own_is_local(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "mine").symlink_to(tmp_path / "mine")
    assert is_local(tmp_path / "site-packages" / "mine" / "mod.py", tmp_path / "tasks")


def test_the_main_program_is_no_module_that_was_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(tmp_path / "psy"))
    monkeypatch.setitem(sys.modules, "__mp_main__", sys.modules["__main__"])
    assert "__mp_main__" not in local_names(tmp_path, ())


def test_a_task_directory_among_installed_packages_is_the_users_own(tmp_path, monkeypatch):
    packages = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(packages))
    home = packages / "project" / "psy-tasks"
    home.mkdir(parents=True)
    assert is_local(home / "helper.py", home)
    assert not is_local(packages / "numpy.py", home)
    assert not is_local(home / "helper.py")


def test_an_environment_below_the_task_directory_is_not_the_users_own(tmp_path, monkeypatch):
    packages = tmp_path / ".venv" / "lib" / "site-packages"
    monkeypatch.syspath_prepend(str(packages))
    assert not is_local(packages / "numpy.py", tmp_path)
