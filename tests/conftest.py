"""What tests share: a project folder to drive the command line in."""

import os
import pickle
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
    for module in ("awaiting", "commands.upkeep"):  # what people do not notice adds up here
        monkeypatch.setattr(f"psyrun.{module}._LOOK_SECONDS", 0.05)
    yield Project(tmp_path, capfd.readouterr)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
