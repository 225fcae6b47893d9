"""Own which labelled axes a parameter space has, and where its rows lie along each.

Pure: knows spaces, and nothing of results, files or the libraries that show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from psyrun.pspace import Product, Selection, Sum
from psyrun.results.joins import outer_join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from psyrun.columns import Columns
    from psyrun.pspace import ParameterSpace

__all__ = ["Axis", "Layout", "Places", "layout_of"]

Places: TypeAlias = "NDArray[np.int64]"
"""Positions: of rows in a space, or along an axis."""

_MOST = 2**62
"""Row numbers up to here can be computed with in 64 bits."""


@dataclass(frozen=True)
class Axis:
    """An axis and its labels.

    Attributes
    ----------
    labels : dict of str to list
        What each member says at each position; an axis of a zipped `Param` has several members.
    """

    labels: Columns

    @property
    def names(self) -> tuple[str, ...]:
        """The members."""
        return tuple(self.labels)

    @property
    def size(self) -> int:
        """The number of positions."""
        return len(next(iter(self.labels.values())))


@dataclass(frozen=True)
class Layout:
    """The axes of a space, and where rows lie.

    Attributes
    ----------
    axes : sequence of Axis
        The axes; no two have a member in common.
    places : sequence of array of int64, shape (rows,)
        For each axis, the position of each row along it.
    """

    axes: Sequence[Axis]
    places: Sequence[Places]


def layout_of(space: ParameterSpace) -> Layout:
    """Find the axes of a space, and where each of its rows lies.

    ====================  ==================================================================
    ``Param``             one axis; its members say together where a row is
    ``a * b``             the axes of both
    ``a + b``             axes with equal names are joined: labels that both have (the k-th
                          occurrence of one in `a` and the k-th in `b`) are one position, and
                          those of `a` come first; where a side lacks a name, it is NaN
    slices, ``a - b``,    the axes of what rows are taken of, without the labels that no row
    ``a.where(f)``        uses any more
    ====================  ==================================================================

    Parameters
    ----------
    space : ParameterSpace
        Any space.

    Examples
    --------
    >>> from psyrun.pspace import Param
    >>> found = layout_of(Param(a=[5, 6]) * Param(b=[0, 1], c="xy"))
    >>> [axis.names for axis in found.axes], [axis.size for axis in found.axes]
    ([('a',), ('b', 'c')], [2, 2])
    >>> [place.tolist() for place in found.places]
    [[0, 0, 1, 1], [0, 1, 0, 1]]
    """
    return _layout(space, np.arange(space.size, dtype=np.int64))


def _layout(space: ParameterSpace, rows: Places) -> Layout:
    """Lay out some rows of a space; labels that none of them uses are left out."""
    match space:
        case Product():
            slow, fast = np.divmod(rows, max(1, min(space.right.size, _MOST)))
            left, right = _layout(space.left, slow), _layout(space.right, fast)
            return Layout([*left.axes, *right.axes], [*left.places, *right.places])
        case Sum():
            return _layout_of_sum(space, rows)
        case Selection() if space.space.size <= _MOST:
            return _layout(space.space, _taken(space.indices, rows))
        case _:
            return _one_axis(space, rows)


def _taken(indices: Sequence[int], rows: Places) -> Places:
    if isinstance(indices, range):
        return indices.start + indices.step * rows
    return np.asarray(indices, dtype=np.int64)[rows]


def _one_axis(space: ParameterSpace, rows: Places) -> Layout:
    """Make one axis of all names: of a `Param`, or of a space of another kind."""
    if not space.keys():
        return Layout([], [])
    used, places = _used(rows, space.size)
    whole = len(used) == space.size
    labels = space.block(0, space.size) if whole else space.take(used.tolist())
    return Layout([Axis(labels)], [places])


def _used(rows: Places, size: int) -> tuple[Places, Places]:
    """Find which of the numbers below `size` occur, and the place of each row among them."""
    if size > 4 * len(rows) + 1024:
        used, places = np.unique(rows, return_inverse=True)
        return used, places.astype(np.int64, copy=False)
    occurs = np.zeros(size, dtype=bool)
    occurs[rows] = True
    if occurs.all():
        return np.arange(size, dtype=np.int64), rows
    return np.flatnonzero(occurs), (np.cumsum(occurs, dtype=np.int64) - 1)[rows]


def _layout_of_sum(space: Sum, rows: Places) -> Layout:
    sizes = [part.size for part in space.parts]
    offsets = np.array(list(accumulate(sizes, initial=0)), dtype=np.int64)
    part_of = np.searchsorted(offsets, rows, side="right") - 1
    order = np.argsort(part_of, kind="stable")
    parts, starts = np.unique(part_of[order], return_index=True)
    pieces = np.split(order, starts[1:]) if len(parts) else []
    layouts = [
        _layout(space.parts[part], rows[piece] - offsets[part])
        for part, piece in zip(parts.tolist(), pieces, strict=True)
    ]
    return outer_join(layouts, pieces, space.keys())
