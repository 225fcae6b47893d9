"""Own what all parameter spaces share: rows, slices, operators; know no concrete space."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, overload

from psyrun.exceptions import ParameterSpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psyrun.columns import Columns
    from psyrun.pspace.nodes import Product, Sum
    from psyrun.pspace.selection import Difference, Selection

__all__ = ["BLOCK", "AmbiguousOperationError", "ParameterSpace", "blocks", "length"]

BLOCK = 16_384
"""Rows that are decoded at once where a whole space is walked: bounds the memory."""


class AmbiguousOperationError(ParameterSpaceError):
    """The names of two parameter spaces do not fit the operation."""


class ParameterSpace(ABC):
    """A finite, ordered, lazy sequence of assignments.

    ======================  ============================================================
    ``a * b``               every assignment of `a` with every one of `b`, whose rows vary
                            fastest; the names must differ
    ``a + b``               the assignments of `a`, then those of `b`; names missing on one
                            side are filled with NaN
    ``a - b``               the assignments of `a` that match none of `b` on `b`'s names
    ``a[3]``, ``a[-1]``     one assignment
    ``a[10:20]``            a view of some assignments
    ``a.where(f)``          the assignments for which ``f`` is true
    ``for row in a``        one assignment after the other
    ``a == b``              the same names and the same assignments in the same order
    ======================  ============================================================

    Two values are the same if ``==`` says so, if both are NaN, if they are arrays of equal
    shape and values, or, for objects whose class defines no ``==``, if class and pickled bytes
    agree.

    Examples
    --------
    >>> from psyrun.pspace import Param
    >>> space = Param(a=[1, 2]) * Param(b=["x", "y"])
    >>> len(space), space[-1]
    (4, {'a': 2, 'b': 'y'})
    >>> (space - Param(a=1)).build()
    {'a': [2, 2], 'b': ['x', 'y']}
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of assignments, of any magnitude (where ``len`` stops at `sys.maxsize`)."""

    @abstractmethod
    def keys(self) -> list[str]:
        """Return the names of the parameters, in the order of the columns."""

    @abstractmethod
    def block(self, start: int, stop: int) -> Columns:
        """Decode a block of rows as `columns` does, but without checks.

        Parameters
        ----------
        start, stop : int
            First row, and the row after the last: 0 <= start <= stop <= size.

        Returns
        -------
        dict of str to list
            New lists, one for each name.
        """

    @abstractmethod
    def take(self, indices: Sequence[int]) -> Columns:
        """Decode rows from anywhere.

        Parameters
        ----------
        indices : sequence of int
            Indices of rows, in any order, each from 0 to before size.

        Returns
        -------
        dict of str to list
            New lists, one for each name.
        """

    def is_alike(self, other: ParameterSpace) -> bool:
        """Whether the structure alone shows that both spaces are equal; False means unknown."""
        return self is other

    def columns(self, start: int = 0, stop: int | None = None) -> Columns:
        """Decode a block of rows.

        Parameters
        ----------
        start, stop : int, optional
            First row, and the row after the last, as in a slice; None is the end.

        Returns
        -------
        dict of str to list
            New lists, one for each name, all of one length.

        Examples
        --------
        >>> from psyrun.pspace import Param
        >>> (Param(a=[1, 2]) * Param(b=range(10**12))).columns(10**12 - 1, 10**12 + 1)
        {'a': [1, 2], 'b': [999999999999, 0]}
        """
        first, last, _ = slice(start, stop).indices(self.size)
        return self.block(first, max(first, last))

    def build(self) -> Columns:
        """Decode all rows.

        Returns
        -------
        dict of str to list
            A list for each name.
        """
        return self.columns()

    def iterate(self) -> Iterator[dict[str, Any]]:
        """Yield one assignment after the other, each a dict of its own."""
        return iter(self)

    def where(self, fn: Callable[..., Any]) -> Selection:
        """Keep the assignments for which a function is true.

        Parameters
        ----------
        fn : callable
            Gets those parameters as keywords that its signature names (all, if it ends in
            ``**kwargs``), and is called once for each row, when rows are first needed.

        Returns
        -------
        Selection
            The rows for which `fn` was true, in their order.

        Raises
        ------
        ParameterSpaceError
            If `fn` needs an argument that the space lacks.

        Examples
        --------
        >>> from psyrun.pspace import Param
        >>> (Param(a=range(3)) * Param(b=range(3))).where(lambda a, b: a > b).build()
        {'a': [1, 2, 2], 'b': [0, 0, 1]}
        """
        from psyrun.pspace.selection import where

        return where(self, fn)

    def __len__(self) -> int:
        return self.size

    def __bool__(self) -> bool:
        return self.size > 0

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Selection: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | Selection:
        if isinstance(index, slice):
            return self._view(index)
        place, size = operator.index(index), self.size
        if not -size <= place < size:
            raise IndexError(f"row {place} of a parameter space of {size} rows")
        place %= size
        return {name: column[0] for name, column in self.block(place, place + 1).items()}

    def _view(self, rows: slice) -> Selection:
        from psyrun.pspace.selection import Selection

        return Selection(self, range(self.size)[rows])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = self.keys()
        for start, stop in blocks(self.size, first=1):
            for row in zip(*self.block(start, stop).values(), strict=True):
                yield dict(zip(names, row, strict=True))

    def __mul__(self, other: object) -> Product:
        from psyrun.pspace.nodes import Product

        return Product(self, other) if isinstance(other, ParameterSpace) else NotImplemented

    def __add__(self, other: object) -> Sum:
        from psyrun.pspace.nodes import Sum

        return Sum(self, other) if isinstance(other, ParameterSpace) else NotImplemented

    def __sub__(self, other: object) -> Difference:
        from psyrun.pspace.selection import Difference

        return Difference(self, other) if isinstance(other, ParameterSpace) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParameterSpace):
            return NotImplemented
        from psyrun.pspace.matching import equal

        return equal(self, other)

    __hash__ = None  # type: ignore[assignment]


def blocks(size: int, *, first: int = BLOCK, block: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Cut rows into blocks, of which the first ones may be smaller.

    Parameters
    ----------
    size : int
        Number of rows.
    first : int
        Rows of the first block; each further one doubles, up to `block`.
    block : int
        Most rows of a block.

    Yields
    ------
    (int, int)
        First row of a block, and the row after its last.

    Examples
    --------
    >>> list(blocks(10, first=2, block=4))
    [(0, 2), (2, 6), (6, 10)]
    """
    start, rows = 0, min(first, block)
    while start < size:
        stop = min(start + rows, size)
        yield start, stop
        start, rows = stop, min(2 * rows, block)


def length(values: Sequence[Any]) -> int:
    """Count the values of a sequence, also of a range beyond `sys.maxsize`.

    Examples
    --------
    >>> length(range(0, 10**30, 10)) == 10**29
    True
    >>> length(range(5, 0))
    0
    """
    if not isinstance(values, range):
        return len(values)
    return max(0, -((values.start - values.stop) // values.step))
