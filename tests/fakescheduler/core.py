"""A batch system for tests: a queue in a file, that commands change and a runner works off.

The commands of each batch system are programs of their own, as the real ones are. Each is a
Python that has to start quickly, so only what loads quickly is imported: no dataclasses.
"""

import contextlib
import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")


class Refused(Exception):  # noqa: N818 - what a command says, and exits with
    def __init__(self, words: str, code: int = 1) -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class Job:
    """One job; of an array, each has the array's id, its index and an id of its own."""

    def __init__(
        self,
        id: str,  # noqa: A002 - as in all batch systems
        raw: str,
        index: int | None,
        name: str,
        output: str | None,
        *,
        append: bool = True,
        variables: dict[str, str] | None = None,
        depends: list[str] | None = None,
        throttle: int | None = None,
        limit: float | None = None,
        folder: str = "",
        requeue: bool = True,
        state: str = "PENDING",
        reason: str = "",
        code: int = 0,
        pid: int | None = None,
        restarts: int = 0,
        forgotten: bool = False,
    ) -> None:
        self.id, self.raw, self.index = id, raw, index
        self.name, self.output, self.append = name, output, append
        self.variables, self.depends = variables or {}, depends or []
        self.throttle, self.limit = throttle, limit
        self.folder, self.requeue = folder, requeue
        self.state, self.reason, self.code = state, reason, code
        self.pid, self.restarts, self.forgotten = pid, restarts, forgotten

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class Queue:
    """The queue in a folder; `with queue.opened() as jobs` holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: dict[str, Any] = self._read("settings.json", {})

    def _read(self, name: str, otherwise: Any) -> Any:
        path = self.folder / name
        return json.loads(path.read_text()) if path.exists() else otherwise

    @contextlib.contextmanager
    def opened(self) -> Iterator[list[Job]]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read("jobs.json", [])
            jobs = [Job(**job) for job in before]
            yield jobs
            after = [vars(job) for job in jobs]
            if after != before:
                new = self.folder / "jobs.new"
                new.write_text(json.dumps(after))
                new.replace(self.folder / "jobs.json")

    def next_id(self, jobs: Sequence[Job]) -> int:
        return 1 + max((int(job.raw) for job in jobs), default=0)

    def add(
        self, script: str, made: Callable[[int], list[Job]], folder: str | None = None
    ) -> list[Job]:
        """Take a submission; `made` makes its jobs of the first free id."""
        with self.opened() as jobs:
            new = made(self.next_id(jobs))
            for job in new:
                job.folder = folder or str(Path.cwd())
            spool = self.spool(new[0])
            spool.with_suffix(".sh").write_text(script, errors="surrogateescape")
            spool.with_suffix(".env").write_text(json.dumps(dict(os.environ)))
            jobs.extend(new)
        return new

    def spool(self, job: Job) -> Path:
        return self.folder / re.sub(r"\W", "_", f"spool-{job.id}")

    def cancel(self, jobs: Sequence[Job], wanted: Callable[[Job], bool]) -> list[Job]:
        """Cancel jobs: those that run get SIGTERM from the runner, and SIGKILL later."""
        found = [job for job in jobs if wanted(job) and not job.ended]
        for job in found:
            if job.state == "PENDING":
                job.state = "CANCELLED"
            else:
                job.reason = "cancel"
        return found


Command = Callable[[Queue, list[str]], int]


def serve(folder: str, name: str, command: Command) -> None:
    """Be one of the commands, with the faults that the test has switched on."""
    queue = Queue(Path(folder))
    with (queue.folder / "calls").open("a") as calls:
        calls.write(json.dumps([name, *sys.argv[1:]]) + "\n")
    fault: Mapping[str, Any] = queue._read("faults.json", {}).get(name, {})
    try:
        code = _with_fault(queue, command, fault)
    except Refused as refused:
        print(refused.words, file=sys.stderr)
        code = refused.code
    sys.stdout.flush()
    os._exit(code)


def _with_fault(queue: Queue, command: Command, fault: Mapping[str, Any]) -> int:
    """Run a command; faults: `adds` or `prints` bytes, `says` (and fails), `hangs`, `works`."""
    code = 0
    if "adds" in fault:
        sys.stdout.buffer.write(fault["adds"].encode("latin-1"))
    if "prints" in fault:
        sys.stdout.buffer.write(fault["prints"].encode("latin-1"))
    elif fault.get("works") or not {"says", "hangs"} & set(fault):
        with contextlib.ExitStack() as stack:
            if "says" in fault or "hangs" in fault:  # it does its work, but nobody hears of it
                stack.enter_context(contextlib.redirect_stdout(sys.stderr))
                stack.enter_context(contextlib.redirect_stderr(None))
            code = command(queue, sys.argv[1:])
    while fault.get("hangs"):
        time.sleep(60)
    if "says" in fault:
        raise Refused(fault["says"], fault.get("code", 1))
    return code


def header(script: str, prefix: str, *, whole: bool = False) -> list[list[str]]:
    """Return the words of each directive; `whole` reads on behind the first command."""
    import shlex

    found = []
    for line in script.split("\n"):
        if line.startswith(prefix):
            found.append(shlex.split(line[len(prefix) :]))
        elif line and not line.startswith("#") and not whole:
            break
    return found


def indices(text: str) -> list[int]:
    """Read a list of indices; a step follows a colon."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if not match:
            raise ValueError(text)
        first, last, step = match.groups()
        found += range(int(first), int(last or first) + 1, int(step or 1))
    if not found:
        raise ValueError(text)
    return found


def ranges(numbers: Sequence[int]) -> str:
    """Write indices as batch systems do: `0,3-5`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{a}-{b}" if a != b else str(a) for a, b in parts)


def clock_seconds(text: str) -> float:
    """Read `D-H:M:S`, `H:M:S`, `H:M` or minutes."""
    days, _, rest = text.rpartition("-")
    parts = [float(part) for part in rest.split(":")]
    scales = {1: (60,), 2: (3600, 60), 3: (3600, 60, 1)}[len(parts)]
    total = sum(part * scale for part, scale in zip(parts, scales, strict=True))
    return total + 86400 * int(days or 0)
