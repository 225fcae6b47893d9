"""Own the writing of journals: a frame is the kernel's before the next row starts.

On a disk of this machine frames go into pages of the file that are mapped into memory, which
spares each row a call of the system. The kernel keeps such pages when the process dies, as it
keeps what was written. Other hosts may see them late, so other file systems are written to.

Before pages are mapped, zeros are written there: so the disk has room for them, and the kernel
has them at hand. To have it find pages one by one would take longer than the rows.
"""

import json
import mmap
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

from psyrun.files import disk_errors
from psyrun.journal import CRC, FORMAT, HEAD, MARKER, Kind
from psyrun.machine import filesystem

__all__ = ["JournalWriter"]

_PACK = HEAD.pack
_PACK_CRC = CRC.pack
_SYNC_SECONDS = 1.0
_SYNC_BYTES = 32 << 20
_FLAGS = os.O_CREAT | os.O_EXCL | os.O_RDWR

_MAPPED = frozenset({"ext2", "ext3", "ext4", "overlay", "tmpfs", "xfs"})
"""File systems of one machine that set room aside: a mapped page has its place then."""

_WRITTEN_BYTES = 4096
"""Before a journal has so much, it is written: slow rows need no map."""

_LEAST_WINDOW_BYTES, _MOST_WINDOW_BYTES = 1 << 16, 1 << 20
_MOST_MAPPED_BYTES = 1 << 16
"""Larger frames are written: that costs no more, and a window holds many frames."""

_MOST_JOINED_BYTES = 2048
"""Larger payloads are not joined with what stands around them: that would copy them twice."""


