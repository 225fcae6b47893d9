"""Own how long a job's rows took so far, as its journals tell; only reads."""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from psyrun import journal
from psyrun.pace import MOST_DURATIONS
from psyrun.workdir import Workdir

_MOST_JOURNALS = 16
_BLOCK_BYTES = 1 << 16
_CHECK_BYTES = 4
"""What ends a frame may itself be zeros."""

_MOST_BYTES = 4 << 20
"""How much of the end of each journal is read: results may be large, and this is a guess."""


def known_durations(workdir: Workdir, job: str) -> list[float]:
    """List how long the last rows of a job took, in seconds; those that killed do not count."""
    found: list[float] = []
    journals = sorted(workdir.journals(job), key=_modified, reverse=True)
    for path in journals[:_MOST_JOURNALS]:
        rows = (journal.Kind.DONE, journal.Kind.FAILED)
        places = (place for place in journal.places(_end_of(path)) if place.kind in rows)
        found += reversed([place.duration for place in places if place.duration > 0])
        if len(found) >= MOST_DURATIONS:
            break
    return found[:MOST_DURATIONS]


def _modified(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _end_of(path: Path) -> bytes:
    """Read the end of a journal; nothing if that cannot be read now."""
    with suppress(OSError), path.open("rb") as file:
        stop = _end_of_frames(file)
        start = max(0, stop - _MOST_BYTES)
        file.seek(start)
        return file.read(stop - start)
    return b""


def _end_of_frames(file: BinaryIO) -> int:
    """Find where the last frame ends, or a little later; zeros may stand behind it."""
    size = stop = file.seek(0, os.SEEK_END)
    while stop > 0:
        start = max(0, stop - _BLOCK_BYTES)
        file.seek(start)
        block = file.read(stop - start).rstrip(b"\0")
        if block:
            return min(start + len(block) + _CHECK_BYTES, size)
        stop = start
    return 0
