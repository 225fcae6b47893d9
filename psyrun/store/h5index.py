"""Own the indexes of a table: making them, and what they tell of a condition."""

from __future__ import annotations

import tempfile
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.exceptions import StoreError
from psyrun.files import TEMPORARY
from psyrun.store.evaluate import as_time, checked_forms, comparable, compare, constant, holds
from psyrun.store.query import parse_query
from psyrun.store.search import blocks, rows_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    import tables
    from numpy.typing import NDArray

    from psyrun.store.forms import Form
    from psyrun.store.h5fields import Field
    from psyrun.store.h5table import TableReader
    from psyrun.store.query import Node

__all__ = ["FEWEST_ROWS", "check_index", "make_indexes", "rows_by_index"]

FEWEST_ROWS = 10_000
"""Tables of fewer rows get no index: reading them all takes no time."""

_PART = 1 << 20
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


def check_index(name: str, form: Form) -> None:
    """Make sure that a column can have an index.

    Raises
    ------
    StoreError
        If PyTables has none for such values.
    """
    dtype = form.array_dtype if form.dtype.kind not in "US" else form.dtype
    known = dtype.kind in "bUSmM" or dtype in (np.float32, np.float64)
    if form.shape or not (known or (dtype.kind in "iu" and dtype != np.uint64)):
        what = f"arrays of shape {form.shape}" if form.shape else f"values of {dtype}"
        raise StoreError(
            f"index={name!r}: PyTables has no index for {what}, only for single numbers (no "
            "complex numbers, no unsigned ones of 64 bits), texts, bytes and times"
        )


def make_indexes(
    path: Path, where: str, fields: Iterable[Field], filters: Mapping[str, Any]
) -> None:
    """Make completely sorted indexes of a table's fields.

    Texts and bytes of which some hold a NUL get none: PyTables sorts by what stands before.

    Parameters
    ----------
    path : Path
        The file.
    where : str
        The table in it.
    fields : iterable of Field
        The columns.
    filters : dict
        Arguments of `tables.Filters`.
    """
    import tables

    from psyrun.store.h5table import hdf5_errors, quietly

    with hdf5_errors(), quietly(), tables.open_file(str(path), "a") as file:
        table = file.get_node(where)
        if table.nrows < FEWEST_ROWS:
            return
        with (
            tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=path.parent) as folder,
            warnings.catch_warnings(),
        ):
            # of an index that is not completely sorted; `rows_by_index` uses none of these
            warnings.simplefilter("ignore", UserWarning)
            for field in fields:
                column = table.cols._f_col(field.field)  # noqa: SLF001 - PyTables' way
                if column.dtype.kind == "S" and _holds_nul(column):
                    continue  # what stands behind a NUL would not be sorted
                column.create_csindex(filters=tables.Filters(**filters), tmp_dir=folder)


