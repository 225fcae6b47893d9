"""What tests share: a project folder to drive the command line in."""

import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from psyrun.main import psy_main
from tests.property import examples


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the long tests too")


def pytest_configure(config: pytest.Config) -> None:
    examples.all_of_them = config.getoption("--slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="long: run with --slow"))


@dataclass
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str


@dataclass
class Project:
    """A folder with tasks, and the command line in it."""

    root: Path
    capture: Callable[[], Any]

    @property
    def tasks(self) -> Path:
        return self.root / "psy-tasks"

    def task(self, name: str, source: str) -> Path:
        """Write a task file; `counted()` in it notes each evaluation."""
        self.tasks.mkdir(exist_ok=True)
        path = self.tasks / f"task_{name}.py"
        path.write_text(_PRELUDE.format(root=str(self.root)) + textwrap.dedent(source))
        return path

    def psy(self, *arguments: str) -> Ran:
        """Run a command in this process."""
        self.capture()
        code = psy_main(list(arguments))
        out, err = self.capture()
        return Ran(code, out, err)

    def start(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "psyrun", *arguments],
            cwd=self.root,
            env={**os.environ, **(environment or {})},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def evaluated(self) -> list[str]:
        """List what `counted` was called with since the last time, sorted."""
        path = self.root / "counted"
        lines = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return sorted(lines)

    def workdir(self, name: str) -> Path:
        return self.root / "psy-work" / name

    def result(self, name: str) -> dict[str, list[Any]]:
        with (self.workdir(name) / "result.pkl").open("rb") as file:
            columns: dict[str, list[Any]] = pickle.load(file)
        return columns


_PRELUDE = """\
import os
from psyrun import Param

def counted(*values):
    fd = os.open({root!r} + '/counted', os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(fd, (','.join(map(str, values)) + '\\n').encode())
    os.close(fd)

"""


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Project]:
    monkeypatch.chdir(tmp_path)
    _look_often(monkeypatch)
    yield Project(tmp_path, capfd.readouterr)
    _forget_modules(tmp_path)


Make = Callable[[Project], object]


@pytest.fixture(scope="module")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def once(
    _kept: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[[Make], Project]]:
    """Make projects as functions do that have names of their own, each once in a module.

    The next test that asks finds the folder as the function left it.
    """

    def made(make: Make) -> Project:
        project = Project(_kept / make.__name__ / "project", capfd.readouterr)
        copy = _kept / make.__name__ / "copy"
        if copy.exists():
            shutil.rmtree(project.root, ignore_errors=True)
            shutil.copytree(copy, project.root, symlinks=True)
            monkeypatch.chdir(project.root)
        else:
            project.root.mkdir(parents=True)
            monkeypatch.chdir(project.root)
            make(project)
            shutil.copytree(project.root, copy, symlinks=True)
        return project

    _look_often(monkeypatch)
    yield made
    _forget_modules(_kept)


def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands look often for the end of jobs; what nobody notices adds up here."""
    for module in ("awaiting", "commands.upkeep"):
        monkeypatch.setattr(f"psyrun.{module}._LOOK_SECONDS", 0.05)


def _forget_modules(folder: Path) -> None:
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]
