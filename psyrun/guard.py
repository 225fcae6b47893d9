"""Own the guard: a process that ends what a killed supervisor leaves behind."""

import contextlib
import os
import signal
from pathlib import Path
from typing import NoReturn

from psyrun.board import Board

_TO_SUPERVISOR_ALONE = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP),
    *(signal.SIGUSR1, signal.SIGUSR2),
)


def guard(board: Board, watched: int) -> NoReturn:
    """Wait for the death of the supervisor; then end its row processes, whatever they do.

    A process of its own, in a session of its own, so that it outlives the supervisor however
    that dies. It holds nothing and reads nothing but the end of a pipe.
    """
    try:
        os.setsid()
        for number in _TO_SUPERVISOR_ALONE:
            signal.signal(number, signal.SIG_IGN)
        _keep_only(watched)
        os.read(watched, 1)
        for pid in board.pids:
            if pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
    finally:
        os._exit(0)


def _keep_only(kept: int) -> None:
    """Close all descriptors but one, so that nobody waits for the end of a pipe for us."""
    folder = Path("/dev/fd")  # the numbers there may be up to a thousand million
    there = [int(path.name) for path in folder.iterdir()] if folder.exists() else range(4096)
    for fd in there:
        if fd != kept:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(fd)
