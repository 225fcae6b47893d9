"""Own the lock of a work directory, and the note that says who holds it.

The lock is a lease of filelock's: a marker file whose holder refreshes it. A holder that died
on this host is seen at once, one of another host when it has not refreshed its marker for long.
The marker tells who holds the lock; the note only describes that process to people.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from psyrun import machine
from psyrun.exceptions import LockedError, TaskWarning, WorkdirError
from psyrun.files import clock_at, disk_errors, read_record, unfinished, write_record
from psyrun.units import duration

if TYPE_CHECKING:
    from filelock import SoftFileLease

FORMAT = 1

LEASE_SECONDS = 60.0
"""A holder that has not refreshed its marker for so long is thought to be gone."""

_BEATS_PER_LEASE = 6
_POLL_SECONDS = 0.05
_MOST_POLL_SECONDS = 1.0
_SLOWER = 1.05

CheckHeld = Callable[[], None]
"""Raises LockedError if the lock is no longer held."""

Hold = AbstractContextManager[CheckHeld]
"""What `locked` returns."""


def now() -> str:
    """Return the time, in UTC, as ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_since(moment: str) -> float:
    """Tell how long ago a moment was that `now` told."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


@contextmanager
def locked(
    lock: Path, note: Path, title: str, patience: float = 0.0, advice: str = ""
) -> Iterator[CheckHeld]:
    """Hold a lock for a while; who dies meanwhile holds nothing any more.

    Parameters
    ----------
    lock : Path
        The marker: the lock is held while this file stands.
    note : Path
        Where it is said who holds it.
    title : str
        What is locked, for the message.
    patience : float
        For how many seconds to wait for it.
    advice : str
        What to do if another process holds it, for the message.

    Yields
    ------
    callable
        Raises LockedError if the lock was lost; to be called before what can't be undone.

    Raises
    ------
    LockedError
        If another process holds it; the message says which, and since when. Also at the end, if
        the lock was lost while it should have been held, and nothing else went wrong.
    WorkdirError
        If the files cannot be written.

    Warns
    -----
    TaskWarning
        If the holder has not been heard of for long, and its lease is waited for.
    """
    from filelock import SoftFileLease

    _refuse_dangling(lock.parent)
    lease = SoftFileLease(
        lock,
        lease_duration=LEASE_SECONDS,
        heartbeat_interval=LEASE_SECONDS / _BEATS_PER_LEASE,
    )
    with disk_errors(lock):
        _acquire(lease, (lock, note), title, patience, advice)

    def check() -> None:
        if _is_lost(lease, lock):
            raise LockedError(
                f"lost hold of {title}: {lock} was removed or another command took it over, "
                "which may have changed files meanwhile; run the same command again"
            )

    try:
        write_record(note, FORMAT, _holder(str(lease.token)), flush=False)
        yield check
        check()
    finally:
        if not _is_lost(lease, lock):  # else the note is another's
            with suppress(OSError):
                note.unlink()
        lease.release()


def _refuse_dangling(folder: Path) -> None:
    """Make sure that no link on the way leads nowhere: what it means would be made anew."""
    for place in (folder, *folder.parents):
        if place.is_symlink() and not place.exists():
            raise WorkdirError(
                f"{place} is a link to {place.readlink()}, which is not there; is its disk "
                "mounted?"
            )


def read_holder(lock: Path, note: Path) -> dict[str, Any] | None:
    """Read who holds a lock, without a trace.

    Parameters
    ----------
    lock, note : Path
        As for `locked`.

    Returns
    -------
    dict or None
        What the note says; None if nobody holds the lock, if that process is known to be dead
        or, where this host cannot know, has not been heard of for long.
    """
    marker = _read_marker(lock)
    holder = _described(note, marker)
    if marker is None or holder is None:
        return None
    alive = _is_alive(holder)
    if alive is None:  # twice the lease, since clocks of hosts differ
        alive = time.time() - marker.mtime < 2 * LEASE_SECONDS
    return holder if alive else None


def is_local(holder: dict[str, Any]) -> bool:
    """Tell whether a holder's process number means something here."""
    here = (machine.host(), machine.process_namespace())
    return (holder["host"], holder["namespace"]) == here


class _Marker(NamedTuple):
    """What stood in a marker, and when it was refreshed, by the clock of its file system."""

    text: str
    mtime: float


