"""Own results as one PyTables table: a row an assignment, compressed with Blosc.

The table stands in the store's group as `table`. Its fields are called as the columns are, as
far as PyTables takes these names. What a field does not tell by itself is in the table's
attribute `column_<k>`, for the k-th column (from 0), as JSON: its true `name`; its `dtype`,
which is 'text' where bytes are UTF-8, and a type of numpy where 64 bit integers are times; its
`units`. A column whose rows have a shape with a 0 in it has no field, but `dtype` and `shape`
there. Where no column has a field, there is one of 8 bit integers, which the attribute `filler`
names.
"""

from __future__ import annotations

import json
import keyword
import re
import warnings
import weakref
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.exceptions import StoreError
from psyrun.store.arraycolumns import BLOCK_BYTES, row_blocks
from psyrun.store.base import Reader
from psyrun.store.h5fields import Field, field_dtype, field_of
from psyrun.store.h5reader import TABLE
from psyrun.store.h5types import NODE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import tables
    from numpy.typing import NDArray

    from psyrun.store.base import ArrayColumn, Labelled
    from psyrun.store.forms import Form

__all__ = [
    "TABLE",
    "TableReader",
    "cause",
    "check_whole",
    "hdf5_errors",
    "quietly",
    "write_table",
]

_MANY = 500
"""More columns may be too many for HDF5, which has 64 KiB for their names and types."""

_PLAIN_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")


def write_table(
    path: Path,
    node: str,
    columns: Mapping[str, ArrayColumn],
    labels: Labelled,
    filters: Mapping[str, Any],
    within: Callable[[str], AbstractContextManager[None]],
) -> dict[str, Field]:
    """Write columns into a file as a table, block by block.

    Parameters
    ----------
    path : Path
        The file; what is there is replaced.
    node : str
        The group of the table.
    columns : dict
        The columns, all of one length, whose forms a table holds.
    labels : Labelled
        Attributes of the group, and units of columns.
    filters : dict
        Arguments of `tables.Filters`.
    within : callable
        Makes a context for what may go wrong with a column, given its name.

    Returns
    -------
    dict
        Where each column is.

    Raises
    ------
    StoreError
        If there are more columns than HDF5 has place for in a table.
    OSError
        If the disk takes no more.
    """
    import tables

    fields = _fields(columns, labels)
    settings = {"filters": tables.Filters(**filters), "chunk_cache_size": 0}
    with hdf5_errors(), quietly(), tables.open_file(str(path), "w", **settings) as file:
        table = _create(file, node, fields, max(map(len, columns.values()), default=0))
        file.root._v_attrs[NODE] = node  # noqa: SLF001 - PyTables' way
        for name, value in labels.attributes.items():
            file.get_node(node)._v_attrs[name] = value  # noqa: SLF001 - PyTables' way
        for place, field in enumerate(fields):
            if note := field.note:
                table.attrs[f"column_{place}"] = json.dumps(note)
        if all(field.field is None for field in fields):
            table.attrs["filler"] = table.colnames[0]
        for start, stop in row_blocks(columns.values()):
            rows = np.zeros(stop - start, table.dtype)
            for field in fields:
                if field.field is not None:
                    with within(field.name):
                        block = columns[field.name].array(start, stop)
                        rows[field.field] = field.to_field(block)
            table.append(rows)
    return {field.name: field for field in fields}


def _create(file: tables.File, node: str, fields: list[Field], rows: int) -> tables.Table:
    import tables

    try:
        return file.create_table(
            node, TABLE, _description(fields), expectedrows=max(rows, 1), createparents=True
        )
    except tables.HDF5ExtError as err:
        if len(fields) < _MANY:
            raise
        raise StoreError(
            f"HDF5 has no place for {len(fields)} columns in a table; "
            "H5Store(layout='columns') has"
        ) from err


