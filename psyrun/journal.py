r"""Own the journal's format: append-only frames, one for each row; know nothing of tasks.

A frame is a head of 40 bytes, a payload and a check, all numbers little-endian::

    4s  marker b'\xf5PSY'
    u64 length of the payload in bytes
    u8  kind: 0 origin, 1 done, 2 failed, 3 job failed; three bytes of padding
    u64 row's index in the snapshot
    f64 duration of the row in seconds
    u32 rows done in this journal up to and including this frame
    u32 rows failed, likewise
    ... payload
    u32 CRC-32 of head and payload

The first frame tells the origin (JSON: format, job, run, snapshot, code, host, process). The
payload of a done row is a pickle of its result, that of a failed row or job JSON. The marker
lets a reader find the next whole frame behind a damaged one; the running counts let it know
how far the journal is from its last frame alone.
"""

import json
import os
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from psyrun.files import disk_errors, read_errors
from psyrun.rows import Ranges, joined

FORMAT = 1
_MARKER = b"\xf5PSY"
_HEAD = struct.Struct("<4sQB3xQdII")
_CRC = struct.Struct("<I")
_PACK = _HEAD.pack
_PACK_CRC = _CRC.pack
_SYNC_SECONDS = 1.0
_TAIL_BYTES = 1 << 14
_COPY_BYTES = 1 << 16
_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Kind(IntEnum):
    """What a frame tells."""

    ORIGIN = 0
    DONE = 1
    FAILED = 2
    JOB_FAILED = 3


class Frame(NamedTuple):
    """One frame, its payload not yet decoded."""

    kind: int
    row: int
    duration: float
    payload: bytes


@dataclass
class Scan:
    """What a journal tells without its payloads.

    Attributes
    ----------
    origin : dict
        The first frame; empty if that is damaged or not there yet.
    done, failed : ranges
        Rows, sorted.
    job_failed : bool
        Whether the job as a whole failed.
    damaged : int
        Places where frames were unreadable in the middle.
    torn : bool
        Whether the last frame was not written to its end.
    """

    origin: dict[str, Any] = field(default_factory=dict)
    done: Ranges = ()
    failed: Ranges = ()
    job_failed: bool = False
    damaged: int = 0
    torn: bool = False


class JournalWriter:
    """Append rows to a journal of its own.

    A frame is handed to the kernel before `done` or `failed` returns, so it survives the death
    of this process at any later moment; it is fsynced at most once a second, and at `close`.

    Parameters
    ----------
    names : iterable of Path
        Names to try in turn; the first that does not exist becomes the journal.
    origin : dict
        What to keep about the journal's origin, as JSON.
    """

    def __init__(self, names: Iterable[Path], origin: dict[str, Any]) -> None:
        self.path, self._fd = _create(names)
        self._done = self._failed = 0
        self._sync_due = time.perf_counter() + _SYNC_SECONDS
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
        # what `_append` does, written out: this runs once a row
        size = len(payload)
        if size > _COPY_BYTES:
            self._append(1, row, ended - began, payload)
        else:
            head = _PACK(_MARKER, size, 1, row, ended - began, self._done, self._failed)
            frame = head + payload
            frame += _PACK_CRC(crc32(frame))
            written = os.write(self._fd, frame)
            if written != len(frame):
                self._write_rest(frame[written:])
        if ended >= self._sync_due:
            self.sync(ended)

    def failed(self, row: int, began: float, ended: float, error: dict[str, Any]) -> None:
        """Append a row's error; see `done`."""
        self._failed += 1
        self._append(Kind.FAILED, row, ended - began, json.dumps(error).encode())
        if ended >= self._sync_due:
            self.sync(ended)

    def job_failed(self, error: dict[str, Any]) -> None:
        """Append why the job can't evaluate any of its rows."""
        self._append(Kind.JOB_FAILED, 0, 0.0, json.dumps(error).encode())

    def _append(self, kind: int, row: int, duration: float, payload: bytes) -> None:
        head = _PACK(_MARKER, len(payload), kind, row, duration, self._done, self._failed)
        check = _PACK_CRC(crc32(payload, crc32(head)))
        if not hasattr(os, "writev"):
            self._write_rest(head + payload + check)
            return
        written = os.writev(self._fd, (head, payload, check))
        if written != len(head) + len(payload) + len(check):
            self._write_rest((head + payload + check)[written:])

    def _write_rest(self, rest: bytes) -> None:
        """Write on where the system took a part only; a full disk then says so."""
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def sync(self, now: float) -> None:
        """Wait until everything is on the disk, so that other hosts see it too."""
        os.fsync(self._fd)
        self._sync_due = now + _SYNC_SECONDS

    def size(self) -> int:
        """Return how many bytes the journal has."""
        return os.fstat(self._fd).st_size

    def close(self, *, sync: bool = True) -> None:
        """Close the file, and wait until everything is on the disk unless told not to."""
        if self._fd >= 0:
            with disk_errors(self.path):
                if sync:
                    os.fsync(self._fd)
                os.close(self._fd)
            self._fd = -1


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


