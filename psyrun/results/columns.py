"""Own the columns that results are made of: parts of each can be had as arrays."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from psyrun.store.arraycolumns import ListColumn, ReaderColumn, row_blocks
from psyrun.store.arrays import to_array, values_of
from psyrun.store.forms import OBJECT, UnholdableError
from psyrun.store.scattered import take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from psyrun.store.base import ArrayColumn, Column, Reader
    from psyrun.store.forms import Form

__all__ = ["FileColumn", "HeldColumn", "PickedColumn", "array_of", "label_array"]


class _Arrays(Protocol):
    @property
    def form(self) -> Form: ...
    def array(self, start: int, stop: int) -> NDArray[Any]: ...


class HeldColumn:
    """A column that some array holds: if nothing else does, one of objects.

    Parameters
    ----------
    column : Column
        The values. If it has a form and makes arrays itself (`ArrayColumn`), no more than what
        is asked for is made, except where no array holds its values: then all are in memory.
    """

    def __init__(self, column: Column) -> None:
        self.column = column

    def __len__(self) -> int:
        return len(self.column)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.column)

    @cached_property
    def _arrays(self) -> _Arrays:
        column: Any = self.column
        try:
            _ = column.form.array_dtype
        except (AttributeError, UnholdableError):
            return ListColumn(list(column), objects=True)
        return column  # type: ignore[no-any-return]

    @property
    def form(self) -> Form:
        """What the arrays are like."""
        return self._arrays.form

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        return self._arrays.array(start, stop)

    def take(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Make the array of rows from anywhere; such as lie near each other are one read."""
        arrays: Any = self._arrays
        if hasattr(arrays, "take"):
            return arrays.take(places)  # type: ignore[no-any-return]
        return cast("NDArray[Any]", take(arrays.array, places))


class FileColumn(ReaderColumn):
    """A column of an open result file.

    Parameters
    ----------
    reader : Reader
        The file.
    name : str
        Which column.
    within : callable, optional
        Makes a context in which values can be loaded.
    """

    def __init__(
        self,
        reader: Reader,
        name: str,
        within: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        super().__init__(reader, name)
        self.within = within

    @cached_property
    def form(self) -> Form:
        """What the arrays are like; see `ArrayColumn`."""
        with self.within():
            return super().form

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        with self.within():
            return super().array(start, stop)

    def __iter__(self) -> Iterator[Any]:
        with self.within():
            return super().__iter__()

    def take(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Make the array of rows from anywhere."""
        with self.within():
            return to_array(self.reader.take(self.name, places), self.form)


class PickedColumn:
    """Some rows of a column.

    Parameters
    ----------
    column : HeldColumn
        The column.
    positions : array of int64
        Which of its rows, in which order.
    """

    def __init__(self, column: HeldColumn, positions: NDArray[np.int64]) -> None:
        self.column = column
        self.positions = positions

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def form(self) -> Form:
        """What the arrays are like: as those of all rows."""
        return self.column.form

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        return self.column.take(self.positions[start:stop])

    def take(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """Make the array of rows from anywhere."""
        return self.column.take(self.positions[places])

    def __iter__(self) -> Iterator[Any]:
        return iter(values_of(self.array(0, len(self))))


def array_of(column: ArrayColumn) -> NDArray[Any]:
    """Make the array of a whole column, block by block."""
    form = column.form
    whole = np.empty((len(column), *form.shape), dtype=form.array_dtype)
    for start, stop in row_blocks([column]):
        whole[start:stop] = column.array(start, stop)
    return whole


def label_array(values: Sequence[Any]) -> NDArray[Any]:
    """Make the array of a parameter's values, as labels.

    Parameters
    ----------
    values : sequence
        The values. A NaN among texts stays one; lists of unequal lengths stay objects.

    Returns
    -------
    array of shape (values, ...)
        Of more than one dimension if all values are arrays of one shape.
    """
    column = ListColumn(values, objects=True)
    form = column.form
    if form.fills and (form.shape or form.dtype.kind in "US"):
        column.form = type(form)(OBJECT)
    return column.array(0, len(column)) if len(values) else np.empty(0)
