r"""Own the journal's format: append-only frames, one for each row, and how they are read.

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
how far the journal is from its last frame alone. Zeros behind the last frame are room for more.
"""

import json
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from psyrun.files import read_errors
from psyrun.rows import Ranges, joined

FORMAT = 1
MARKER = b"\xf5PSY"
HEAD = struct.Struct("<4sQB3xQdII")
CRC = struct.Struct("<I")
_TAIL_BYTES = 1 << 14


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
        return self.stop - CRC.size - self.payload


def places(data: bytes) -> Iterator[Place]:
    """Yield where the undamaged frames among a journal's bytes stand, in the order written."""
    for kind, row, duration, start, end in _hop(data, Scan(), trusting=False):
        head = start - HEAD.size
        *_, done, failed = HEAD.unpack_from(data, head)
        yield Place(kind, row, duration, head, end + CRC.size, start, done + failed)


class Rest(Enum):
    """What stands behind a journal's last sound frame."""

    NOTHING = "nothing"
    TORN = "torn"
    DAMAGED = "damaged"


def rest_of(data: bytes, position: int) -> Rest:
    """Tell what stands behind the last sound frame, from a position to the end.

    One frame that is not whole is torn: its process died over it, or is writing it. In a
    journal that was not closed it may have its full length already, before the zeros.
    """
    rest = data[position:]
    body = rest.rstrip(b"\0")
    if not body:
        return Rest.NOTHING
    is_padded = len(body) < len(rest)
    if len(rest) < HEAD.size or not body.startswith(MARKER):
        is_torn = MARKER.startswith(body[: len(MARKER)]) or (is_padded and MARKER not in body)
    else:
        size = HEAD.size + HEAD.unpack_from(rest)[1] + CRC.size
        was_ended = rest[size - 1 : size] != b"\0"  # what is written last
        is_torn = size > len(rest) or (len(body) <= size and not was_ended)
    return Rest.TORN if is_torn else Rest.DAMAGED


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
    position, size, head = 0, len(data), HEAD.size
    unpack, unpack_crc, marker = HEAD.unpack_from, CRC.unpack_from, MARKER
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
        following = _next_frame(data, position + 1)
        if following < 0:
            break
        notes.damaged += 1
        position = following
    rest = rest_of(data, position)
    notes.torn = rest is Rest.TORN
    notes.damaged += rest is Rest.DAMAGED


def _next_frame(data: bytes, position: int) -> int:
    """Find the next place where a sound frame starts; -1 if there is none."""
    while (position := data.find(MARKER, position)) >= 0:
        if _is_sound(data, position):
            return position
        position += 1
    return -1


def _is_sound(data: bytes, position: int) -> bool:
    if position + HEAD.size > len(data):
        return False
    end = position + HEAD.size + HEAD.unpack_from(data, position)[1]
    if end + CRC.size > len(data):
        return False
    return bool(crc32(memoryview(data)[position:end]) == CRC.unpack_from(data, end)[0])


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
            tail = min(size, tail * 4)
    return 0, 0


def _last_counts(data: bytes) -> tuple[int, int] | None:
    position = len(data)
    while (position := data.rfind(MARKER, 0, position)) >= 0:
        if _is_sound(data, position):
            *_, done, failed = HEAD.unpack_from(data, position)
            return done, failed
    return None
