"""Own how workers of a run see that another one lives: each touches a file of its own."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from psyrun import machine
from psyrun.exceptions import DamagedError, WorkdirError
from psyrun.files import disk_errors, read_record, write_record
from psyrun.locks import LEASE_SECONDS
from psyrun.workdir import Workdir

FORMAT = 1
BEAT_SECONDS = 10.0


class Pulse:
    """A worker's sign of life, and what it makes of those of others.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    job : str
        The worker's job.

    Attributes
    ----------
    worker : str
        The worker's name; such a name is never used again.
    """

    def __init__(self, workdir: Workdir, job: str) -> None:
        self._workdir = workdir
        self.worker = f"{job}.{os.urandom(4).hex()}"
        self._due = 0.0

    def beat(self) -> None:
        """Give a sign of life, if it is time for one."""
        if time.monotonic() >= self._due:
            self._touch()

    def _touch(self) -> float:
        """Give a sign of life; return the time by the clock of the file system."""
        path = self._workdir.alive(self.worker)
        self._due = time.monotonic() + BEAT_SECONDS
        with disk_errors(path):
            try:
                os.utime(path)
            except FileNotFoundError:  # it is the first, or others took this worker for dead
                write_record(path, FORMAT, _self(), flush=False)
            return path.stat().st_mtime

    def is_dead(self, worker: str) -> bool:
        """Tell whether another worker is gone.

        It is if its file is, or its process on this host, or if its file was not touched for
        long by the file system's own clock.
        """
        if worker == self.worker:
            return False
        path = self._workdir.alive(worker)
        try:
            found = _read(path)
            with path.open() as file:  # opened, a network file shows its true time
                touched = os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return True
        except WorkdirError:
            return False
        here = (machine.host(), machine.process_namespace())
        if found and (found["host"], found["namespace"]) == here:
            alive = machine.is_alive(found["process"], found["start"])
            if found["start"] or not alive:
                return not alive
        return self._touch() - touched > LEASE_SECONDS

    def end(self) -> None:
        """Give no sign of life any more."""
        with suppress(OSError):
            self._workdir.alive(self.worker).unlink()


def _read(path: Path) -> dict[str, Any]:
    """Read who a worker is; nothing where that is damaged: it is touched all the same."""
    try:
        return read_record(path, FORMAT)
    except DamagedError:
        return {}


def _self() -> dict[str, object]:
    pid = os.getpid()
    return {
        "host": machine.host(),
        "namespace": machine.process_namespace(),
        "process": pid,
        "start": machine.process_start(pid),
    }
