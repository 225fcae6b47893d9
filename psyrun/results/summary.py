"""Own what is told of a column in a line: its type, and its values in short; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.store.arraycolumns import row_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psyrun.store.base import ArrayColumn
    from psyrun.store.forms import Form

__all__ = ["Summary", "summarize", "type_text"]

MOST_DISTINCT = 10_000
"""Distinct values are counted up to here."""


@dataclass
class Summary:
    """A column in short.

    Attributes
    ----------
    name, type : str
        What it is called, and what its values are.
    count, missing : int
        How many values there are, and how many are NaN, None or the like; of arrays, elements.
    low, high : object
        The smallest and the largest; None where there is no order.
    mean : float, complex or None
        Of numbers.
    distinct : int or None
        How many different ones, of texts and objects; one more than `MOST_DISTINCT` are many.
    """

    name: str
    type: str
    count: int = 0
    missing: int = 0
    low: Any = None
    high: Any = None
    mean: Any = None
    distinct: int | None = None


def type_text(form: Form) -> str:
    """Name what the values of a column are.

    Examples
    --------
    >>> from psyrun.store.forms import form_of
    >>> [type_text(form_of(v)) for v in ([1, 2], ["a"], [[0.5, 1.5]])]
    ['int64', 'text', 'float64 (2,)']
    """
    dtype = form.dtype if form.dtype.kind in "US" else form.array_dtype
    name = {"U": "text", "S": "bytes", "O": "object", "V": "record"}.get(dtype.kind, str(dtype))
    return f"{name} {form.shape}" if form.shape else name


def summarize(name: str, column: ArrayColumn) -> Summary:
    """Summarize a column; no more than a block of it is in memory.

    Parameters
    ----------
    name : str
        Its name.
    column : ArrayColumn
        Its values.
    """
    form = column.form
    found = Summary(name, type_text(form))
    add = {"b": _Numbers, "i": _Numbers, "u": _Numbers, "f": _Numbers, "c": _Numbers}
    tally = add.get(form.array_dtype.kind, _Times if form.dtype.kind in "mM" else _Things)(form)
    for start, stop in row_blocks([column]):
        tally.add(column.array(start, stop).ravel(), found)
    tally.finish(found)
    return found


class _Numbers:
    """Counts numbers."""

    def __init__(self, form: Form) -> None:
        self._total: complex = 0.0
        self._ordered = form.array_dtype.kind != "c"

    def add(self, block: NDArray[Any], found: Summary) -> None:
        """Count a block."""
        values = block[~np.isnan(block)]
        found.missing += len(block) - len(values)
        found.count += len(values)
        if not len(values):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            self._total += values.sum(dtype=complex if not self._ordered else float).item()
        if self._ordered:
            _widen(found, values.min().item(), values.max().item())

    def finish(self, found: Summary) -> None:
        """Tell what only all blocks together say."""
        if found.count:
            found.mean = self._total / found.count


def _widen(found: Summary, low: Any, high: Any) -> None:
    found.low = low if found.low is None else min(found.low, low)
    found.high = high if found.high is None else max(found.high, high)


class _Times:
    """Counts points in time, or spans of it."""

    def __init__(self, form: Form) -> None:
        del form

    def add(self, block: NDArray[Any], found: Summary) -> None:
        """Count a block."""
        values = block[~np.isnat(block)]
        found.missing += len(block) - len(values)
        found.count += len(values)
        if len(values):
            _widen(found, values.min(), values.max())

    def finish(self, found: Summary) -> None:
        """Tell what only all blocks together say."""


class _Things:
    """Counts texts and objects, and how many different ones there are."""

    def __init__(self, form: Form) -> None:
        self._gap = form.filler if form.fills and form.dtype.kind in "US" else None
        self._seen: set[Any] | None = set() if form.dtype.kind != "V" else None

    def add(self, block: NDArray[Any], found: Summary) -> None:
        """Count a block."""
        values = [v for v in block.tolist() if not self._is_gap(v)]
        found.missing += len(block) - len(values)
        found.count += len(values)
        try:
            if self._seen is not None and len(self._seen) <= MOST_DISTINCT:
                self._seen.update(values)
        except TypeError:  # lists and the like
            self._seen = None

    def _is_gap(self, value: Any) -> bool:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return True
        return self._gap is not None and type(value) is type(self._gap) and value == self._gap

    def finish(self, found: Summary) -> None:
        """Tell what only all blocks together say."""
        if self._seen is not None:
            found.distinct = len(self._seen)
