"""Jobs run what was submitted, whatever happens meanwhile to the modules that they import."""

import json

import pytest

from tests.background import SCHEDULER
from tests.compiling import build, compile_without_source
from tests.waiting import until

HELD = (
    SCHEDULER
    + '''

class Held(Background):
    """Jobs begin when there is no file `hold`."""

    def submit(self, args, *others, **more):
        hold = Path(__file__).parent / "hold"
        wait = f"while [ -e {hold} ]; do sleep 0.02; done; "
        return super().submit(["sh", "-c", wait + 'exec "$0" "$@"', *args], *others, **more)
'''
)
TASK = """
from own_scheduler import Held
{imports}

pspace = Param(a=[1, 2])
max_jobs = 1
{scheduler}

def execute(a):
    counted(a)
    {body}
"""


@pytest.fixture
def held(project):
    project.tasks.mkdir()
    (project.tasks / "own_scheduler.py").write_text(HELD)
    (project.tasks / "hold").touch()
    return project


def submit(project, imports: str, body: str, scheduler: str = "scheduler = Held") -> None:
    project.task("far", TASK.format(imports=imports, body=body, scheduler=scheduler))
    ran = project.psy("run")
    assert ran.code == 0, ran.err


def go_on(project) -> list[object]:
    """Let the jobs begin, and return the results."""
    (project.tasks / "hold").unlink()
    until((project.workdir("far") / "result.pkl").exists)
    values: list[object] = project.result("far")["y"]
    return values


def test_a_compiled_module_that_was_built_anew(held):
    build(held.tasks, "fast", 1)
    submit(held, "import fast", "return {'y': (fast.answer(), fast.__file__)}")
    path = build(held.tasks, "fast", 2)
    assert go_on(held) == [(1, str(path))] * 2


def test_a_compiled_module_with_a_library_beside_it(held):
    build(held.tasks, "fast", 1, "-DFROM_LIBRARY")
    submit(held, "import fast", "return {'y': fast.answer()}")
    assert go_on(held) == [1, 1]


def test_a_module_without_a_source(held):
    compile_without_source(held.tasks, "bare", "def f():\n    return 1\n")
    submit(held, "import bare", "return {'y': bare.f()}")
    compile_without_source(held.tasks, "bare", "def f():\n    return 2\n")
    assert go_on(held) == [1, 1]


PLUGINS = """
import importlib
PLUGINS = [importlib.import_module(f'plugins.{name}') for name in ('one', 'two')]
"""


def test_modules_that_are_loaded_by_a_computed_name(held):
    folder = held.tasks / "plugins"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text(f"NAME = {name!r}\n")
    submit(held, PLUGINS, "return {'y': ' '.join(p.NAME for p in PLUGINS)}")
    (folder / "one.py").write_text("NAME = 'edited'\n")
    (folder / "two.py").unlink()
    assert go_on(held) == ["one two"] * 2


def test_a_helper_that_rows_share_with_processes_they_fork(held):
    (held.tasks / "helper.py").write_text("def f(x):\n    return 10 * x\n")
    submit(
        held,
        "import multiprocessing\nimport helper",
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "        return {'y': pool.map(helper.f, [a, a + 1])}",
    )
    (held.tasks / "helper.py").write_text("def f(x):\n    return -x\n")
    assert go_on(held) == [[10, 20], [20, 30]]


def test_processes_that_are_started_afresh_import_the_files_there_are(held):
    """This is documented: nothing tells them of the copy."""
    (held.tasks / "helper.py").write_text("def f(x):\n    return 10 * x\n")
    submit(
        held,
        "import multiprocessing\nimport helper",
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        return {'y': pool.map(helper.f, [a])}",
    )
    (held.tasks / "helper.py").write_text("def f(x):\n    return -x\n")
    assert go_on(held) == [[-1], [-2]]


def test_a_namespace_package_with_members_in_two_folders(held):
    libraries = [held.root / "one", held.root / "two"]
    for folder, name in zip(libraries, "ab", strict=True):
        (folder / "spread").mkdir(parents=True)
        (folder / "spread" / f"{name}.py").write_text(f"NAME = {name!r}\n")
    paths = f"import sys\nsys.path += {[*map(str, libraries)]}\n"
    submit(
        held, f"{paths}import spread.a, spread.b", "return {'y': spread.a.NAME + spread.b.NAME}"
    )
    (libraries[1] / "spread" / "b.py").unlink()
    assert go_on(held) == ["ab", "ab"]


def test_a_compiled_module_makes_rows_stale_by_its_bytes(held):
    path = build(held.tasks, "fast", 1)
    submit(held, "import fast", "return {'y': fast.answer()}", scheduler="")
    assert held.evaluated() == ["1", "2"]
    (held.root / "same").write_bytes(path.read_bytes())
    (held.root / "same").replace(path)  # this process has it loaded: no writing into it
    assert "up to date" in held.psy("run").out
    assert held.evaluated() == []
    build(held.tasks, "fast", 2)
    assert "module `fast` changed" in held.psy("status", "-v").out
    assert "module `fast` changed" in held.psy("run").err
    assert held.evaluated() == ["1", "2"]


def test_each_task_sees_the_modules_that_it_loads_itself(project):
    """The second one has the same code whether it is alone or comes after another."""
    project.tasks.mkdir()
    (project.tasks / "plugin.py").write_text("X = 1\n")
    text = """
    import importlib
    plugin = importlib.import_module('plug' + 'in')
    pspace = Param(a=[1])

    def execute(a):
        counted(a)
        return {'y': plugin.X}
    """
    project.task("one", text)
    project.task("two", text)
    assert project.psy("run", "two").code == 0
    assert project.evaluated() == ["1"]
    assert project.psy("run").code == 0
    assert project.evaluated() == ["1"]
    assert project.psy("status").out.count("up to date") == 2
    marks = [task["status"] for task in json.loads(project.psy("status", "--json").out)]
    assert marks == ["up to date", "up to date"]
    (project.tasks / "plugin.py").write_text("X = 2\n")
    ran = project.psy("run")
    assert ran.err.count("`plugin.X` changed") == 2
    assert project.evaluated() == ["1", "1"]