@contextmanager
def hdf5_errors() -> Iterator[None]:
    """Let what PyTables raises when a disk fails be an `OSError`."""
    import tables

    try:
        yield
    except tables.HDF5ExtError as err:
        raise OSError(f"HDF5: {cause(err)}") from err


def cause(err: Exception) -> str:
    """Return the last line of an error's message: PyTables puts HDF5's trace before it."""
    return (str(err).strip() or type(err).__name__).splitlines()[-1]


def check_whole(path: Path, node: str, rows: int) -> None:
    """Make sure that a table and its indexes can be read back.

    PyTables closes a file without an error when the disk took less than all of it.

    Parameters
    ----------
    path : Path
        The file.
    node : str
        The group of the table.
    rows : int
        How many rows it should have.

    Raises
    ------
    OSError
        If something is not there.
    """
    import tables

    with hdf5_errors(), quietly(), tables.open_file(str(path), "r") as file:
        table = file.get_node(node, TABLE)
        if table.nrows != rows:
            raise OSError(f"{table.nrows} rows are there of {rows}")
        step = max(1, BLOCK_BYTES // table.rowsize)
        for start in range(0, rows, step):
            table.read(start, start + step)
        for index in (table.cols._f_col(name).index for name in table.colnames):  # noqa: SLF001
            for start in range(0, index.nelements if index else 0, step):
                stop = min(start + step, index.nelements)
                index.read_sorted(start, stop)
                index.read_indices(start, stop)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep to ourselves what PyTables warns of: names, wide rows and many columns."""
    import tables

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tables.NaturalNameWarning)
        warnings.simplefilter("ignore", tables.PerformanceWarning)
        yield


def _fields(columns: Mapping[str, ArrayColumn], labels: Labelled) -> list[Field]:
    """Choose the fields of columns."""
    fields = []
    for place, (name, column) in enumerate(columns.items()):
        plain = _PLAIN_NAME.fullmatch(name) and not keyword.iskeyword(name) and len(name) <= 64
        field = name if plain else f"c{place}"
        while not plain and field in columns:
            field += "_"
        there = field if all(column.form.shape) else None
        fields.append(Field(name, there, column.form, labels.units.get(name, "")))
    return fields


def _description(fields: list[Field]) -> dict[str, Any]:
    import tables

    description: dict[str, Any] = {}
    for place, column in enumerate(fields):
        if column.field is not None:
            dtype = np.dtype((field_dtype(column.form), column.form.shape))
            description[column.field] = tables.Col.from_dtype(dtype, pos=place)
    return description or {"no_columns": tables.Int8Col(pos=0)}


class TableReader(Reader):
    """An open table; see `Reader`.

    Attributes
    ----------
    attributes, units : dict of str to str
        What the file says of the whole, and of columns.
    """

    def __init__(self, path: Path, node: str) -> None:
        import tables

        self.path = path
        try:
            self._file = tables.open_file(str(path), "r")
        except (tables.HDF5ExtError, OSError) as err:
            raise StoreError(f"{path} is no whole HDF5 file ({cause(err)})") from err
        # PyTables holds on to open files itself, and warns of them when Python ends
        self._closing = weakref.finalize(self, self._file.close)
        try:
            with quietly():
                self.table = self._opened_table(node)
                group = self._file.get_node(node)._v_attrs  # noqa: SLF001 - PyTables' way
                self.fields = {field.name: field for field in _fields_of(self.table)}
        except BaseException as err:  # damage may raise anything here
            self._closing()
            if isinstance(err, StoreError) or not isinstance(err, Exception):
                raise
            raise StoreError(f"{path} is damaged ({cause(err)})") from err
        self.names = list(self.fields)
        self.size = int(self.table.nrows)
        kept = {name: group[name] for name in group._f_list("user")}  # noqa: SLF001
        self.attributes = {n: str(v) for n, v in kept.items() if isinstance(v, str)}
        self.units = {name: field.units for name, field in self.fields.items() if field.units}
        self._cached: tuple[tuple[int, int], NDArray[Any]] | None = None
        self._kept: tuple[NDArray[np.int64], NDArray[Any]] | None = None

    def _opened_table(self, node: str) -> tables.Table:
        import tables

        warnings.simplefilter("ignore", UserWarning)  # PyTables' way of telling of damage
        table = self._file.get_node(node, TABLE)
        if not isinstance(table, tables.Table):
            raise StoreError(f"{self.path} is damaged at its table or at an index")
        return table

    def form(self, name: str) -> Form:
        """Tell what a column is like; see `Reader.form`."""
        return self.fields[name].form

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read some rows of a column; see `Reader.read`.

        The last rows read are kept, if they are few: their other columns then cost nothing.
        """
        column = self.fields[name]
        start, stop, _ = slice(start, stop).indices(self.size)
        rows = max(stop - start, 0)
        if column.field is None or not rows:
            return np.empty((rows, *column.form.shape), column.form.array_dtype)
        if rows * self.table.rowsize > 2 * BLOCK_BYTES:
            return column.from_field(self._read(start, stop, column.field))
        if self._cached is None or self._cached[0] != (start, stop):
            self._cached = (start, stop), self._read(start, stop, None)
        return column.from_field(self._cached[1][column.field].copy())

    def _read(self, start: int, stop: int, field: str | None) -> NDArray[Any]:
        import tables

        try:
            return self.table.read(start, stop, field=field)  # type: ignore[no-any-return]
        except (tables.HDF5ExtError, OSError) as err:
            raise StoreError(
                f"{self.path} cannot be read in rows {start} to {stop} ({cause(err)})"
            ) from err

    def take(self, name: str, places: NDArray[np.int64]) -> NDArray[Any]:
        """Read rows of a column from anywhere; see `Reader.take`.

        As with `read`, the last rows are kept if they are few.
        """
        column = self.fields[name]
        if column.field is None or not len(places):
            return np.empty((len(places), *column.form.shape), column.form.array_dtype)
        if len(places) * self.table.rowsize > 2 * BLOCK_BYTES:
            return column.from_field(self._taken(places, column.field))
        if self._kept is None or not np.array_equal(self._kept[0], places):
            self._kept = places.copy(), self._taken(places, None)
        return column.from_field(self._kept[1][column.field].copy())

    def _taken(self, places: NDArray[np.int64], field: str | None) -> NDArray[Any]:
        import tables

        try:
            return self.table.read_coordinates(places, field=field)  # type: ignore[no-any-return]
        except (tables.HDF5ExtError, OSError) as err:
            raise StoreError(f"{self.path} cannot be read ({cause(err)})") from err

    def where(self, expression: str) -> NDArray[np.int64]:
        """Find the rows for which a condition holds; see `Reader.where`.

        What indexes tell is taken from them. Only those rows are read of which they leave open
        whether the condition holds.
        """
        import tables

        from psyrun.store.h5index import rows_by_index

        try:
            return rows_by_index(self, expression)
        except tables.HDF5ExtError as err:
            raise StoreError(f"an index of {self.path} cannot be read ({cause(err)})") from err

    def close(self) -> None:
        """Let go of the file."""
        self._cached = self._kept = None
        self._closing()


def _fields_of(table: tables.Table) -> Iterator[Field]:
    """Tell where columns are in a table, in their order."""
    notes = set(table.attrs._f_list("user"))  # noqa: SLF001 - PyTables' way
    filler = str(table.attrs["filler"]) if "filler" in notes else None
    left = [field for field in table.colnames if field != filler]
    place = 0
    while left or f"column_{place}" in notes:
        name = f"column_{place}"
        note = json.loads(str(table.attrs[name])) if name in notes else {}
        field = None if "shape" in note else left.pop(0)
        yield field_of(table, field, note)
        place += 1