def scan(path: Path) -> Scan:
    """Read which rows a journal holds, without looking at their payloads.

    A journal that is still being written is read up to its torn tail. A file that is gone by
    now (its rows stand in a partial result) counts as empty.
    """
    result = Scan()
    data = _read(path)
    rows: list[list[tuple[int, int]]] = [[], []]
    kind_before = first = stop = -1
    for kind, row, _, start, end in _hop(data, result, trusting=True):
        if row == stop and kind == kind_before:
            stop += 1
            continue
        if kind_before > 0:
            rows[kind_before - 1].append((first, stop))
        kind_before, first, stop = kind, row, row + 1
        if kind not in (1, 2):
            _note_other(result, kind, data[start:end])
            kind_before = stop = -1
    if kind_before > 0:
        rows[kind_before - 1].append((first, stop))
    result.done, result.failed = (joined(ranges) for ranges in rows)
    return result


def _read(path: Path) -> bytes:
    """Read a journal whole; one that is gone by now has no bytes."""
    with suppress(FileNotFoundError), read_errors(path):
        return path.read_bytes()
    return b""


def _note_other(notes: Scan, kind: int, payload: bytes) -> None:
    if kind == Kind.JOB_FAILED:
        notes.job_failed = True
    elif kind == Kind.ORIGIN and not notes.origin:
        notes.origin = decode_origin(payload)


def decode_origin(payload: bytes) -> dict[str, Any]:
    """Decode what the first frame tells; empty if it is no JSON object."""
    try:
        origin = json.loads(payload)
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}


def frames(path: Path) -> Iterator[Frame]:
    """Yield the undamaged frames in the order written; none if the file is gone by now."""
    for kind, row, duration, start, end in _hop(data := _read(path), Scan(), trusting=False):
        yield Frame(kind, row, duration, data[start:end])


class Place(NamedTuple):
    """Where an undamaged frame stands in a journal, in bytes, and what its head tells.

    Attributes
    ----------
    kind, row, duration : int, int, float
        What it tells, of which row, and for how many seconds that went on.
    start, stop : int
        The frame's bounds.
    payload : int
        Where its payload starts; that ends with the frame, but for the check.
    counted : int
        Rows done and failed in this journal up to and including this frame.
    """

    kind: int
    row: int
    duration: float
    start: int
    stop: int
    payload: int
    counted: int

    @property
    def size(self) -> int:
        """How many bytes the payload has."""
        return self.stop - _CRC.size - self.payload


def places(data: bytes) -> Iterator[Place]:
    """Yield where the undamaged frames among a journal's bytes stand, in the order written."""
    for kind, row, duration, start, end in _hop(data, Scan(), trusting=False):
        head = start - _HEAD.size
        *_, done, failed = _HEAD.unpack_from(data, head)
        yield Place(kind, row, duration, head, end + _CRC.size, start, done + failed)


