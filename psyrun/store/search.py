"""Own how rows of an open result are searched: block by block, or where an index leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.store.arraycolumns import BLOCK_BYTES
from psyrun.store.evaluate import checked_forms, comparable, holds
from psyrun.store.query import parse_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from psyrun.store.base import Reader
    from psyrun.store.forms import Form
    from psyrun.store.query import Query

__all__ = ["blocks", "rows_in", "rows_where"]


def rows_where(reader: Reader, expression: str) -> NDArray[np.int64]:
    """Find the rows for which a condition holds; see `Reader.where`."""
    query = parse_query(expression, reader.names)
    forms = checked_forms(query, reader.form)
    return rows_in(reader, query, forms, blocks(reader.size, forms.values()))


def blocks(size: int, forms: Iterable[Form]) -> Iterator[tuple[int, int]]:
    """Cut rows into blocks that need little memory."""
    step = max(1, BLOCK_BYTES // max(1, sum(form.row_bytes for form in forms)))
    for start in range(0, size, step):
        yield start, min(start + step, size)


def rows_in(
    reader: Reader,
    query: Query,
    forms: Mapping[str, Form],
    pieces: Iterable[tuple[int, int]],
) -> NDArray[np.int64]:
    """Find the rows of some ranges for which a condition holds.

    Parameters
    ----------
    reader : Reader
        The open result.
    query : Query
        The condition.
    forms : dict
        The forms of its columns.
    pieces : iterable of (int, int)
        Ranges of rows, ascending.
    """
    found: list[NDArray[Any]] = [np.empty(0, np.int64)]
    for start, stop in pieces:
        columns = {
            name: comparable(reader.read(name, start, stop), form)
            for name, form in forms.items()
        }
        found.append(np.flatnonzero(holds(query, columns, stop - start)) + start)
    return np.concatenate(found).astype(np.int64, copy=False)
