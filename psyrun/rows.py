"""Own sets of rows as sorted, half-open ranges; pure functions over plain data."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum

Ranges = tuple[tuple[int, int], ...]
"""Rows as sorted ranges without gaps of length zero: ((first, behind the last), ...)."""

_END = (sys.maxsize, sys.maxsize)
"""A range behind all others."""


class RowState(IntEnum):
    """How far a row is; a higher one wins."""

    MISSING = 0
    FAILED = 1
    DONE = 2


def count(ranges: Iterable[Sequence[int]]) -> int:
    """Count the rows of some ranges."""
    return sum(stop - start for start, stop in ranges)


def text(size: int) -> str:
    """Put a number of rows in words.

    Examples
    --------
    >>> text(1), text(2000)
    ('1 row', '2,000 rows')
    """
    return f"{size:,} row" + ("" if size == 1 else "s")


def listed(ranges: Ranges, most: int = 3) -> str:
    """Name rows; no more than some ranges, and how many rows there are besides.

    Examples
    --------
    >>> listed(((3, 6),)), listed(((7, 8),)), listed(((1, 2), (5, 6), (8, 9), (11, 21)), 2)
    ('rows 3 to 5', 'row 7', 'rows 1, 5 and 11 more')
    """
    parts = [
        f"{start:,}" if stop == start + 1 else f"{start:,} to {stop - 1:,}"
        for start, stop in ranges[:most]
    ]
    if rest := count(ranges[most:]):
        parts.append(f"{rest:,} more")
    last = parts.pop()
    word = "row" if count(ranges) == 1 else "rows"
    return f"{word} {', '.join(parts)} and {last}" if parts else f"{word} {last}"


def of_state(states: bytes | bytearray, *wanted: RowState) -> Ranges:
    """Find the rows that are in one of the wanted states, given a byte for each row."""
    pattern = b"[" + b"".join(re.escape(bytes([state])) for state in wanted) + b"]+"
    return tuple(found.span() for found in re.finditer(pattern, states))


def of_sorted(rows: Iterable[int]) -> Ranges:
    """Turn ascending row indices into ranges."""
    ranges: list[tuple[int, int]] = []
    for row in rows:
        if ranges and ranges[-1][1] == row:
            ranges[-1] = (ranges[-1][0], row + 1)
        else:
            ranges.append((row, row + 1))
    return tuple(ranges)


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sort ranges, and join those that touch or overlap.

    Examples
    --------
    >>> joined([(5, 7), (0, 2), (1, 5)])
    ((0, 7),)
    """
    result: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return tuple(result)


def common(one: Ranges, other: Ranges) -> Ranges:
    """Find the rows that are in both of two sets.

    Examples
    --------
    >>> common(((0, 4), (6, 9)), ((2, 7),))
    ((2, 4), (6, 7))
    """
    result = []
    starts = iter(other)
    low, high = next(starts, (-1, -1))
    for start, stop in one:
        while high >= 0:
            if max(start, low) < min(stop, high):
                result.append((max(start, low), min(stop, high)))
            if high > stop:
                break
            low, high = next(starts, (-1, -1))
    return tuple(result)


def without(ranges: Ranges, gone: Ranges) -> Ranges:
    """Find the rows of one set that are not in another.

    Examples
    --------
    >>> without(((0, 4), (6, 9)), ((2, 7), (8, 9)))
    ((0, 2), (7, 8))
    """
    result = []
    holes = iter(gone)
    low, high = next(holes, _END)
    for start, stop in ranges:
        place = start
        while high <= place:
            low, high = next(holes, _END)
        while low < stop:
            if place < low:
                result.append((place, low))
            place = min(high, stop)
            if high > stop:  # it reaches into the next range
                break
            low, high = next(holes, _END)
        if place < stop:
            result.append((place, stop))
    return tuple(result)


def split(ranges: Ranges, sizes: Iterable[int]) -> Iterator[Ranges]:
    """Cut ranges, in order, into pieces of the given numbers of rows.

    Examples
    --------
    >>> list(split(((0, 3), (7, 9)), [2, 3]))
    [((0, 2),), ((2, 3), (7, 9))]
    """
    todo = iter(ranges)
    start = stop = 0
    for wanted in sizes:
        piece = []
        missing = wanted
        while missing > 0:
            if start == stop:
                start, stop = next(todo, (-1, -1))
                if stop < 0:
                    raise ValueError(f"{wanted} rows asked for, {wanted - missing} left")
            taken = min(missing, stop - start)
            piece.append((start, start + taken))
            start += taken
            missing -= taken
        yield tuple(piece)
