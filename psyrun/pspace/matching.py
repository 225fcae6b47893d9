"""Own how rows are matched between spaces; what makes values the same is in `keys`."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from psyrun.pspace.base import ParameterSpace, blocks
from psyrun.pspace.keys import column_keys

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from psyrun.columns import Columns

__all__ = ["equal", "match", "row_keys", "same_values"]


def row_keys(columns: Columns, names: Iterable[str] | None = None) -> list[Hashable]:
    """Make a key for each row, equal for two rows exactly if they are the same assignment.

    Parameters
    ----------
    columns : dict of str to list
        Rows as columns.
    names : iterable of str, optional
        The names that count, in an order that is the same for all rows to be compared; None
        is all, in their order.

    Returns
    -------
    list of hashable
        One key for each row.

    Examples
    --------
    >>> row_keys({"a": [1, 2], "b": [3, 4]}) == row_keys({"a": [1.0, 2.0], "b": [3, 4]})
    True
    """
    keys = [column_keys(columns[name]) for name in (columns if names is None else names)]
    return keys[0] if len(keys) == 1 else list(zip(*keys, strict=True))


def match(old: ParameterSpace, new: ParameterSpace) -> array[int]:
    """Find each row of an old space in a new one.

    Parameters
    ----------
    old, new : ParameterSpace
        Spaces to compare.

    Returns
    -------
    array of int
        For each row of `old` the index of the row of `new` that is the same assignment, or -1;
        the k-th occurrence of an assignment is matched with the k-th. If the spaces differ in
        names, nothing matches.

    Examples
    --------
    >>> from psyrun.pspace import Param
    >>> list(match(Param(a=[1, 1, 2]), Param(a=[2, 1])))
    [1, -1, 0]
    """
    names = sorted(old.keys())
    if names != sorted(new.keys()):
        return array("q", [-1]) * old.size
    if old.is_alike(new):
        return array("q", range(old.size))
    first, later = _places(new, names)
    found = array("q")
    for start, stop in blocks(old.size):
        keys = row_keys(old.columns(start, stop), names)
        if not later:
            found.extend([first.pop(key, -1) for key in keys])
            continue
        for key in keys:
            found.append(first.pop(key, -1))
            if key in later:
                following = later[key]
                if following:
                    first[key] = following.pop()
    return found


def equal(one: ParameterSpace, other: ParameterSpace) -> bool:
    """Whether two spaces have the same names and the same rows in the same order."""
    names = sorted(one.keys())
    if names != sorted(other.keys()) or one.size != other.size:
        return False
    if one.is_alike(other):
        return True
    for start, stop in blocks(one.size, first=64):
        left, right = one.columns(start, stop), other.columns(start, stop)
        if any(column_keys(left[name]) != column_keys(right[name]) for name in names):
            return False
    return True


def same_values(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two columns of equal length hold the same values."""
    return all(
        column_keys(list(one[start:stop])) == column_keys(list(other[start:stop]))
        for start, stop in blocks(len(one), first=64)
    )


def _places(
    space: ParameterSpace, names: list[str]
) -> tuple[dict[Hashable, int], dict[Hashable, list[int]]]:
    """Find the first place of each assignment, and all further ones, the last one first."""
    first: dict[Hashable, int] = {}
    later: dict[Hashable, list[int]] = {}
    for start, stop in blocks(space.size):
        for place, key in enumerate(row_keys(space.columns(start, stop), names), start):
            if first.setdefault(key, place) != place:
                later.setdefault(key, []).append(place)
    for places in later.values():
        places.reverse()
    return first, later
