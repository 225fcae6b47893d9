"""Own products and sums of parameter spaces; know nothing of what they are made of."""

# ruff: noqa: D102 - the base class documents what each space does

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, chain, groupby, repeat
from typing import TYPE_CHECKING, Any

from psyrun.columns import NAN
from psyrun.pspace.base import AmbiguousOperationError, ParameterSpace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psyrun.columns import Columns

__all__ = ["Product", "Sum"]


class Product(ParameterSpace):
    """Every assignment of one space with every assignment of another.

    Parameters
    ----------
    left : ParameterSpace
        Its rows vary slowest.
    right : ParameterSpace
        Its rows vary fastest.

    Raises
    ------
    AmbiguousOperationError
        If both have a parameter of the same name.

    Examples
    --------
    >>> from psyrun.pspace import Param
    >>> Product(Param(a=[1, 2]), Param(b=[3, 4])).build()
    {'a': [1, 1, 2, 2], 'b': [3, 4, 3, 4]}
    """

    def __init__(self, left: ParameterSpace, right: ParameterSpace) -> None:
        names = left.keys()
        shared = [name for name in right.keys() if name in set(names)]
        if shared:
            raise AmbiguousOperationError(
                f"both factors of a product have {', '.join(map(repr, shared))}: "
                "rename one, or give the values together in one Param"
            )
        self.left, self.right = left, right

    @property
    def size(self) -> int:
        return self.left.size * self.right.size

    def keys(self) -> list[str]:
        return [*self.left.keys(), *self.right.keys()]

    def block(self, start: int, stop: int) -> Columns:
        if start == stop:
            return {name: [] for name in self.keys()}
        fast = self.right.size
        first, head = divmod(start, fast)
        last, tail = divmod(stop - 1, fast)
        tail += 1
        left = self.left.block(first, last + 1)
        if first == last:
            repeated = {name: column * (stop - start) for name, column in left.items()}
            return repeated | self.right.block(head, tail)
        columns = {name: _spread(column, fast, head, tail) for name, column in left.items()}
        if last - first == 1:
            begin, end = self.right.block(head, fast), self.right.block(0, tail)
            return columns | {name: column + end[name] for name, column in begin.items()}
        for name, column in self.right.block(0, fast).items():
            columns[name] = column[head:] + column * (last - first - 1) + column[:tail]
        return columns

    def take(self, indices: Sequence[int]) -> Columns:
        fast = self.right.size
        left = self.left.take([index // fast for index in indices])
        return left | self.right.take([index % fast for index in indices])

    def is_alike(self, other: ParameterSpace) -> bool:
        return self is other or (
            isinstance(other, Product)
            and self.left.is_alike(other.left)
            and self.right.is_alike(other.right)
        )

    def __repr__(self) -> str:
        left, right = repr(self.left), repr(self.right)
        if isinstance(self.left, Sum):
            left = f"({left})"
        if isinstance(self.right, Sum | Product):
            right = f"({right})"
        return f"{left} * {right}"


class Sum(ParameterSpace):
    """The assignments of several spaces, one space after the other.

    Names that a space lacks are filled with NaN there.

    Parameters
    ----------
    *spaces : ParameterSpace
        Spaces to join; sums among them are taken apart.

    Attributes
    ----------
    parts : tuple of ParameterSpace
        The spaces, none of which is a `Sum`.

    Examples
    --------
    >>> from psyrun.pspace import Param
    >>> Sum(Param(a=[1, 2]), Param(a=3, b=4)).build()
    {'a': [1, 2, 3], 'b': [nan, nan, 4]}
    """

    parts: tuple[ParameterSpace, ...]

    def __init__(self, *spaces: ParameterSpace) -> None:
        self._names = tuple(dict.fromkeys(name for space in spaces for name in space.keys()))
        parts: list[ParameterSpace] = []
        for space in spaces:
            parts.extend(space.parts if isinstance(space, Sum) else (space,))
        self.parts = tuple(parts)
        self._bounds: list[int] = []

    @property
    def _offsets(self) -> list[int]:
        """First row of each part, and at the end the size; found when first needed."""
        if not self._bounds:
            self._bounds = list(accumulate((part.size for part in self.parts), initial=0))
        return self._bounds

    @property
    def size(self) -> int:
        return self._offsets[-1]

    def keys(self) -> list[str]:
        return list(self._names)

    def block(self, start: int, stop: int) -> Columns:
        columns: Columns = {name: [] for name in self._names}
        for part, first, last in self.overlaps(start, stop):
            _extend(columns, last - first, part.block(first, last))
        return columns

    def take(self, indices: Sequence[int]) -> Columns:
        columns: Columns = {name: [] for name in self._names}
        offsets = self._offsets
        for place, run in groupby(indices, lambda index: bisect_right(offsets, index) - 1):
            inside = [index - offsets[place] for index in run]
            _extend(columns, len(inside), self.parts[place].take(inside))
        return columns

    def overlaps(self, start: int, stop: int) -> Iterator[tuple[ParameterSpace, int, int]]:
        """Yield each part that has some of a block's rows, and which of its own these are."""
        offsets = self._offsets
        place = bisect_right(offsets, start) - 1
        while start < stop:
            end = min(stop, offsets[place + 1])
            if end > start:
                yield self.parts[place], start - offsets[place], end - offsets[place]
            start, place = end, place + 1

    def is_alike(self, other: ParameterSpace) -> bool:
        return self is other or (
            isinstance(other, Sum)
            and len(self.parts) == len(other.parts)
            and all(a.is_alike(b) for a, b in zip(self.parts, other.parts, strict=True))
        )

    def __repr__(self) -> str:
        shown = list(map(repr, self.parts[:4]))
        if len(self.parts) > 4:
            shown.append(f"<{len(self.parts) - 4:,} more>")
        return " + ".join(shown) or "Sum()"


def _spread(column: list[Any], times: int, head: int, tail: int) -> list[Any]:
    """Repeat each value, the first one `head` times less and the last one `tail` times."""
    middle = chain.from_iterable(map(repeat, column[1:-1], repeat(times)))
    return [column[0]] * (times - head) + list(middle) + [column[-1]] * tail


def _extend(columns: Columns, size: int, block: Columns) -> None:
    for name, column in columns.items():
        column.extend(block[name] if name in block else [NAN] * size)
