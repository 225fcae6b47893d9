"""Own how the axes of the parts of a sum become axes of the whole."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from psyrun.columns import NAN
from psyrun.pspace.matching import row_keys

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from psyrun.columns import Columns
    from psyrun.results.axes import Axis, Layout, Places

__all__ = ["outer_join"]

Members = frozenset[str]


def outer_join(
    layouts: Sequence[Layout], pieces: Sequence[Places], names: Sequence[str]
) -> Layout:
    """Join the axes of several layouts along equal names.

    Axes that have a member in common become one axis with the members of both, but where a part
    has one label of several members, it goes along whatever axes the other parts have:
    ``Param(a=[1, 2]) * Param(b=[1, 2]) + Param(a=3, b=3)`` has the axes a and b.

    Parameters
    ----------
    layouts : sequence of Layout
        Each of one part's rows, of which there is at least one.
    pieces : sequence of array of int64
        Which rows of the whole these are.
    names : sequence of str
        The members of all axes, in the order in which they are to appear.

    Returns
    -------
    Layout
        Of all rows.
    """
    from psyrun.results.axes import Axis, Layout

    kinds = {frozenset(axis.names) for layout in layouts for axis in layout.axes}
    divided = {kind for kind in kinds if any(kind & k and kind != k for k in kinds)}
    parts = [list(_divided(layout, divided)) for layout in layouts]
    axes, places = [], []
    count = sum(map(len, pieces))
    for members in _groups({frozenset(axis.names) for p in parts for axis, _ in p}, names):
        joint = _JointAxis(members)
        place = np.zeros(count, dtype=np.int64)
        for part, piece in zip(parts, pieces, strict=True):
            place[piece] = joint.add(part)
        axes.append(Axis(joint.labels))
        places.append(place)
    return Layout(axes, places)


Placed = tuple["Axis", "Places"]
"""An axis, and where rows lie along it."""


def _divided(layout: Layout, divided: set[Members]) -> Iterator[Placed]:
    """Yield a layout's axes; some of those that have one label only are taken apart."""
    from psyrun.results.axes import Axis

    for axis, places in zip(layout.axes, layout.places, strict=True):
        if axis.size == 1 and frozenset(axis.names) in divided:
            for name, labels in axis.labels.items():
                yield Axis({name: labels}), places
        else:
            yield axis, places


def _groups(kinds: Iterable[Members], names: Sequence[str]) -> list[list[str]]:
    """Find which names belong to one axis: those that some axis has together."""
    group_of: dict[str, list[str]] = {name: [name] for name in names}
    for kind in kinds:
        first, *others = kind
        for name in others:
            one, other = group_of[first], group_of[name]
            if one is not other:
                one.extend(other)
                group_of.update(dict.fromkeys(other, one))
    order = {name: place for place, name in enumerate(names)}
    found = {id(group): group for group in group_of.values()}
    return [sorted(group, key=order.__getitem__) for group in found.values()]


class _JointAxis:
    """An axis to which one part's labels after the other are added.

    Parameters
    ----------
    members : sequence of str
        Its members.
    """

    def __init__(self, members: Sequence[str]) -> None:
        self.labels: Columns = {name: [] for name in members}
        self._places: dict[Hashable, int] = {}

    def add(self, part: Sequence[Placed]) -> Places:
        """Add the labels of a part, and return where its rows lie."""
        mine = [pair for pair in part if pair[0].names[0] in self.labels]
        labels, places = _combined(mine, list(self.labels))
        occurrences: Counter[Hashable] = Counter()
        found = []
        for index, key in enumerate(row_keys(labels)):
            occurrence = occurrences[key]
            occurrences[key] += 1
            place = self._places.setdefault((key, occurrence), len(self._places))
            if place == len(next(iter(self.labels.values()))):
                for name, column in self.labels.items():
                    column.append(labels[name][index])
            found.append(place)
        place_of = np.array(found, dtype=np.int64)
        return place_of[places]


def _combined(axes: Sequence[Placed], members: Sequence[str]) -> tuple[Columns, Places]:
    """Make one axis of several of a part: a label for each combination that occurs.

    Returns
    -------
    labels : dict of str to list
        Of all members; of those that the part lacks, NaN.
    places : array of int64
        Where each row lies.
    """
    if len(axes) == 1:
        (axis, places), size = axes[0], axes[0][0].size
        found = axis.labels
    else:
        places = np.zeros(1, dtype=np.int64)
        for axis, place in axes:
            _, places = np.unique(places * axis.size + place, return_inverse=True)
        _, first = np.unique(places, return_index=True)
        size = len(first)
        found = {
            name: [labels[i] for i in place[first].tolist()]
            for axis, place in axes
            for name, labels in axis.labels.items()
        }
    return {name: found.get(name, [NAN] * size) for name in members}, places
