"""Own the columns of which parts are made as arrays: of lists, of open files, of both."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from psyrun.columns import NAN
from psyrun.store.base import ArrayColumn, Reader, as_list

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from psyrun.store.forms import Form

__all__ = [
    "ChainedColumn",
    "ListColumn",
    "MeasuredColumn",
    "ReaderColumn",
    "is_gaps",
    "row_blocks",
]

BLOCK_BYTES = 4 << 20
"""About how much of the columns is in memory at once."""

BLOCK_ROWS = 1 << 16
"""And how many rows at most: where they are made of a space, all parameters are decoded."""


class ListColumn:
    """Values at hand, as a column whose parts can be made as arrays.

    Parameters
    ----------
    values : sequence or array
        The values.
    objects : bool
        Whether objects may be kept where nothing else holds the values.
    """

    def __init__(self, values: Sequence[Any] | NDArray[Any], *, objects: bool = False) -> None:
        from psyrun.store.forms import form_of

        self.values = values
        self.form = form_of(values, objects=objects)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        from psyrun.store.arrays import to_array

        return to_array(self.values[start:stop], self.form)


class ReaderColumn:
    """A column of an open result file.

    Parameters
    ----------
    reader : Reader
        The file.
    name : str
        Which column.
    """

    def __init__(self, reader: Reader, name: str) -> None:
        self.reader, self.name = reader, name

    def __len__(self) -> int:
        return self.reader.size

    def __iter__(self) -> Iterator[Any]:
        return iter(as_list(self.reader.read(self.name, 0, self.reader.size)))

    @property
    def form(self) -> Form:
        """What the arrays are like."""
        return self.reader.form(self.name)

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        from psyrun.store.arrays import to_array

        return to_array(self.reader.read(self.name, start, stop), self.form)


class MeasuredColumn:
    """A column whose texts or bytes are of unknown length until they are looked at.

    Parameters
    ----------
    column : ArrayColumn
        The column.
    """

    def __init__(self, column: ArrayColumn) -> None:
        from psyrun.store.forms import form_of, joined

        self.column = column
        blocks = row_blocks([column])
        found = joined(form_of(column.array(start, stop)) for start, stop in blocks)
        self.form = replace(found, shape=column.form.shape)

    def __len__(self) -> int:
        return len(self.column)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.column)

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        from psyrun.store.arrays import to_array

        return to_array(self.column.array(start, stop), self.form)


class ChainedColumn:
    """Columns one after the other.

    Parameters
    ----------
    parts : sequence of (int, ArrayColumn or None)
        The number of rows of each part, and its column; None where it lacks it, so that there
        are gaps.
    """

    def __init__(self, parts: Sequence[tuple[int, ArrayColumn | None]]) -> None:
        self.parts = [part for part in parts if part[0]]
        self._size = sum(size for size, _ in parts)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(
            [NAN] * size if column is None else column for size, column in self.parts
        )

    @cached_property
    def form(self) -> Form:
        """What the arrays are like."""
        from psyrun.store.forms import NOTHING, joined_of_files

        columns = [column for _, column in self.parts]
        forms = [NOTHING if column is None else column.form for column in columns]
        return joined_of_files(
            forms, lambda number: (column := columns[number]) is None or is_gaps(column)
        )

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        import numpy as np

        from psyrun.store.arrays import to_array

        blocks = [to_array([], self.form)]
        first = 0
        for size, column in self.parts:
            low, high = max(start - first, 0), min(stop - first, size)
            if low < high:
                values = [NAN] * (high - low) if column is None else column.array(low, high)
                blocks.append(to_array(values, self.form))
            first += size
        return np.concatenate(blocks[1:] or blocks)


def is_gaps(column: ArrayColumn) -> bool:
    """Whether a column of single numbers is nothing but NaN."""
    import numpy as np

    blocks = (column.array(start, stop) for start, stop in row_blocks([column]))
    return all(bool(np.isnan(block).all()) for block in blocks)


def row_blocks(
    columns: Collection[ArrayColumn], first: int = 0, last: int | None = None
) -> Iterator[tuple[int, int]]:
    """Cut rows into blocks, of which all columns together need little memory.

    Parameters
    ----------
    columns : collection of ArrayColumn
        The columns, all of one length.
    first, last : int, optional
        The first row, and the one behind the last; None is the end.

    Yields
    ------
    start, stop : int
        The rows of a block.
    """
    row_bytes = sum(column.form.row_bytes for column in columns)
    step = min(max(1, BLOCK_BYTES // max(row_bytes, 1)), BLOCK_ROWS)
    size = max(map(len, columns), default=0) if last is None else last
    for start in range(first, size, step):
        yield start, min(start + step, size)
