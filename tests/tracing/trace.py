"""Own what tests see of the operations that `sitecustomize` notes beside this module."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_ROOT = Path(__file__).parents[2]


@dataclass
class Trace:
    """What a command and the processes that it started did to files below a folder.

    Attributes
    ----------
    entries : list of (verb, amount, path)
        `read` and `write` (files opened), `list` (the amount is 1 and the number of entries),
        `rename` (the amount is the bytes of the file), `append` (bytes put at a file's end, or
        into a pipe), `remove`, `fsync`, `command` (a program started), `calls` (of functions).
    out : str
        What the command printed.
    """

    entries: list[tuple[str, int, str]] = field(default_factory=list)
    out: str = ""

    def number(self, *verbs: str, within: str = "") -> int:
        """Count operations; on paths that have some text in them."""
        return sum(verb in verbs and within in path for verb, _, path in self.entries)

    def replaced(self, name: str) -> int:
        """Count how often a file was written anew."""
        return sum(v == "rename" and Path(path).name == name for v, _, path in self.entries)

    def amount(self, verb: str) -> int:
        """Add up the amounts of an operation."""
        return sum(amount for found, amount, _ in self.entries if found == verb)

    @property
    def opened(self) -> int:
        """How many times a file was opened."""
        return self.number("read", "write")

    @property
    def bytes_written(self) -> int:
        """How many bytes were written to files: those renamed into place, and appended."""
        return self.amount("rename") + self.amount("append")

    def reads(self, suffix: str) -> Counter[str]:
        """Count how often each file with an extension was opened to be read."""
        paths = (path for verb, _, path in self.entries if verb == "read")
        return Counter(Path(path).name for path in paths if path.endswith(suffix))


def traced(
    folder: Path, command: Sequence[str], *, calls: bool = False, code: int = 0
) -> Trace:
    """Run a command of Python's in a folder, and note what is done to files there.

    Parameters
    ----------
    folder : Path
        The folder that is watched.
    command : sequence of str
        What follows `python`.
    calls : bool
        Whether to count function calls of the command's own process.
    code : int
        The exit code to expect.
    """
    log = folder.with_name(f"{folder.name}.trace")
    log.unlink(missing_ok=True)
    places = [str(Path(__file__).parent), str(_ROOT)]
    known = {"PYTHONPATH": os.pathsep.join(places), "PSYRUN_TRACE": str(log)}
    known |= {"PSYRUN_TRACED": str(folder), "NO_COLOR": "1"}
    if calls:
        known["PSYRUN_TRACE_CALLS"] = "1"
    outer = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**outer, **known},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return Trace(list(_entries(log)), done.stdout)


def _entries(log: Path) -> Iterator[tuple[str, int, str]]:
    for line in log.read_text().splitlines():
        verb, amount, path = line.split("\t")
        yield verb, int(amount), path
