"""Own what the formats made of arrays share; know none of them."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from psyrun.exceptions import StoreError
from psyrun.files import crc32, replacing
from psyrun.store.arraycolumns import ChainedColumn, ListColumn, MeasuredColumn, ReaderColumn
from psyrun.store.base import ArrayColumn, Labelled, Reader, Store
from psyrun.store.hastening import hastened

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from psyrun.store.forms import Form

__all__ = ["ArrayStore", "holding"]

_PLAIN = frozenset({float, bool})
_INT64 = 2**63
_NUMBERS = frozenset("?bBhHiIlLqQfdFD")
"""numpy's letters for the types of numbers that every array holds."""


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

    def save(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Write columns into a file; see `Store.save`."""
        self.save_with_crc(filename, data)

    def save_with_crc(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> int:
        """Do as `save`, and return the CRC-32 of the file."""
        columns = {name: self.column(name, values) for name, values in data.items()}
        _check_lengths(columns)
        labels = data if isinstance(data, Labelled) else Labelled({})
        size = sum(len(column) * column.form.row_bytes for column in columns.values())
        crcs: list[int] = []

        def check(path: Path) -> None:
            if not crcs:
                crcs.append(crc32(path))

        with replacing(Path(filename), meanwhile=check) as temporary:
            with hastened(temporary, 0 if self.virtual else size):
                known = self.write(temporary, columns, labels)
            if known is not None:
                crcs.append(known)
        return crcs[0]

    @abstractmethod
    def write(
        self, path: Path, columns: Mapping[str, ArrayColumn], labels: Labelled
    ) -> int | None:
        """Write columns whose forms were checked, all of one length, block by block.

        Parameters
        ----------
        path : Path
            The file; what is there is replaced.
        columns : dict
            The columns by name.
        labels : Labelled
            Attributes and units; its columns do not matter.

        Returns
        -------
        int or None
            The CRC-32 of the file, where writing it has told that.
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
            if column.form.unbounded and self.needs_width(column.form):
                column = MeasuredColumn(column)
            self.check_form(column.form)
            return column

    def needs_width(self, form: Form) -> bool:
        """Whether texts or bytes of a form have a width in a file, which has to be known."""
        return form.dtype.kind in "US"

    def _array_column(self, values: Any) -> ArrayColumn:
        from psyrun.store.forms import UnholdableError

        if hasattr(values, "array"):
            try:
                _ = values.form.array_dtype
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
        added = _check_lengths(new)
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


def _check_lengths(columns: Mapping[str, ArrayColumn]) -> int:
    """Make sure that columns make rows, and return how many."""
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise StoreError(f"columns of different lengths make no rows: {sizes}")
    return max(sizes.values(), default=0)


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
