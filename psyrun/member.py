"""Own a row process as its supervisor sees it, alive and dead."""

import contextlib
import json
import os
import resource
import signal
from dataclasses import dataclass
from math import inf
from typing import Any, TextIO

from psyrun.board import IDLE
from psyrun.rows import Ranges

DeadRow = tuple[int, int, dict[str, Any]]
"""A row over which a process died: the job's index, the row and its error."""


@dataclass
class Member:
    """A row process as its supervisor sees it.

    Attributes
    ----------
    slot : int
        Its place.
    pid : int
        Its process id; also the number of its process group.
    orders : text file
        Where it is told what to do.
    answers : int
        The file descriptor of the pipe on which it answers.
    report : int
        The descriptor of the file in which a crash leaves where it happened.
    death : int
        A file descriptor that can be read once it has ended; -1 where there is no such thing.
    job, block : int or None, ranges
        What it works on.
    telling : tuple or None
        The dead row that it was given to journal.
    idle : bool
        Whether it waits for rows that others may give back.
    late : bool
        Whether it found that there is no time for another row.
    stopping : bool
        Whether it was told to end.
    row, spent : int, float
        The row it was last seen at, and for how many seconds it has been seen there.
    overdue : int or None
        The row for which it is being ended, as that took too long.
    began : float
        When it was given that (`time.monotonic`).
    turn_end : float
        When its turn with this block ends (`time.monotonic`); infinity where it does not.
    kill_at : float
        When to kill it if it has not ended by itself (`time.monotonic`).
    ended : tuple or None
        What `os.wait4` gave, where its end had to be asked for.
    """

    slot: int
    pid: int
    orders: TextIO
    answers: int
    report: int
    death: int = -1
    job: int | None = None
    block: Ranges = ()
    telling: DeadRow | None = None
    idle: bool = False
    late: bool = False
    stopping: bool = False
    row: int = IDLE
    spent: float = 0.0
    overdue: int | None = None
    began: float = inf
    turn_end: float = inf
    kill_at: float = inf
    ended: tuple[int, int, resource.struct_rusage] | None = None
    buffer: bytes = b""

    def order(self, message: Any) -> None:
        """Tell it what to do; one that is dead is found out when its pipe ends."""
        self.stopping = message == "stop"
        try:
            self.orders.write(json.dumps(message) + "\n")
            self.orders.flush()
        except BrokenPipeError:
            pass

    def has_ended(self) -> bool:
        """Ask the system whether it has ended, where `death` cannot tell."""
        if self.ended is None:
            found = os.wait4(self.pid, os.WNOHANG)
            self.ended = found if found[0] else None
        return self.ended is not None

    def signal(self, number: int) -> None:
        """Send a signal to it and to whatever it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


@dataclass(frozen=True)
class Death:
    """How a row process ended.

    Attributes
    ----------
    code : int
        Its exit code, negative for a signal.
    report : str
        What Python's fault handler said, if it crashed.
    memory : int
        The most memory that it used, in bytes.
    """

    code: int
    report: str
    memory: int

    @property
    def cause(self) -> str:
        """What ended it, in words."""
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            name = f" ({signal.Signals(-self.code).name})"
        except ValueError:
            name = ""
        text = f"signal {-self.code}{name}"
        if self.code == -signal.SIGKILL:
            return f"{text}; was there too little memory?"
        return text
