"""Own the table that pandas gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.exceptions import ResultsError
from psyrun.results.extras import need

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from psyrun.results.base import Results

__all__ = ["to_pandas"]


def to_pandas(results: Results, *, expand: bool = False) -> pd.DataFrame:
    """Make a table; see `Results.to_pandas`."""
    pandas = need("pandas", "to_pandas")
    cells: dict[str, NDArray[Any]] = {}
    for name in results:
        array = results[name]
        if array.ndim == 1:
            cells[name] = _as_objects(array) if array.dtype.kind == "V" else array
        elif expand:
            elements = dict(_elements(name, array))
            if taken := elements.keys() & {*results, *cells}:
                raise ResultsError(
                    f"{name!r} has an element for the column {min(taken)!r}, which is there "
                    "already; take the table without expand=True, or another format"
                )
            cells.update(elements)
        else:
            cells[name] = _as_objects(array)
    index = pandas.RangeIndex(results.size)
    if len(results.rows) and not np.array_equal(results.rows, index):
        index = pandas.Index(results.rows)
    series = {name: pandas.Series(array, index=index) for name, array in cells.items()}
    frame = pandas.DataFrame(series, index=index)
    if results.units:
        frame.attrs["units"] = dict(results.units)
    return frame


def _elements(name: str, array: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield a column for each element of the rows' arrays."""
    for index in np.ndindex(array.shape[1:]):
        yield f"{name}[{','.join(map(str, index))}]", array[:, *index]


def _as_objects(array: NDArray[Any]) -> NDArray[Any]:
    found = np.empty(len(array), dtype=object)
    for place, row in enumerate(array):
        found[place] = row
    return found