class JournalWriter:
    """Append rows to a journal of its own.

    A frame is handed to the kernel before `done` or `failed` returns, so it survives the death
    of this process at any later moment. It is fsynced while the next rows are evaluated, about
    once a second or when that is much, and at `close`.

    Parameters
    ----------
    names : iterable of Path
        Names to try in turn; the first that does not exist becomes the journal.
    origin : dict
        What to keep about the journal's origin, as JSON.

    Notes
    -----
    `_base` is where the window begins in the file, `_at` where the next frame begins in the
    window, and `_room` where the window ends: 0 while nothing is mapped.
    """

    def __init__(self, names: Iterable[Path], origin: dict[str, Any]) -> None:
        self.path, self._fd = _create(names)
        self._done = self._failed = 0
        self._base = self._at = self._room = 0
        self._window: mmap.mmap | None = None
        self._may_map = True
        self._sync_due = time.perf_counter() + _SYNC_SECONDS
        self._sync_at = _SYNC_BYTES
        self._syncing: threading.Thread | None = None
        self._error: OSError | None = None
        with disk_errors(self.path):
            self._append(Kind.ORIGIN, 0, 0.0, json.dumps({"format": FORMAT, **origin}).encode())

    def done(self, row: int, began: float, ended: float, payload: bytes) -> None:
        """Append a row's result.

        Parameters
        ----------
        row : int
            Its index in the snapshot.
        began, ended : float
            What `time.perf_counter` said before and after, in seconds.
        payload : bytes
            The result, pickled.
        """
        self._done += 1
        size = len(payload)
        if size < _MOST_JOINED_BYTES:
            # what `_append` does, written out: this runs once a row
            frame = _PACK(MARKER, size, 1, row, ended - began, self._done, self._failed)
            frame += payload
            frame += _PACK_CRC(crc32(frame))
            end = self._at + len(frame)
            if end < self._room:
                self._window[self._at : end] = frame  # type: ignore[index]
                self._at = end
            else:
                self._write(frame)
        else:
            self._append(1, row, ended - began, payload)
        if ended >= self._sync_due:
            self.sync_aside(ended)

    def failed(self, row: int, began: float, ended: float, error: dict[str, Any]) -> None:
        """Append a row's error; see `done`."""
        self._failed += 1
        self._append(Kind.FAILED, row, ended - began, json.dumps(error).encode())
        if ended >= self._sync_due:
            self.sync_aside(ended)

    def job_failed(self, error: dict[str, Any]) -> None:
        """Append why the job can't evaluate any of its rows."""
        self._append(Kind.JOB_FAILED, 0, 0.0, json.dumps(error).encode())

    def _append(self, kind: int, row: int, duration: float, payload: bytes) -> None:
        head = _PACK(MARKER, len(payload), kind, row, duration, self._done, self._failed)
        parts = head, payload, _PACK_CRC(crc32(payload, crc32(head)))
        if self._at + len(head) + len(payload) + CRC.size < self._room:
            at = self._at
            for part in parts:
                self._window[at : at + len(part)] = part  # type: ignore[index]
                at += len(part)
            self._at = at  # not before: whatever interrupts this leaves no part behind
        else:
            self._write(*parts)
        if self.size() >= self._sync_at:
            self.sync_aside(time.perf_counter())

    def _write(self, *parts: bytes) -> None:
        """Write a frame behind the others; the next ones may find a window there.

        Raises
        ------
        OSError
            If it cannot be written whole. The next frame then goes behind what was written of
            it: a journal is never cut, as others may have mapped it.
        """
        self._move(self.size())
        size, taken = sum(map(len, parts)), 0
        if len(parts) > 1 and hasattr(os, "pwritev"):  # spares joining large ones
            taken = os.pwritev(self._fd, parts, self._base)
            self._base += taken
        if taken < size:
            frame = memoryview(b"".join(parts))
            while taken < size:  # the system may take some bytes at a time
                more = os.pwrite(self._fd, frame[taken:], self._base)
                self._base += more
                taken += more
        is_small = size < _MOST_MAPPED_BYTES
        if is_small and self._may_map and self._base >= _WRITTEN_BYTES:
            self._map()

    def _move(self, position: int) -> None:
        """Go on at a position of the file, without a window."""
        if self._window is not None:
            self._window.close()
            self._window = None
        self._base, self._at, self._room = position, 0, 0

    def _map(self) -> None:
        """Map the pages behind the last frame; not where there is no room for them."""
        position = self.size()
        base = position - position % mmap.ALLOCATIONGRANULARITY
        size = min(max(position, _LEAST_WINDOW_BYTES), _MOST_WINDOW_BYTES)
        size += -size % mmap.ALLOCATIONGRANULARITY
        try:
            self._may_map = filesystem(self.path.parent) in _MAPPED
            if self._may_map:
                _make_room(self._fd, position, base + size)
                self._window = mmap.mmap(self._fd, size, offset=base)
                self._base, self._at, self._room = base, position - base, size
        except (OSError, ValueError):  # the disk is full, or this is no file to map
            self._may_map = False

    def sync(self, now: float) -> None:
        """Wait until everything is on the disk, so that other hosts see it too."""
        self._await_sync()
        self._flush()
        self._sync_due = now + _SYNC_SECONDS
        self._sync_at = self.size() + _SYNC_BYTES

    def _flush(self) -> None:
        if self._window is not None:
            os.utime(self._fd)  # what is mapped changes no time, by which other hosts judge
        os.fsync(self._fd)  # mapped pages too, where they are mapped at all

    def sync_aside(self, now: float) -> None:
        """Let everything get to the disk while rows go on; once at a time."""
        self._sync_due = now + _SYNC_SECONDS
        self._sync_at = self.size() + _SYNC_BYTES
        if self._syncing is None or not self._syncing.is_alive():
            self._await_sync()
            self._syncing = threading.Thread(target=self._fsync)
            try:
                self._syncing.start()
            except RuntimeError:  # there may be no more threads
                self._syncing = None
                self._flush()

    def _fsync(self) -> None:
        try:
            self._flush()
        except OSError as err:
            self._error = err

    def _await_sync(self) -> None:
        """Wait for the last `sync_aside`; raise what went wrong there."""
        if self._syncing is not None:
            self._syncing.join()
            self._syncing = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def size(self) -> int:
        """Return how many bytes the journal has, without the room behind its last frame."""
        return self._base + self._at

    def close(self, *, sync: bool = True) -> None:
        """Close the file, and wait until everything is on the disk unless told not to.

        The room behind the last frame stays, as others may have mapped it.
        """
        if self._fd < 0:
            return
        with disk_errors(self.path):
            try:
                if sync:
                    self.sync(0.0)
                elif self._syncing is not None:
                    self._syncing.join()
            finally:
                self._move(self.size())
                os.close(self._fd)
                self._fd = -1


def _make_room(fd: int, start: int, stop: int) -> None:
    """Write zeros into a file."""
    while start < stop:
        start += os.pwrite(fd, bytes(stop - start), start)


def _create(names: Iterable[Path]) -> tuple[Path, int]:
    for path in names:
        try:
            return path, os.open(path, _FLAGS, 0o666)
        except FileExistsError:
            continue
        except OSError:
            with disk_errors(path):
                raise
    raise FileExistsError("all names for the journal are taken")
