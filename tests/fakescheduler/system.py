"""A fake batch system, as tests see it."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fakescheduler.core import Job, Queue

_ROOT = Path(__file__).parents[2]
_PROGRAM = """\
#!{python} -SE
import sys
sys.path.insert(0, {root!r})
from tests.fakescheduler.core import serve
from tests.fakescheduler.{kind} import COMMANDS
serve({folder!r}, {name!r}, COMMANDS[{name!r}])
"""


class FakeSystem:
    """A batch system whose commands are in a folder.

    Attributes
    ----------
    commands : Path
        The folder with the commands, for PATH.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.kind = kind
        self.commands = folder / "bin"

    @contextlib.contextmanager
    def running(self) -> Iterator["FakeSystem"]:
        """Install the commands and work off the queue; end all jobs at the end."""
        self.commands.mkdir(parents=True)
        self.set(slots=4)
        for name in self._names():
            program = self.commands / name
            known = {"python": sys.executable, "root": str(_ROOT), "folder": str(self.folder)}
            program.write_text(_PROGRAM.format(**known, name=name, kind=self.kind))
            program.chmod(0o755)
        runner = Path(__file__).with_name("runner.py")
        process = subprocess.Popen(
            [sys.executable, "-SE", str(runner), str(self.folder)], start_new_session=True
        )
        try:
            yield self
        finally:
            process.terminate()
            process.wait()

    def _names(self) -> list[str]:
        import importlib

        return list(importlib.import_module(f"tests.fakescheduler.{self.kind}").COMMANDS)

    @property
    def path(self) -> str:
        """PATH, with the commands first."""
        return os.pathsep.join([str(self.commands), os.environ.get("PATH", os.defpath)])

    def set(self, **settings: Any) -> None:
        """Configure the system; each has its settings."""
        file = self.folder / "settings.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps({**known, **settings}))

    def fault(self, command: str, **how: Any) -> None:
        """Let a command fail from now on.

        `says`: prints this on stderr and fails (with `code`), without having done anything
        unless it `works` all the same; `hangs`; `adds` or `prints`: text (one byte a
        character) before its own output, or in its stead. Nothing mends it.
        """
        file = self.folder / "faults.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        new = self.folder / "faults.new"
        new.write_text(json.dumps({**known, command: how}))
        new.replace(file)

    def wrap(self, command: str) -> None:
        """Put a shell script in a command's place that calls it, as sites do."""
        program = self.commands / command
        real = program.rename(program.with_name(f"real-{command}"))
        program.write_text(f'#!/bin/sh\n{real} "$@"\nexit $?\n')
        program.chmod(0o755)

    def under_way(self, command: str) -> list[int]:
        """List the processes that are a call of a wrapped command."""
        program = str(self.commands / f"real-{command}").encode()
        found = []
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if program in cmdline.read_bytes().split(b"\0"):
                    found.append(int(cmdline.parent.name))
        return found

    def hold(self) -> None:
        """Start no more jobs."""
        (self.folder / "held").touch()

    def release(self) -> None:
        """Start jobs again."""
        (self.folder / "held").unlink(missing_ok=True)

    def jobs(self) -> list[Job]:
        """List all jobs there have been."""
        with Queue(self.folder).opened() as jobs:
            return list(jobs)

    def forget(self, jobid: str) -> None:
        """Forget a job that has ended, as systems do after a while."""
        with Queue(self.folder).opened() as jobs:
            for job in jobs:
                job.forgotten |= job.id == re.match(r"\d+", jobid)[0]  # type: ignore[index]

    def calls(self, command: str) -> list[list[str]]:
        """List the arguments of each call of a command."""
        lines = (self.folder / "calls").read_text().splitlines()
        return [call[1:] for call in map(json.loads, lines) if call[0] == command]
