"""Own the cells of a grid: which row is in which, and arrays with a value in each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.exceptions import ResultsError
from psyrun.rows import RowState
from psyrun.store.arraycolumns import row_blocks
from psyrun.store.forms import OBJECT, UnholdableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psyrun.results.axes import Layout, Places
    from psyrun.store.base import ArrayColumn
    from psyrun.store.forms import Form

__all__ = ["STATUS", "Grid", "grid_of", "spread"]

STATUS = "done, failed, missing; empty where the parameter space has no row"

_WORDS = {RowState.DONE: "done", RowState.FAILED: "failed", RowState.MISSING: "missing"}
_MOST_EMPTY = 20
_SMALL_GRID = 1_000_000


@dataclass(frozen=True)
class Grid:
    """A grid of cells.

    Attributes
    ----------
    shape : tuple of int
        Its size along each axis.
    cells : array of int64, shape (rows,)
        The cell of each row, counted with the last axis running fastest; no two rows share one.
    """

    shape: tuple[int, ...]
    cells: Places

    @property
    def size(self) -> int:
        """The number of cells."""
        return math.prod(self.shape)

    def status(self, states: NDArray[Any]) -> NDArray[np.str_]:
        """Make the array that tells how the row in each cell is.

        Parameters
        ----------
        states : array of int, shape (rows,)
            A `RowState` for each row.
        """
        words = np.array([_WORDS[state] for state in sorted(_WORDS)])
        found = np.full(self.size, "", dtype=words.dtype)
        found[self.cells] = words[states]
        return found.reshape(self.shape)


def grid_of(layout: Layout, count: int) -> Grid:
    """Make the grid that axes span; with one more axis where several rows share a cell.

    Parameters
    ----------
    layout : Layout
        Axes, and where rows lie.
    count : int
        How many rows there are.

    Raises
    ------
    ResultsError
        If the grid is large, and nearly all of its cells are empty.
    """
    shape = tuple(axis.size for axis in layout.axes)
    _refuse_sparse(layout, shape, count)
    cells = np.zeros(count, dtype=np.int64)
    for size, places in zip(shape, layout.places, strict=True):
        cells = cells * size + places
    occurrence = _occurrences(cells)
    times = int(occurrence.max(initial=0)) + 1
    if times == 1:
        return Grid(shape, cells)
    _refuse_sparse(layout, (*shape, times), count)
    return Grid((*shape, times), cells * times + occurrence)


def _refuse_sparse(layout: Layout, shape: tuple[int, ...], count: int) -> None:
    size = math.prod(shape)
    if size <= max(_SMALL_GRID, _MOST_EMPTY * count):
        return
    names = ["_".join(axis.names) for axis in layout.axes] + ["occurrence"]
    sides = " x ".join(f"{n} ({s:,})" for n, s in zip(names, shape, strict=False))
    raise ResultsError(
        f"the parameter space is no grid: its {count:,} rows would lie in {size:,} cells, "
        f"{sides}; use to_xarray(stacked=True), which makes one dimension of rows"
    )


def _occurrences(cells: Places) -> Places:
    """Tell for each row how many rows before it are in the same cell."""
    order = np.argsort(cells, kind="stable")
    ordered = cells[order]
    new = np.ones(len(cells), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    counts = np.arange(len(cells), dtype=np.int64)
    found = np.empty_like(counts)
    found[order] = counts - np.maximum.accumulate(np.where(new, counts, 0))
    return found


def spread(column: ArrayColumn, cells: Places, grid: Grid) -> NDArray[Any]:
    """Make an array with the values of a column in their cells, and fillers in the others.

    Parameters
    ----------
    column : ArrayColumn
        A value for each row.
    cells : array of int64, shape (rows,)
        The cell of each.
    grid : Grid
        The grid.

    Returns
    -------
    array of shape (grid's shape, ...)
        Of the column's own element type, if that has room for the fillers that are needed.
    """
    form = column.form
    shape = (grid.size, *form.shape)
    if len(cells) == grid.size:
        found = np.empty(shape, dtype=form.array_dtype)
    else:
        found = _gaps(form, shape)
    for start, stop in row_blocks([column]):
        found[cells[start:stop]] = column.array(start, stop)
    return found.reshape(*grid.shape, *form.shape)


def _gaps(form: Form, shape: tuple[int, ...]) -> NDArray[Any]:
    """Make an array of fillers, with room for the values of a form."""
    try:
        dtype = replace(form, fills=True).array_dtype
    except UnholdableError:
        dtype = OBJECT
    filler = np.nan if dtype == OBJECT and form.dtype.kind not in "US" else form.filler
    return np.full(shape, filler, dtype=dtype)
