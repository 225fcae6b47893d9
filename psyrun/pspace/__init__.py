"""Own parameter spaces: lazy, ordered sequences of assignments and their algebra.

Pure: no files, no clock, no globals. NumPy is not imported unless values are NumPy's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psyrun.columns import Columns, from_rows
from psyrun.pspace.base import AmbiguousOperationError, ParameterSpace
from psyrun.pspace.matching import match
from psyrun.pspace.nodes import Product, Sum
from psyrun.pspace.param import Constant, Param
from psyrun.pspace.selection import Difference, Selection, missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AmbiguousOperationError",
    "Constant",
    "Difference",
    "Param",
    "ParameterSpace",
    "Product",
    "Selection",
    "Sum",
    "dict_concat",
    "match",
    "missing",
]


def dict_concat(args: Sequence[Mapping[str, Any]]) -> Columns:
    """Turn dicts into one dict of lists; NaN stands where a dict lacks a key.

    Parameters
    ----------
    args : sequence of mapping
        Rows.

    Returns
    -------
    dict of str to list
        A list for each key.

    Examples
    --------
    >>> dict_concat([{"a": 0, "b": 0}, {"a": 1}])
    {'a': [0, 1], 'b': [0, nan]}
    """
    return from_rows(args)
