"""Own the reading of rows that lie anywhere in a column: a few reads of neighbours."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["take"]

_GAP = 16
"""Rows that are read and dropped rather than read around."""

_MOST_READS = 1000
_BLOCK_ROWS = 1 << 12


def take(
    read: Callable[[int, int], Sequence[Any] | NDArray[Any]], places: NDArray[np.int64]
) -> Sequence[Any] | NDArray[Any]:
    """Read rows of a column from anywhere.

    Parameters
    ----------
    read : callable
        Reads the rows from one to before another.
    places : array of int64
        Which rows, in any order.
    """
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    cuts = np.flatnonzero(np.diff(ordered) > _GAP) + 1
    if len(cuts) > _MOST_READS:
        cuts = np.flatnonzero(np.diff(ordered // _BLOCK_ROWS)) + 1
    groups = np.split(ordered, cuts) if len(ordered) else []
    blocks = [_near(read, group) for group in groups]
    back = np.argsort(order, kind="stable")
    if not blocks:
        return read(0, 0)
    if all(isinstance(block, np.ndarray) for block in blocks):
        return np.concatenate(blocks)[back]
    values = list(chain.from_iterable(blocks))
    return [values[place] for place in back]


def _near(read: Callable[[int, int], Any], places: NDArray[np.int64]) -> Any:
    """Read ascending places that lie near each other."""
    low = int(places[0])
    block: Any = read(low, int(places[-1]) + 1)
    if isinstance(block, list):
        return [block[place - low] for place in places]
    return block[places - low]
