"""Own the check of a journal, byte by byte; knows nothing of other files."""

from dataclasses import dataclass, field
from typing import Any

from psyrun import journal, rows
from psyrun.rows import Ranges


@dataclass(frozen=True)
class Inspection:
    """What every byte of a journal tells.

    Attributes
    ----------
    origin : dict
        Its first frame; empty if that is damaged or not there yet.
    done, failed : ranges
        Rows of undamaged frames.
    damaged : int
        Places that are unreadable.
    lost : int or None
        How many rows stood there, as the running counts tell; None if that is not known.
    torn : bool
        Whether the last frame was not written to its end.
    """

    origin: dict[str, Any] = field(default_factory=dict)
    done: Ranges = ()
    failed: Ranges = ()
    damaged: int = 0
    lost: int | None = 0
    torn: bool = False


def inspect(data: bytes) -> Inspection:
    """Check all frames of a journal."""
    origin: dict[str, Any] = {}
    found: dict[int, set[int]] = {journal.Kind.DONE: set(), journal.Kind.FAILED: set()}
    position = counted = damaged = lost = 0
    for frame in journal.places(data):
        of_row = frame.kind in found
        if frame.start != position:
            damaged += 1
            lost += max(frame.counted - of_row - counted, 0)
        position, counted = frame.stop, frame.counted
        if of_row:
            found[frame.kind].add(frame.row)
        elif frame.start == 0:
            origin = journal.decode_origin(data[frame.payload : frame.payload + frame.size])
    rest = journal.rest_of(data, position)
    torn = rest is journal.Rest.TORN
    if rest is journal.Rest.DAMAGED:
        damaged, lost = damaged + 1, lost + 1
    done, failed = (rows.of_sorted(sorted(numbers)) for numbers in found.values())
    return Inspection(origin, done, failed, damaged, lost, torn)
