"""Own how contestants of a sweep take turns: each a process, started once, told when to go."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import work
from benchmarks.memory import peak_of_tree
from benchmarks.registry import HERE, IDEAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.environments import Environments
    from benchmarks.registry import Contestant, Sweep


class Contender:
    """A contestant's process, and how long its turns took."""

    def __init__(self, contestant: Contestant, rows: int) -> None:
        self.contestant, self.rows = contestant, rows
        self.seconds: list[float] = []
        self.memory: int | None = None
        self.skipped: str | None = None
        self.failed: str | None = None
        self._process: subprocess.Popen[str] | None = None
        self._log = Path()

    def start(self, python: str, fn: str, folder: Path) -> None:
        """Start the process; it imports its peer, and waits."""
        folder.mkdir()
        self._log = folder / "log"
        with self._log.open("w") as log:
            one = self.contestant
            command = [python, "-m", "benchmarks.child", one.peer, one.function]
            self._process = subprocess.Popen(
                [*command, fn, str(self.rows), str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": str(HERE.parent)},
                start_new_session=True,
            )

    @property
    def playing(self) -> bool:
        return self._process is not None and self.failed is None

    def warm_up(self, timeout: float) -> None:
        """Take a turn that does not count, and watch the memory meanwhile."""
        assert self._process is not None
        with peak_of_tree(self._process.pid) as peak:
            self.turn(timeout)
        self.seconds.clear()
        self.memory = peak()

    def turn(self, timeout: float) -> None:
        """Take a turn."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        if not ready:
            self._give_up(f"no answer in {timeout:g} s")
            return
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            self._give_up(answer["error"])
        else:
            self.seconds.append(answer["seconds"])

    def _give_up(self, why: str) -> None:
        """End at once, so that others are not disturbed."""
        self.failed = why
        self.end()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it died"

    def end(self) -> None:
        """Let the process go, and end what it leaves behind."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=0 if self.failed else 10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()

    def record(self) -> dict[str, Any]:
        """Tell all that is known, for JSON."""
        one = self.contestant
        median = statistics.median(self.seconds) if self.seconds else None
        return {
            "name": one.name,
            "peer": one.peer,
            "how": one.how,
            "keeps": one.keeps,
            "rows": self.rows,
            "seconds": self.seconds,
            "median": median,
            "per_row": median and median / self.rows,
            "memory": self.memory,
            "skipped": self.skipped,
            "failed": self.failed,
        }


def run_sweep(
    sweep: Sweep,
    environments: Environments,
    *,
    quick: bool = False,
    repeat: int = 5,
    timeout: float = 300,
    say: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Run a sweep: all contestants at once in existence, one at a time at work."""
    rows = sweep.quick if quick else sweep.rows
    contenders = [Contender(one, min(rows, one.rows or rows)) for one in sweep.contestants]
    with tempfile.TemporaryDirectory() as folder:
        try:
            for number, contender in enumerate(contenders):
                peer = contender.contestant.peer
                if install := environments.missing(peer):
                    contender.skipped = install
                    continue
                place = Path(folder) / str(number)
                contender.start(environments.python(peer), sweep.work, place)
                say(f"{sweep.name}: {contender.contestant.name} warms up")
                contender.warm_up(timeout)
            _take_turns(contenders, repeat, timeout, say)
        finally:
            for contender in contenders:
                contender.end()
    return {
        "name": sweep.name,
        "title": sweep.title,
        "mode": sweep.mode,
        "rows": rows,
        IDEAL: work.ideal_seconds(getattr(work, sweep.work), rows),
        "contestants": [contender.record() for contender in contenders],
    }


def _take_turns(
    contenders: list[Contender], repeat: int, timeout: float, say: Callable[[str], object]
) -> None:
    """Give the turns that count, the first to another one each round."""
    for number in range(repeat):
        first = number % len(contenders)
        for contender in contenders[first:] + contenders[:first]:
            if contender.playing:
                say(f"round {number + 1} of {repeat}: {contender.contestant.name}")
                contender.turn(timeout)
