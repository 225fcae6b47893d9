"""Own the answer to which rows of results a condition holds for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psyrun.results.columns import FileColumn
from psyrun.store.base import Reader
from psyrun.store.search import rows_where

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from psyrun.results.base import Results
    from psyrun.store.forms import Form

__all__ = ["positions_where"]


class _Columns(Reader):
    """The columns of results, as those of an open file."""

    def __init__(self, results: Results) -> None:
        self.columns = results.columns
        self.names, self.size = list(results), results.size

    def form(self, name: str) -> Form:
        return self.columns[name].form

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        return self.columns[name].array(start, stop)


def positions_where(results: Results, expression: str) -> NDArray[np.int64]:
    """Find the rows for which a condition holds; see `Results.where`.

    Returns
    -------
    array of shape (hits,)
        Their positions among the rows of the results, ascending.
    """
    held = [column.column for column in results.columns.values()]
    if held and all(isinstance(column, FileColumn) for column in held):
        reader = held[0].reader  # type: ignore[attr-defined]
        if list(results) == list(reader.names):  # the whole file, which may have indexes
            with held[0].within():  # type: ignore[attr-defined]
                return reader.where(expression)  # type: ignore[no-any-return]
    return rows_where(_Columns(results), expression)
