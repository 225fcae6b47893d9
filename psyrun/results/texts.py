"""Own how single values and counts are written; pure."""

from __future__ import annotations

import reprlib
import unicodedata
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.results.summary import MOST_DISTINCT
from psyrun.rows import RowState
from psyrun.units import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from psyrun.results.base import Results

__all__ = [
    "cell_text",
    "cut",
    "distinct_text",
    "number",
    "number_texts",
    "progress_text",
    "text_width",
]

_REPR = reprlib.Repr()
_REPR.maxother = _REPR.maxstring = 40


def text_width(text: str) -> int:
    """Tell how many places a text takes on a terminal.

    Examples
    --------
    >>> text_width("abc"), text_width("日本")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def cut(text: str, width: int) -> str:
    """Cut a text that is too wide, and mark that.

    Examples
    --------
    >>> cut("a long text", 8), cut("short", 8)
    ('a lon...', 'short')
    """
    if text_width(text) <= width:
        return text
    mark = "..."[: max(width, 0)]
    while text and text_width(text) + len(mark) > width:
        text = text[:-1]
    return text + mark


def cell_text(value: Any) -> str:
    """Write a value so that it fits into a cell."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, np.generic) and value.dtype.kind not in "mM":
        value = value.item()
    if isinstance(value, float | complex):
        return f"{value:.6g}"
    short = isinstance(value, str | int | None | np.generic)
    return printable(str(value) if short else _REPR.repr(value))


def number_texts(values: NDArray[Any]) -> list[str]:
    """Write numbers with as many decimals as the most precise of them needs.

    Examples
    --------
    >>> number_texts(np.array([1.0, 0.25, np.nan])), number_texts(np.array([1e-9, 1]))
    (['1.00', '0.25', 'nan'], ['1e-09', '1'])
    """
    plain = [f"{value:.6g}" for value in values.tolist()]
    if any("e" in text for text in plain):
        return plain
    decimals = max((len(text.partition(".")[2]) for text in plain), default=0)
    return [f"{value:.{max(decimals, 1)}f}" for value in values.tolist()]


def number(value: Any) -> str:
    """Write a number, or nothing where there is none."""
    return "" if value is None else cell_text(value)


def distinct_text(count: int) -> str:
    """Tell how many values are different."""
    return f"{MOST_DISTINCT:,}+ distinct" if count > MOST_DISTINCT else f"{count:,} distinct"


def progress_text(results: Results) -> str:
    """Tell how many rows are done, failed and missing.

    Examples
    --------
    >>> from psyrun.results.base import About, Results
    >>> progress_text(Results({"y": [1, 2]}, About("file")))
    '2 rows'
    """
    if results.space is None:
        return f"{results.size:,} row" + ("" if results.size == 1 else "s")
    total = len(results.about.states)
    done = results.count(RowState.DONE)
    text = f"{done:,} of {total:,} row{'' if total == 1 else 's'} done"
    for state in (RowState.FAILED, RowState.MISSING):
        if count := results.count(state):
            text += f", {count:,} {state.name.lower()}"
    return text
