"""Own what the formats made of arrays share; know none of them."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from psyrun.columns import NAN
from psyrun.exceptions import StoreError
from psyrun.files import crc32, replacing
from psyrun.store.base import ArrayColumn, Labelled, Reader, Store, as_list

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from psyrun.store.forms import Form

__all__ = [
    "ArrayStore",
    "ChainedColumn",
    "ListColumn",
    "ReaderColumn",
    "holding",
    "is_gaps",
    "row_blocks",
]

BLOCK_BYTES = 4 << 20
"""About how much of the columns is in memory at once."""

_PLAIN = frozenset({float, bool})
_INT64 = 2**63
_NUMBERS = frozenset("?bBhHiIlLqQfdFD")
"""numpy's letters for the types of numbers that every array holds."""


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


class ArrayStore(Store):
    """A format that keeps each column as one array.

    Attributes
    ----------
    objects : bool
        Whether this store keeps objects where nothing else holds the values.
    """

    streams: ClassVar[bool] = True
    atomic: ClassVar[bool] = True
    slices: ClassVar[bool] = True
    objects: bool = False

    def save(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> int:
        """Write columns into a file; see `Store.save`."""
        columns = {name: self.column(name, values) for name, values in data.items()}
        sizes = {name: len(column) for name, column in columns.items()}
        if len(set(sizes.values())) > 1:
            raise StoreError(f"columns of different lengths make no rows: {sizes}")
        labels = data if isinstance(data, Labelled) else Labelled({})
        crcs: list[int] = []
        with replacing(
            Path(filename), meanwhile=lambda path: crcs.append(crc32(path))
        ) as temporary:
            self.write(temporary, columns, labels)
        return crcs[0]

    @abstractmethod
    def write(self, path: Path, columns: Mapping[str, ArrayColumn], labels: Labelled) -> None:
        """Write columns whose forms were checked, all of one length, block by block.

        Parameters
        ----------
        path : Path
            The file; what is there is replaced.
        columns : dict
            The columns by name.
        labels : Labelled
            Attributes and units; its columns do not matter.
        """

    def check_form(self, form: Form) -> None:
        """Make sure that the format holds arrays of a form.

        Raises
        ------
        UnholdableError
            If it does not.
        """
        _ = form.array_dtype

    def column(self, name: str, values: Any) -> ArrayColumn:
        """Make a column that this format holds of values, or raise a `StoreError`."""
        with holding(self, name):
            column = self._array_column(values)
            self.check_form(column.form)
            return column

    def _array_column(self, values: Any) -> ArrayColumn:
        from psyrun.store.forms import UnholdableError

        if hasattr(values, "array"):
            try:
                _ = values.form
            except UnholdableError:
                if not self.objects:
                    raise
            else:
                return values  # type: ignore[no-any-return]
        if not hasattr(values, "__getitem__"):
            values = list(values)
        return ListColumn(values, objects=self.objects)

    def check(self, row: Mapping[str, Any]) -> None:
        """Make sure that this format holds the values of a row; see `Store.check`."""
        for name, value in row.items():
            kind = type(value)
            if kind in _PLAIN or (kind is int and -_INT64 <= value < _INT64):
                continue
            if kind is str and value.isascii() and value[-1:] != "\0":
                continue
            if kind.__module__ == "numpy" and value.dtype.char in _NUMBERS:
                continue
            self._check_value(name, value)

    def _check_value(self, name: str, value: Any) -> None:
        from psyrun.store.forms import form_of

        with holding(self, name):
            self.check_form(form_of([value], objects=self.objects))

    def load(self, filename: str | os.PathLike[str], row: int | None = None) -> dict[str, Any]:
        """Read columns, as arrays; see `Store.load`."""
        with self.open(filename) as reader:
            start, stop = 0, reader.size
            if row is not None:
                if not -stop <= row < stop:
                    raise IndexError(f"row {row} of a result of {stop} rows")
                start = row % stop
                stop = start + 1
            return {name: reader.read(name, start, stop) for name in reader.names}

    def append(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Add rows to a file; see `Store.append`.

        The file is written anew beside its place, block by block, and takes it when it is
        whole: what stood there is never half changed.
        """
        path = Path(filename)
        if not path.exists():
            self.save(path, data)
            return
        new = {name: self.column(name, values) for name, values in data.items()}
        added = max(map(len, new.values()), default=0)
        with self.open(path) as old:
            names = dict.fromkeys([*old.names, *new])
            there = {name: ReaderColumn(old, name) for name in old.names}
            parts = ((old.size, there), (added, new))
            columns = {
                name: ChainedColumn([(size, found.get(name)) for size, found in parts])
                for name in names
            }
            self.save(path, Labelled(columns, *self.labels(old)))

    def labels(self, reader: Reader) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Read attributes and units from an open file."""
        del reader
        return {}, {}

    def holds_result(self, filename: str | os.PathLike[str]) -> bool:
        """Tell whether a file looks like a result of this format; reads no values."""
        try:
            with self.open(filename):
                return True
        except (StoreError, OSError):
            return False


class holding:  # noqa: N801 - reads as a word of its own: `with holding(...)`
    """Turn what makes values unholdable into an error that names column and store.

    Parameters
    ----------
    store : Store
        Which store.
    name : str
        Which column.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (StoreError, OSError)):
            return
        from psyrun.store.forms import UnholdableError

        if isinstance(error, (UnholdableError, TypeError, ValueError)):
            raise StoreError(
                f"{type(self.store).__name__} cannot hold {self.name!r}: {error}; "
                "PickleStore can"
            ) from error


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
    step = max(1, BLOCK_BYTES // max(row_bytes, 1))
    size = max(map(len, columns), default=0) if last is None else last
    for start in range(first, size, step):
        yield start, min(start + step, size)
