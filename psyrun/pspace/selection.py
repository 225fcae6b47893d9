"""Own the spaces that hold some rows of another: slices, differences, filters."""

# ruff: noqa: D102 - the base class documents what each space does

from __future__ import annotations

from array import array
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any

from psyrun.exceptions import ParameterSpaceError
from psyrun.pspace.base import AmbiguousOperationError, ParameterSpace, blocks, length
from psyrun.pspace.matching import row_keys
from psyrun.signature import call_each, check_call, takes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from psyrun.columns import Columns

__all__ = ["Difference", "Selection", "missing", "rows_of", "where"]


class Selection(ParameterSpace):
    """Some rows of another parameter space.

    Parameters
    ----------
    space : ParameterSpace
        Where the rows come from.
    indices : sequence of int, or callable
        Which rows, in which order; or a function without arguments that finds them, called
        once, when rows are first needed.

    Examples
    --------
    >>> from psyrun.pspace import Param
    >>> Selection(Param(a=range(10)), [7, 1]).build()
    {'a': [7, 1]}
    """

    def __init__(
        self, space: ParameterSpace, indices: Sequence[int] | Callable[[], Sequence[int]]
    ) -> None:
        self.space = space
        self._indices = indices

    @property
    def indices(self) -> Sequence[int]:
        """Indices into `space`: a `range`, or any sequence of ints."""
        if callable(self._indices):
            self._indices = self._indices()
        return self._indices

    @property
    def size(self) -> int:
        return length(self.indices)

    def keys(self) -> list[str]:
        return self.space.keys()

    def block(self, start: int, stop: int) -> Columns:
        chosen = self.indices[start:stop]
        if isinstance(chosen, range) and chosen.step == 1:
            return self.space.block(chosen.start, chosen.stop)
        return self.space.take(chosen)

    def take(self, indices: Sequence[int]) -> Columns:
        return self.space.take(list(map(self.indices.__getitem__, indices)))

    def is_alike(self, other: ParameterSpace) -> bool:
        return self is other or (
            isinstance(other, Selection)
            and isinstance(self._indices, range)
            and self._indices == other.indices
            and self.space.is_alike(other.space)
        )

    def _view(self, rows: slice) -> Selection:
        if isinstance(self.indices, range):  # views of views stay one step deep
            return Selection(self.space, self.indices[rows])
        return super()._view(rows)

    def __getstate__(self) -> dict[str, Any]:
        """Find the rows before pickling: functions are never pickled, nor foreign memory."""
        found = self.indices
        kept = found if isinstance(found, range | array | list | tuple) else array("q", found)
        return self.__dict__ | {"_indices": kept}

    def __repr__(self) -> str:
        if callable(self._indices):
            return f"<some rows of {self.space!r}>"
        return f"<{self.size:,} rows of {self.space!r}>"


class Difference(Selection):
    """The assignments of one space that match none of another on the other's names.

    Parameters
    ----------
    minuend : ParameterSpace
        Where the rows come from.
    subtrahend : ParameterSpace
        What to take away. Without rows it takes nothing away.

    Raises
    ------
    AmbiguousOperationError
        If the subtrahend has a name that the minuend lacks.

    Examples
    --------
    >>> from psyrun.pspace import Param
    >>> Difference(Param(a=[1, 2], b=[1, 2]), Param(a=[1, 2], b=[2, 2])).build()
    {'a': [1], 'b': [1]}
    """

    def __init__(self, minuend: ParameterSpace, subtrahend: ParameterSpace) -> None:
        names = subtrahend.keys()
        unknown = _without(names, minuend.keys())
        if unknown:
            raise AmbiguousOperationError(
                f"a - b: b has {', '.join(map(repr, unknown))}, which a lacks; rows are taken "
                "away by names of a only (psyrun.pspace.missing ignores other names)"
            )
        super().__init__(minuend, partial(_unmatched, minuend, subtrahend, names))
        self.minuend, self.subtrahend = minuend, subtrahend

    def __repr__(self) -> str:
        return f"<{self.minuend!r} without {self.subtrahend!r}>"


def missing(minuend: ParameterSpace, subtrahend: ParameterSpace) -> ParameterSpace:
    """Find the assignments that another space lacks.

    Parameters
    ----------
    minuend : ParameterSpace
        Assignments that are wanted.
    subtrahend : ParameterSpace
        Assignments that are there, perhaps with more names (of results, for example), which do
        not count.

    Returns
    -------
    ParameterSpace
        The rows of `minuend` whose values are not in `subtrahend`.

    Raises
    ------
    AmbiguousOperationError
        If the subtrahend has rows, but lacks a name of the minuend.

    Examples
    --------
    >>> from psyrun.pspace import Param
    >>> missing(Param(a=[1, 2, 3]), Param(a=[1, 3], result=[10, 30])).build()
    {'a': [2]}
    """
    names = minuend.keys()
    lacking = _without(names, subtrahend.keys())
    if not lacking:
        return Selection(minuend, partial(_unmatched, minuend, subtrahend, names))
    if not subtrahend.size:
        return minuend
    raise AmbiguousOperationError(
        f"missing(a, b): b lacks {', '.join(map(repr, lacking))}, so which assignments of a "
        "are missing cannot be said"
    )


def where(space: ParameterSpace, fn: Callable[..., Any]) -> Selection:
    """Keep the rows for which a function is true; see `ParameterSpace.where`."""
    names = takes(fn, space.keys())
    fault = check_call(fn, names)
    if space.keys() and not names:
        raise ParameterSpaceError(f"where: {fn!r} takes none of {space.keys()}")
    if fault:
        raise ParameterSpaceError(f"where: {fault}")
    return Selection(space, partial(_holding, space, fn, names))


def _unmatched(
    minuend: ParameterSpace, subtrahend: ParameterSpace, names: list[str]
) -> Sequence[int]:
    removed: set[Hashable] = set()
    for start, stop in blocks(subtrahend.size):
        removed.update(row_keys(subtrahend.columns(start, stop), names))
    size = minuend.size
    if not removed:
        return range(size)
    kept = array("q")
    for start, stop in blocks(size):
        keys = row_keys(minuend.columns(start, stop), names)
        kept.extend([i for i, key in enumerate(keys, start) if key not in removed])
    return kept


def _holding(space: ParameterSpace, fn: Callable[..., Any], names: list[str]) -> array[int]:
    kept = array("q")
    for start, stop in blocks(space.size):
        columns = space.columns(start, stop)
        truths = call_each(fn, {name: columns[name] for name in names})
        kept.extend(compress(range(start, stop), truths))
    return kept


def _without(names: list[str], others: list[str]) -> list[str]:
    known = set(others)
    return [name for name in names if name not in known]


def rows_of(ranges: Iterable[Sequence[int]], space: ParameterSpace) -> Selection:
    """Select the rows in some ranges of a space."""
    known = list(ranges)
    if len(known) == 1:
        return Selection(space, range(*known[0]))
    rows = array("q")
    for start, stop in known:
        rows.extend(range(start, stop))
    return Selection(space, rows)
