"""The layers of the package: which room may import which, which may print, what loads when."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import psyrun

PACKAGE = Path(psyrun.__file__).parent

LAYERS = {
    0: "exceptions version signature columns rows settings units words",
    1: "pspace settling files locks machine progress taskfiles npy dealing loading board "
    "output lastwords guard pace claims exclusive syntax scopes reads effects definitions "
    "pickling git",
    2: "store scheduler localmodules filedeps filedigests packages reach",
    3: "workdir journal journalwriter runfile jobs snapshot code presentcode fingerprint",
    4: "state journalreader gather partial merge resultfile present backend failures "
    "payloads jobstates follow member pool pulse inspection findings codediff",
    5: "settingvalues tasks plan salvage mapper conclude causes verify remaining submission "
    "submitted overdue timing verdicts jobtime judging behind claimfiles balancing results "
    "toomany durations",
    6: "run freezing mergejob rowprocess supervisor worker report jobwords awaiting why "
    "provenance",
    7: "commands commandline main __main__",
}
"""Rooms by layer: a room is a module or package right below `psyrun`."""

SAME_LAYER = {
    "files": "machine",
    "guard": "board",
    "pace": "board",
    "reads": "scopes",
    "effects": "scopes syntax",
    "definitions": "effects reads scopes syntax",
    "settling": "files",
    "locks": "files machine",
    "jobs": "workdir",
    "runfile": "workdir",
    "fingerprint": "code",
    "presentcode": "code",
    "payloads": "failures",
    "journalwriter": "journal",
    "journalreader": "state",
    "gather": "journalreader state",
    "merge": "gather journalreader state",
    "partial": "merge state",
    "resultfile": "merge partial",
    "present": "state",
    "pool": "member",
    "backend": "jobstates present state",
    "tasks": "settingvalues",
    "plan": "submitted tasks",
    "submission": "tasks",
    "submitted": "submission tasks",
    "conclude": "tasks",
    "results": "conclude salvage",
    "behind": "remaining",
    "toomany": "remaining",
    "verdicts": "remaining",
    "claimfiles": "remaining",
    "balancing": "claimfiles remaining",
    "exclusive": "files locks",
    "supervisor": "rowprocess",
    "worker": "mergejob supervisor",
    "mergejob": "run",
    "report": "jobwords run",
    "run": "freezing provenance",
    "follow": "state",
    "commandline": "commands",
    "main": "commandline commands",
    "__main__": "main",
}
"""Which other rooms of its own layer a room may import."""

FACADES = {"__init__", "template_task"}
"""`psyrun` itself, which hands on what other rooms offer, and a task file to start from."""

PRINTING = {"main", "commands", "worker", "lastwords", "rowprocess", "progress"}
"""Rooms that may print; all others return, raise or call back."""

LAYER_OF = {room: layer for layer, rooms in LAYERS.items() for room in rooms.split()}

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    return module.parts[0].removesuffix(".py")


def test_every_module_has_a_layer() -> None:
    assert {room_of(module) for module in MODULES} - FACADES <= set(LAYER_OF)


def test_no_layer_lists_a_room_that_is_gone() -> None:
    assert set(LAYER_OF) <= {room_of(module) for module in MODULES}


def test_no_room_is_allowed_what_it_does_not_do() -> None:
    imports: dict[str, set[str]] = {}
    for module in MODULES:
        source = (PACKAGE / module).read_text(encoding="utf-8")
        imports.setdefault(room_of(module), set()).update(imported_rooms(source))
    allowed = {(room, other) for room, others in SAME_LAYER.items() for other in others.split()}
    assert {(room, other) for room, other in allowed if other not in imports[room]} == set()


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_module_imports_lower_layers_only(module: Path) -> None:
    room = room_of(module)
    if room in FACADES:
        return
    imported = set(imported_rooms((PACKAGE / module).read_text(encoding="utf-8")))
    assert list(violations(room, imported)) == []


def violations(room: str, imported: set[str]) -> Iterator[str]:
    """Name the imports that a room must not have."""
    for other in sorted(imported - {room}):
        if other not in LAYER_OF:
            yield f"{other} has no layer"
        elif LAYER_OF[other] > LAYER_OF[room]:
            yield f"{other} is of a higher layer"
        elif (
            LAYER_OF[other] == LAYER_OF[room] and other not in SAME_LAYER.get(room, "").split()
        ):
            yield f"{other} is of the same layer"


def imported_rooms(source: str) -> Iterator[str]:
    """Name every room that a module imports, at whatever place."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    if alias.name.split(".")[0] == "psyrun":
                        yield [*alias.name.split("."), "__init__"][1]
            case ast.ImportFrom(level=0, module="psyrun", names=aliases):
                for alias in aliases:
                    yield alias.name if is_room(alias.name) else "__init__"
            case ast.ImportFrom(level=0, module=str(name)) if name.startswith("psyrun."):
                yield name.split(".")[1]
            case ast.ImportFrom(level=level) if level:
                pytest.fail("imports are absolute")


def is_room(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("files", "from psyrun.run import carry_out", ["run is of a higher layer"]),
        ("files", "def f():\n    import psyrun.run", ["run is of a higher layer"]),
        ("store", "from psyrun import scheduler", ["scheduler is of the same layer"]),
        ("store", "from psyrun import Param", ["__init__ has no layer"]),
        ("locks", "from psyrun.files import sync", []),
        ("run", "from psyrun.plan import Plan", []),
    ],
)
def test_the_rule_finds(room: str, source: str, found: list[str]) -> None:
    assert list(violations(room, set(imported_rooms(source)))) == found


def prints(source: str) -> Iterator[int]:
    """Yield the lines where a module prints or sets up logging."""
    shouting = {"print", "click.echo", "click.secho", "logging.basicConfig"}
    shouting |= {f"sys.{stream}.write" for stream in ("stdout", "stderr")}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in shouting:
            yield node.lineno


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_only_some_rooms_print(module: Path) -> None:
    lines = list(prints((PACKAGE / module).read_text(encoding="utf-8")))
    assert room_of(module) in PRINTING or lines == []


def test_printing_is_found() -> None:
    assert list(prints("print(1)\nclick.echo(2)\nsys.stdout.write('3')\npprint(4)")) == [
        1,
        2,
        3,
    ]


HEAVY = [
    *("pandas", "xarray", "pyarrow", "psyrun.results"),
    *("numpy", "scipy", "joblib", "h5py", "tables", "filelock", "rich", "cloudpickle"),
    *("multiprocessing", "importlib.metadata"),
    *("psyrun.pspace", "psyrun.store", "psyrun.scheduler", "psyrun.tasks"),
]


@pytest.mark.parametrize(
    "program",
    [
        "import psyrun",
        "from psyrun.main import psy_main; psy_main(['--help'])",
        "from psyrun.main import psy_main; psy_main(['run', '--help'])",
        "import psyrun.main as m; m.psy_main(['--taskdir', 'psy-tasks-examples', 'list'])",
    ],
)
def test_nothing_heavy_is_loaded_by(program: str) -> None:
    program += f"; import sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_numbers_need_no_numpy() -> None:
    program = (
        "import psyrun, sys; (psyrun.Param(a=range(3)) * psyrun.Param(b=[0.5, 1.5])).build(); "
        "print('numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_jobs_load_nothing_that_only_reads_the_present_code() -> None:
    program = "import psyrun.worker, sys; print([m for m in sys.modules if 'psyrun' in m])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    rooms = "presentcode localmodules packages fingerprint reach scopes definitions git"
    assert [room for room in rooms.split() if f"'psyrun.{room}'" in done.stdout] == []
