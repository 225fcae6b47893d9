"""Own the lock of a work directory, and the note that says who holds it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psyrun import machine
from psyrun.exceptions import LockedError, WorkdirError
from psyrun.files import disk_errors, read_json, write_json


def now() -> str:
    """Return the time, in UTC, as ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def locked(lock: Path, note: Path, title: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock for a while; the system lets go of it when this process dies.

    Parameters
    ----------
    lock : Path
        The file to lock.
    note : Path
        Where it is said who holds it.
    title : str
        What is locked, for the message.
    patience : float
        For how many seconds to wait for it.

    Raises
    ------
    LockedError
        If another process holds it; the message says which, and since when.
    """
    from filelock import FileLock, Timeout

    with disk_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        try:
            held.acquire(timeout=patience)
        except Timeout:
            raise LockedError(f"{title} is held by {_describe(read_holder(note))}") from None
    try:
        write_json(note, _holder(), flush=False)
        yield
    finally:
        with suppress(FileNotFoundError):
            note.unlink()
        held.release()


def _holder() -> dict[str, Any]:
    pid = os.getpid()
    return {
        "host": machine.host(),
        "process": pid,
        "start": machine.process_start(pid),
        "since": now(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def read_holder(note: Path) -> dict[str, Any] | None:
    """Read who holds a lock; None if nobody says so, or that process is known to be dead."""
    try:
        holder = read_json(note)
    except (WorkdirError, FileNotFoundError):
        return None
    if not isinstance(holder, dict) or not isinstance(holder.get("process"), int):
        return None
    here = holder.get("host") == machine.host()
    if here and not machine.is_alive(holder["process"], holder.get("start")):
        return None
    return holder


def _describe(holder: dict[str, Any] | None) -> str:
    if holder is None:
        return "another process"
    return (
        f"`{holder.get('command')}` (process {holder['process']} on {holder.get('host')}, "
        f"since {holder.get('since')})"
    )