def _read_marker(lock: Path) -> _Marker | None:
    try:
        with lock.open(errors="replace") as file:  # opened, a network file shows its true time
            return _Marker(file.read(), os.fstat(file.fileno()).st_mtime)
    except FileNotFoundError:
        return None


def _acquire(
    lease: "SoftFileLease", files: tuple[Path, Path], title: str, patience: float, advice: str
) -> None:
    """Take the lock, or say who has it."""
    lock, note = files
    if _take(lease):
        return
    marker = _read_marker(lock)
    holder = _described(note, marker)
    alive = holder and _is_alive(holder)
    if marker is not None and alive is False:
        _remove_stale(lock, marker)
    elif marker is not None and alive is None:
        quiet = abs(clock_at(lock.parent) - marker.mtime)  # a time to come is as bad as a past
        if quiet > LEASE_SECONDS:
            _warn_of_silence(title, holder, quiet)
            if _wait(lease, LEASE_SECONDS):
                return
            _remove_stale(lock, marker)
    if not _wait(lease, patience):
        holder = _described(note, _read_marker(lock))
        raise LockedError(f"{title} is held by {_in_words(holder)}{advice}")


def _take(lease: "SoftFileLease") -> bool:
    """Try once; filelock takes over from who is dead on this host, or whose lease ran out."""
    from filelock import LeaseSettingsMismatch, Timeout

    try:
        lease.acquire(timeout=0)
    except (Timeout, LeaseSettingsMismatch):
        return False
    return True


def _wait(lease: "SoftFileLease", seconds: float) -> bool:
    """Try until some seconds are over, and once more after that."""
    deadline, pause = time.monotonic() + seconds, _POLL_SECONDS
    while not (taken := _take(lease)) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(_SLOWER * pause, _MOST_POLL_SECONDS)
    return taken


def _remove_stale(lock: Path, judged: _Marker) -> None:
    """Remove the marker of a holder that is gone, where filelock could not.

    Filelock takes over by exchanging two files' names, which NFS and other network file systems
    refuse, and never touches a marker left empty by a power failure.

    Another command may have been quicker, so that the marker is its own by now. So it is moved
    aside, looked at, and put back in that case.
    """
    aside = unfinished(lock)
    with suppress(OSError):
        if _read_marker(lock) != judged:
            return
        lock.rename(aside)
        try:
            if _read_marker(aside) != judged:
                os.link(aside, lock)
        finally:
            aside.unlink()


def _warn_of_silence(title: str, holder: dict[str, Any] | None, quiet: float) -> None:
    warnings.warn(
        f"{title} is held by {_in_words(holder)}, not heard of for {duration(quiet)}; "
        f"waiting up to {duration(LEASE_SECONDS)} for its lease to run out",
        TaskWarning,
        stacklevel=2,
    )


def _is_lost(lease: "SoftFileLease", lock: Path) -> bool:
    """Tell whether another process took the lock over, or its marker is gone."""
    if lease.compromise is not None:
        return True
    for _ in range(2):  # others may move the marker aside for a moment, to judge it
        try:
            marker = _read_marker(lock)
        except OSError:  # a network's hiccup; the lease's thread tells whether it lasts
            return False
        if marker is not None and str(lease.token) in marker.text:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _holder(token: str) -> dict[str, Any]:
    pid = os.getpid()
    return {
        "host": machine.host(),
        "namespace": machine.process_namespace(),
        "process": pid,
        "start": machine.process_start(pid),
        "since": now(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "lease": token,
    }


def _described(note: Path, marker: _Marker | None) -> dict[str, Any] | None:
    """Read the note of who holds a marker; None if there is none, or it is another's."""
    try:
        holder = read_record(note, FORMAT)
    except (WorkdirError, FileNotFoundError):
        return None
    return holder if marker is not None and holder["lease"] in marker.text else None


def _is_alive(holder: dict[str, Any]) -> bool | None:
    """Tell whether a holder still runs; None if that cannot be told from here."""
    if not is_local(holder):
        return None
    alive = machine.is_alive(holder["process"], holder["start"])
    # without start times, the number may be another process' by now
    return alive if holder["start"] or not alive else None


def _in_words(holder: dict[str, Any] | None) -> str:
    if holder is None:
        return "another process"
    return (
        f"`{holder['command']}` (process {holder['process']} on {holder['host']}, "
        f"since {holder['since']})"
    )
