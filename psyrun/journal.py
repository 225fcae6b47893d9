"""Own the journal's format: append-only frames, one for each row; know nothing of tasks.

A frame is a header of 48 bytes and a payload, all numbers little-endian::

    4s  marker b'\\xf5PSY'
    u32 CRC-32 of the header's remaining 40 bytes
    u64 length of the payload in bytes
    u32 CRC-32 of the payload
    u8  kind: 0 origin, 1 done, 2 failed, 3 job failed; three bytes of padding
    u64 row's index in the snapshot
    f64 duration of the row in seconds
    u32 rows done in this journal up to and including this frame
    u32 rows failed, likewise

The first frame tells the origin (JSON: format, job, run, snapshot, code, host, process). The
payload of a done row is a pickle of its result, that of a failed row or job JSON. The marker
lets a reader find the next whole frame behind a damaged one; the running counts let it know
how far the journal is from its last frame alone.
"""

import json
import os
import struct
import time
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from psyrun.files import disk_errors

FORMAT = 1
_MARKER = b"\xf5PSY"
_HEADER = struct.Struct("<4sIQIB3xQdII")
_BODY = struct.Struct("<QIB3xQdII")
_BODY_AT = _HEADER.size - _BODY.size
_CRC = struct.Struct("<I")
_SYNC_SECONDS = 1.0
_TAIL_BYTES = 1 << 14
_COPY_BYTES = 1 << 16


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
    payload: memoryview


@dataclass
class Scan:
    """What a journal tells without its payloads.

    Attributes
    ----------
    origin : dict
        The first frame; empty if that is damaged or not there yet.
    done, failed : array of int64
        Row indices, in the order written.
    job_failed : bool
        Whether the job as a whole failed.
    damaged : int
        Places where frames were unreadable in the middle.
    torn : bool
        Whether the last frame was not written to its end.
    """

    origin: dict[str, Any] = field(default_factory=dict)
    done: "array[int]" = field(default_factory=lambda: array("q"))
    failed: "array[int]" = field(default_factory=lambda: array("q"))
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
        self._synced = time.monotonic()
        self._append(Kind.ORIGIN, 0, 0.0, json.dumps({"format": FORMAT, **origin}).encode())

    def done(self, row: int, duration: float, payload: bytes) -> None:
        """Append a row's result, given as a pickle; the duration is in seconds."""
        self._done += 1
        self._append(1, row, duration, payload)

    def failed(self, row: int, duration: float, error: dict[str, Any]) -> None:
        """Append a row's error; the duration is in seconds."""
        self._failed += 1
        self._append(Kind.FAILED, row, duration, json.dumps(error).encode())

    def job_failed(self, error: dict[str, Any]) -> None:
        """Append why the job can't evaluate any of its rows."""
        self._append(Kind.JOB_FAILED, 0, 0.0, json.dumps(error).encode())

    def _append(self, kind: int, row: int, duration: float, payload: bytes) -> None:
        size = len(payload)
        body = _BODY.pack(
            size, zlib.crc32(payload), kind, row, duration, self._done, self._failed
        )
        head = _MARKER + _CRC.pack(zlib.crc32(body)) + body
        try:
            if size < _COPY_BYTES:
                rest = len(head) + size - os.write(self._fd, head + payload)
            else:
                rest = len(head) + size - os.writev(self._fd, (head, payload))
            while rest:
                rest -= os.write(self._fd, (head + payload)[-rest:])
        except OSError:
            with disk_errors(self.path):
                raise
        now = time.monotonic()
        if now - self._synced >= _SYNC_SECONDS:
            os.fsync(self._fd)
            self._synced = now

    def close(self) -> None:
        """Wait until everything is on the disk, and close the file."""
        if self._fd >= 0:
            with disk_errors(self.path):
                os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1


def _create(names: Iterable[Path]) -> tuple[Path, int]:
    for path in names:
        try:
            return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o666)
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
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return result
    append = (None, result.done.append, result.failed.append)
    for kind, row, start, end in _hop(data, result):
        if kind == Kind.DONE or kind == Kind.FAILED:
            append[kind](row)  # type: ignore[misc]
        elif kind == Kind.ORIGIN and not result.origin:
            result.origin = _decode_origin(data[start:end])
        elif kind == Kind.JOB_FAILED:
            result.job_failed = True
    return result


def _decode_origin(payload: bytes) -> dict[str, Any]:
    try:
        origin = json.loads(payload)
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}


def frames(path: Path) -> Iterator[Frame]:
    """Yield the frames whose header and payload are undamaged, in the order written."""
    data = memoryview(path.read_bytes())
    for kind, row, start, end in _hop(data.obj, Scan()):  # type: ignore[arg-type]
        payload = data[start:end]
        header = start - _HEADER.size
        _, header_crc, _, crc, _, _, duration, _, _ = _HEADER.unpack_from(data, header)
        if zlib.crc32(payload) == crc and zlib.crc32(data[header + _BODY_AT : start]) == header_crc:
            yield Frame(kind, row, duration, payload)


def _hop(data: bytes, notes: Scan) -> Iterator[tuple[int, int, int, int]]:
    """Yield kind, row and the payload's bounds of each frame, noting what is unreadable.

    A header is believed when its marker is right and its end falls on the next marker or the
    end of the data; only otherwise is its CRC needed.
    """
    position, size, head = 0, len(data), _HEADER.size
    unpack = _HEADER.unpack_from
    while position + head <= size:
        marker, crc, length, _, kind, row, _, _, _ = unpack(data, position)
        start = position + head
        end = start + length
        if (
            marker == _MARKER
            and end <= size
            and (data[end : end + 4] == _MARKER or _sound(data, position, crc))
        ):
            yield kind, row, start, end
            position = end
            continue
        if marker == _MARKER and end > size and _sound(data, position, crc):
            break
        following = _next_frame(data, position + 1)
        if following < 0:
            break
        notes.damaged += 1
        position = following
    notes.torn = position < size


def _sound(data: bytes, position: int, crc: int) -> bool:
    return zlib.crc32(data[position + _BODY_AT : position + _HEADER.size]) == crc


def _next_frame(data: bytes, position: int) -> int:
    """Find the next place with a marker and a sound header; -1 if there is none."""
    while (position := data.find(_MARKER, position)) >= 0:
        if position + _HEADER.size > len(data):
            return -1
        if _sound(data, position, _CRC.unpack_from(data, position + 4)[0]):
            return position
        position += 1
    return -1


def counts(path: Path) -> tuple[int, int]:
    """Read how many rows a journal has done and failed, from its last whole header.

    A row that was evaluated twice counts twice; for progress, not for deciding.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            tail = min(size, _TAIL_BYTES)
            while True:
                file.seek(size - tail)
                found = _last_counts(file.read(tail))
                if found or tail == size:
                    return found or (0, 0)
                tail = min(size, tail * 8)
    except FileNotFoundError:
        return 0, 0


def _last_counts(data: bytes) -> tuple[int, int] | None:
    position = len(data)
    while (position := data.rfind(_MARKER, 0, position)) >= 0:
        if position + _HEADER.size <= len(data):
            _, crc, *_, done, failed = _HEADER.unpack_from(data, position)
            if _sound(data, position, crc):
                return done, failed
    return None