def _holds_nul(column: tables.Column) -> bool:
    """Tell whether there is a NUL within texts or bytes, not only behind them."""
    step = max(1, _PART // column.dtype.itemsize)
    for start in range(0, len(column), step):
        block = np.ascontiguousarray(column[start : start + step])
        letters = block.view(np.uint8).reshape(len(block), -1)
        if np.any((letters[:, :-1] == 0) & (letters[:, 1:] != 0)):
            return True
    return False


def rows_by_index(reader: TableReader, expression: str) -> NDArray[np.int64]:
    """Find the rows for which a condition holds; see `TableReader.where`.

    Notes
    -----
    A comparison of an indexed column with a constant is a range of the sorted values, found
    by bisection; the index then tells which rows these are. PyTables itself (`Table.where`)
    uses an index only to leave out chunks of the table, of which there are none as soon as
    hits are spread over all of it.
    """
    query = parse_query(expression, reader.names)
    forms = checked_forms(query, reader.form)
    found, exact = _Indexes(reader).rows(query.root)
    if found is not None and exact:
        return np.flatnonzero(found).astype(np.int64, copy=False)
    pieces = blocks(reader.size, [reader.form(name) for name in reader.names])
    if found is None:
        return rows_in(reader, query, forms, pieces)
    parts: list[NDArray[Any]] = [np.empty(0, np.int64)]
    for start, stop in _runs(found, int(reader.table.chunkshape[0]), pieces):
        rows = np.flatnonzero(found[start:stop])
        columns = {
            name: comparable(reader.read(name, start, stop)[rows], form)
            for name, form in forms.items()
        }
        parts.append(rows[holds(query, columns, len(rows))] + start)
    return np.concatenate(parts).astype(np.int64, copy=False)


def _runs(
    found: NDArray[np.bool_], chunk: int, pieces: Iterator[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Cut blocks down to the runs of chunks in which some row may be a hit."""
    for start, stop in pieces:
        firsts = np.arange(start - start % chunk, stop, chunk)
        firsts[0] = start
        wanted = np.logical_or.reduceat(found[start:stop], firsts - start)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
        bounds = np.append(firsts, stop)
        yield from ((int(bounds[a]), int(bounds[b])) for a, b in edges.reshape(-1, 2))


class _Indexes:
    """Ask the indexes of a table."""

    def __init__(self, reader: TableReader) -> None:
        self.reader = reader

    def rows(self, node: Node) -> tuple[NDArray[np.bool_] | None, bool]:
        """Tell for which rows a condition may hold.

        Returns
        -------
        found : array of shape (rows,) or None
            Booleans: where there is False, it does not hold. None if the indexes tell nothing.
        exact : bool
            Whether it holds wherever there is True.
        """
        if node.kind == "compare":
            return self._compared(node), True
        if node.kind == "not":
            found, exact = self.rows(node.parts[0])
            return (~found, True) if found is not None and exact else (None, False)
        if node.kind not in {"and", "or"}:
            return None, False
        join = np.logical_and if node.kind == "and" else np.logical_or
        whole, exact = None, True
        for part in node.parts:  # one by one: each takes a byte a row
            found, is_exact = self.rows(part)
            if found is None and node.kind == "or":
                return None, False
            exact = exact and is_exact and found is not None
            if found is not None:
                whole = found if whole is None else join(whole, found, out=whole)
        return whole, exact

    def _compared(self, node: Node) -> NDArray[np.bool_] | None:
        """Tell for which rows a comparison of a column with a constant holds."""
        left, right = node.parts
        sign = node.what
        if left.kind == "constant":
            left, right, sign = right, left, _MIRRORED[sign]
        if (left.kind, right.kind) != ("column", "constant"):
            return None
        field = self.reader.fields[left.what]
        index = self._index(field)
        if index is None:
            return None
        values = _Sorted(field, index)
        limit = as_time(constant(right.what), right, values.none)
        if sign == "!=":
            return ~values.rows(*values.range("==", limit))
        return values.rows(*values.range(sign, limit))

    def _index(self, field: Field) -> Any:
        if field.field is None:
            return None
        column = self.reader.table.cols._f_col(field.field)  # noqa: SLF001 - PyTables' way
        index = column.index
        whole = index is not None and index.is_csi and not index.dirty
        return index if whole and index.nelements == self.reader.size else None


class _Sorted:
    """The values of a column in ascending order: NaT, others, NaN."""

    def __init__(self, field: Field, index: tables.index.Index) -> None:
        self.field, self.index = field, index
        self.size = int(index.nelements)
        self.none = comparable(np.empty(0, field.form.array_dtype), field.form)

    def range(self, sign: str, limit: NDArray[Any]) -> tuple[int, int]:
        """Find from where to where values compare to a limit as asked."""
        if limit != limit:  # noqa: PLR0124 - nothing compares to NaN, nor to NaT
            return 0, 0
        least = self._first(lambda value: ~np.isnat(value)) if self._has_times else 0
        if sign in {"<", "<="}:
            return least, self._first(lambda value: ~compare(sign, value, limit), least)
        before = "<" if sign in {"==", ">="} else "<="
        start = self._first(lambda value: ~compare(before, value, limit), least)
        if sign == "==":
            return start, self._first(lambda value: ~compare("<=", value, limit), start)
        return start, self._first(lambda value: value != value, start)  # noqa: PLR0124 - NaN

    @property
    def _has_times(self) -> bool:
        return self.none.dtype.kind in "mM"

    def _first(self, holds: Callable[[NDArray[Any]], Any], low: int = 0) -> int:
        """Find the first place, not before `low`, from which on something holds."""
        high = self.size
        while low < high:
            middle = (low + high) // 2
            value = self.field.from_field(self.index.read_sorted(middle, middle + 1))
            if holds(comparable(value, self.field.form)).item():
                high = middle
            else:
                low = middle + 1
        return low

    def rows(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Mark the rows whose values stand at some places."""
        few = 2 * (stop - start) <= self.size
        marked = np.full(self.size, not few)
        for first, last in [(start, stop)] if few else [(0, start), (stop, self.size)]:
            for part in range(first, last, _PART):
                places = self.index.read_indices(part, min(part + _PART, last))
                marked[places.astype(np.int64)] = few
        return marked
