"""Own short locks: held for the moment in which a small file is read and written anew."""

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from psyrun.exceptions import LockedError
from psyrun.files import TEMPORARY, disk_errors
from psyrun.locks import locked

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.002
_UNKNOWN = frozenset(
    {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
)
"""What flock(2) says on file systems that do not have it."""


def flock_works(folder: Path) -> bool:
    """Find out whether the file system of a folder knows flock(2), by trying."""
    with disk_errors(folder), tempfile.TemporaryFile(prefix=TEMPORARY, dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            if err.errno in _UNKNOWN:
                return False
            raise
    return True


@contextmanager
def exclusive(lock: Path, note: Path, *, flock: bool) -> Iterator[None]:
    """Hold a lock for a moment; after a minute in vain go on without it.

    Only for what does no harm if two do it at once, but costs something.

    Parameters
    ----------
    lock : Path
        The file to lock.
    note : Path
        Where it is said who holds it, where that is not the system's business.
    flock : bool
        Whether to use flock(2). Else the lock is a lease (see `psyrun.locks`).
    """
    with _flocked(lock) if flock else _leased(lock, note):
        yield


@contextmanager
def _flocked(lock: Path) -> Iterator[None]:
    with disk_errors(lock):
        fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _try(fd) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(fd)


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another, or by a server that is not itself
        return False
    return True


@contextmanager
def _leased(lock: Path, note: Path) -> Iterator[None]:
    stack = ExitStack()
    with suppress(LockedError):
        stack.enter_context(locked(lock, note, lock.name, _PATIENCE_SECONDS))
    try:
        yield
    finally:
        with suppress(LockedError):  # lost meanwhile
            stack.close()
