"""Own where peers are installed, and tell what is missing there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.registry import COMMANDS, HERE, OWN, PACKAGES, REQUIREMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT = HERE / ".venvs"
ASK = """\
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


@dataclass(frozen=True)
class Environments:
    """A folder with a virtual environment for each peer that needs one."""

    root: Path = DEFAULT

    def python(self, peer: str) -> str:
        """Name the Python that a peer runs in."""
        if peer in OWN or peer in COMMANDS:
            return sys.executable
        return str(self.root / peer / "bin" / "python")

    def missing(self, peer: str) -> str | None:
        """Say what would install a peer; None if it is there."""
        if peer in COMMANDS:
            command, install = COMMANDS[peer]
            return None if shutil.which(command) else install
        if Path(self.python(peer)).exists():
            return None
        return f"python -m benchmarks --install {peer}"

    def install(self, peers: Iterable[str]) -> list[str]:
        """Make environments anew, with exactly what is pinned; name those that failed."""
        failed = []
        for peer in peers:
            print(f"installing {peer}", flush=True)
            venv.create(self.root / peer, clear=True, with_pip=True)
            pip = [self.python(peer), "-m", "pip", "install", "--quiet", "--no-deps"]
            pip += ["--disable-pip-version-check", "-r", str(REQUIREMENTS / f"{peer}.txt")]
            if subprocess.run(pip, check=False).returncode:
                shutil.rmtree(self.root / peer)
                failed.append(peer)
        return failed

    def versions(self, peers: Iterable[str]) -> dict[str, str]:
        """Tell the versions of peers that are there."""
        found: dict[str, str] = {}
        for peer in peers:
            if peer in PACKAGES and not self.missing(peer):
                command = [self.python(peer), "-c", ASK, *PACKAGES[peer]]
                found |= json.loads(subprocess.check_output(command, text=True))
            elif peer in COMMANDS and not self.missing(peer):
                printed = subprocess.check_output([COMMANDS[peer][0], "--version"], text=True)
                found[peer] = printed.split("\n", 1)[0].split()[-1]
        return found