def is_cut_short(data: bytes, position: int) -> bool:
    """Tell whether all that stands behind a position is the beginning of one frame."""
    rest = data[position:]
    if len(rest) < _HEAD.size:
        return rest[: len(_MARKER)] == _MARKER[: len(rest)]
    marker, length, *_ = _HEAD.unpack_from(rest)
    return bool(marker == _MARKER and _HEAD.size + length + _CRC.size > len(rest))


def sound_rows(path: Path) -> list[int]:
    """List the done rows whose frames are undamaged, ascending."""
    data = _read(path)
    return sorted({row for kind, row, *_ in _hop(data, Scan(), trusting=False) if kind == 1})


def done_payloads(path: Path) -> dict[int, bytes]:
    """Read the payloads of undamaged done rows by row; the last one of a row counts."""
    with read_errors(path):
        data = path.read_bytes()
    return {row: data[start:end] for row, start, end in done_places(data)}


def done_places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield row, start and end of the payload of each undamaged done frame of a journal."""
    for kind, row, _, start, end in _hop(data, Scan(), trusting=False):
        if kind == 1:
            yield row, start, end


def _hop(
    data: bytes, notes: Scan, *, trusting: bool
) -> Iterator[tuple[int, int, float, int, int]]:
    """Yield each sound frame, noting what is unreadable.

    With `trusting`, a row's frame that ends where the next marker stands needs no CRC.

    Yields
    ------
    kind, row, duration : int, int, float
        From the head.
    start, end : int
        The payload's bounds in the data.
    """
    position, size, head = 0, len(data), _HEAD.size
    unpack, unpack_crc, marker = _HEAD.unpack_from, _CRC.unpack_from, _MARKER
    while position + head < size:
        found, length, kind, row, duration, _, _ = unpack(data, position)
        start = position + head
        end = start + length
        following = end + 4
        if (
            found == marker
            and following <= size
            and (
                (trusting and kind and data[following : following + 4] == marker)
                or crc32(data[position:end]) == unpack_crc(data, end)[0]
            )
        ):
            yield kind, row, duration, start, end
            position = following
            continue
        whole = found == marker and following <= size
        following = _next_frame(data, position + 1)
        if following < 0 and not whole:
            break
        notes.damaged += 1
        position = following if following >= 0 else size
    notes.torn = position < size


def _next_frame(data: bytes, position: int) -> int:
    """Find the next place where a sound frame starts; -1 if there is none."""
    while (position := data.find(_MARKER, position)) >= 0:
        if _is_sound(data, position):
            return position
        position += 1
    return -1


def _is_sound(data: bytes, position: int) -> bool:
    if position + _HEAD.size > len(data):
        return False
    end = position + _HEAD.size + _HEAD.unpack_from(data, position)[1]
    if end + _CRC.size > len(data):
        return False
    return bool(crc32(memoryview(data)[position:end]) == _CRC.unpack_from(data, end)[0])


def counts(path: Path) -> tuple[int, int]:
    """Read how many rows a journal has done and failed, from its last whole frame.

    A row that was evaluated twice counts twice; for progress, not for deciding.
    """
    with suppress(FileNotFoundError), read_errors(path), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail = min(size, _TAIL_BYTES)
        while True:
            file.seek(size - tail)
            found = _last_counts(file.read(tail))
            if found or tail == size:
                return found or (0, 0)
            tail = min(size, tail * 8)
    return 0, 0


def _last_counts(data: bytes) -> tuple[int, int] | None:
    position = len(data)
    while (position := data.rfind(_MARKER, 0, position)) >= 0:
        if _is_sound(data, position):
            *_, done, failed = _HEAD.unpack_from(data, position)
            return done, failed
    return None
