"""Own how results look as text and as HTML: the first rows, and each column in short."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from psyrun.exceptions import ResultsError
from psyrun.results.columns import PickedColumn
from psyrun.results.summary import Summary, type_text
from psyrun.results.texts import (
    cell_text,
    cut,
    distinct_text,
    number,
    number_texts,
    progress_text,
    text_width,
)
from psyrun.units import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from psyrun.results.base import Results

__all__ = [
    "TextColumn",
    "html_table",
    "row_columns",
    "sorted_rows",
    "summary_lines",
    "table_lines",
]

_HTML_ROWS = 10
_HTML_COLUMNS = 30
_CELL = 40
_GAP = "  "


@dataclass
class TextColumn:
    """A column of a table.

    Attributes
    ----------
    name : str
        What stands above it.
    cells : sequence of str
        Its cells.
    is_number : bool
        Whether cells stand at the right, and are never cut.
    """

    name: str
    cells: Sequence[str]
    is_number: bool = False

    def width(self, most: int) -> int:
        """Tell how wide it is, where cells that may be are cut."""
        body = max(map(text_width, self.cells), default=0)
        body = body if self.is_number else min(body, most)
        return max(body, min(text_width(self.name), most))

    def line(self, text: str, width: int) -> str:
        """Bring a text to a width."""
        text = cut(text, width)
        space = " " * (width - text_width(text))
        return space + text if self.is_number else text + space


def table_lines(
    columns: Sequence[TextColumn],
    width: int,
    keep: Collection[str] = (),
    parameters: Collection[str] = (),
) -> tuple[list[str], list[str]]:
    """Write columns below each other's names; where they are too wide, leave some out.

    Parameters
    ----------
    columns : sequence of TextColumn
        The columns.
    width : int
        How wide the table may be.
    keep : collection of str
        Columns that are left out last.
    parameters : collection of str
        Columns that are left out after others.

    Returns
    -------
    lines : list of str
        The table; ``...`` stands where columns are left out.
    left_out : list of str
        The names of these.

    Examples
    --------
    >>> wide = [TextColumn("x", ["1"], True), TextColumn("name", ["one"])]
    >>> table_lines(wide, 80)[0]
    ['x  name', '1  one']
    """
    most = next((m for m in (_CELL, 24, 16) if _total(columns, m) <= width), 16)
    shown = list(columns)
    if _total(columns, most) > width:
        shown = _fitting(columns, most, width, _by_worth(columns, keep, parameters))
    left_out = [column.name for column in columns if column not in shown]
    widths = [min(column.width(most), width) for column in shown]
    rows = [[c.name for c in shown], *zip(*(c.cells for c in shown), strict=True)]
    lines = []
    for row in rows:
        cells = [c.line(t, w) for c, t, w in zip(shown, row, widths, strict=True)]
        lines.append(_GAP.join(cells).rstrip())
    return lines, left_out


def _total(columns: Sequence[TextColumn], most: int) -> int:
    return sum(column.width(most) + len(_GAP) for column in columns) - len(_GAP)


def _by_worth(
    columns: Sequence[TextColumn], keep: Collection[str], parameters: Collection[str]
) -> list[int]:
    """Sort columns by which of them are to be shown if not all can be.

    First those to keep. Then the first parameter, the last column, and the other parameters;
    then from both ends inwards.
    """
    size = len(columns)
    ends = sorted(range(size), key=lambda i: (min(i, size - 1 - i), i))
    first = [i for i in range(size) if columns[i].name in parameters]
    order = dict.fromkeys([*first[:1], size - 1, *first, *ends] if first else ends)
    return sorted(order, key=lambda i: columns[i].name not in keep)


def _fitting(
    columns: Sequence[TextColumn], most: int, width: int, order: Sequence[int]
) -> list[TextColumn]:
    """Choose columns that fit, in the order of their worth."""
    size = len(columns)
    chosen: set[int] = set()
    left = width - len("...")
    for index in order:
        needed = columns[index].width(most) + len(_GAP)
        if needed <= left or not chosen:
            chosen.add(index)
            left -= needed
    gap = TextColumn("...", ["..."] * len(columns[0].cells))
    first = next((i for i in range(size) if i not in chosen), size)
    indices = sorted(chosen)
    return [
        *(columns[i] for i in indices if i < first),
        gap,
        *(columns[i] for i in indices if i > first),
    ]


def row_columns(
    results: Results, positions: NDArray[np.int64], names: Sequence[str]
) -> list[TextColumn]:
    """Make the text of some rows; the first column tells where they are in the space.

    Parameters
    ----------
    results : Results
        The results.
    positions : array of int64
        Which rows of its columns.
    names : sequence of str
        Which columns.
    """
    found = [TextColumn("row", [str(row) for row in results.rows[positions]], is_number=True)]
    for name in names:
        column = results.columns[name]
        form = column.form
        if form.shape:
            cells = [type_text(form)] * len(positions)
            found.append(TextColumn(name, cells))
            continue
        array = PickedColumn(column, positions).array(0, len(positions))
        is_number = array.dtype.kind in "biufc"
        cells = number_texts(array) if array.dtype.kind == "f" else list(map(cell_text, array))
        found.append(TextColumn(name, cells, is_number))
    return found


def sorted_rows(results: Results, name: str, *, reverse: bool = False) -> NDArray[np.int64]:
    """Sort rows by a column; rows without a value come last.

    Parameters
    ----------
    results : Results
        The results.
    name : str
        The column.
    reverse : bool
        Whether the largest come first.

    Returns
    -------
    array of int64
        Positions; equal rows stay in their order.

    Raises
    ------
    ResultsError
        If the column has no order.
    """
    array = results[name]
    if array.ndim > 1 or array.dtype.kind in "cVO":
        kind = type_text(results.columns[name].form)
        raise ResultsError(f"rows cannot be sorted by {name!r}, which has values of {kind}")
    _, rank = np.unique(array, return_inverse=True)
    there = array == array  # noqa: PLR0124 - neither NaN nor NaT
    rank = np.where(there, -rank if reverse else rank, len(rank) + 1)
    return np.argsort(rank, kind="stable")


def summary_lines(summaries: Sequence[Summary], width: int) -> list[str]:
    """Write columns in short: a table where that is narrow enough, else a paragraph each."""
    told = [_told(summary) for summary in summaries]
    heads = ("column", "type", "values", "missing", "min", "mean", "max")
    columns = [
        TextColumn(head, [row[i] for row in told], is_number=i > 1)
        for i, head in enumerate(heads)
    ]
    if _total(columns, _CELL) <= width:
        return table_lines(columns, width)[0]
    return [line for summary in summaries for line in _paragraph(summary, width)]


def _told(summary: Summary) -> list[str]:
    middle = number(summary.mean)
    if summary.distinct is not None:
        middle = distinct_text(summary.distinct)
    low, high = number(summary.low), number(summary.high)
    counts = [f"{summary.count:,}", f"{summary.missing:,}"]
    return [printable(summary.name), summary.type, *counts, low, middle, high]


def _paragraph(summary: Summary, width: int) -> Iterator[str]:
    parts = [summary.type, f"{summary.count:,} value" + ("" if summary.count == 1 else "s")]
    if summary.missing:
        parts.append(f"{summary.missing:,} missing")
    if summary.low is not None:
        parts.append(f"from {number(summary.low)} to {number(summary.high)}")
    if summary.mean is not None:
        parts.append(f"mean {number(summary.mean)}")
    if summary.distinct is not None:
        parts.append(distinct_text(summary.distinct))
    text = f"{printable(summary.name)}: {', '.join(parts)}"
    yield from textwrap.wrap(text, max(width, 20), subsequent_indent="    ")


def html_table(results: Results) -> str:
    """Make the HTML that a notebook shows: the first rows, and how many there are."""
    names = list(results)
    shown = names if len(names) <= _HTML_COLUMNS else names[:_HTML_COLUMNS]
    positions = np.arange(min(results.size, _HTML_ROWS))
    columns = row_columns(results, positions, shown)
    head = "".join(f"<th>{escape(column.name)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for row in zip(*(column.cells for column in columns), strict=True)
    )
    notes = [f"<b>{escape(results.name)}</b>: {escape(progress_text(results))}"]
    if results.size > _HTML_ROWS:
        notes.append(f"the first {_HTML_ROWS} are shown")
    if rest := names[len(shown) :]:
        notes.append(f"{len(rest):,} more columns: {escape(', '.join(rest))}")
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{'; '.join(notes)}</p>"
    )
