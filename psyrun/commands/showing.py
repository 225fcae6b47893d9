"""Own `psy show` and `psy export`: they read results, and change nothing."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np

from psyrun.commands.messages import show_note, show_warning
from psyrun.exceptions import ResultsError
from psyrun.results import Results, load_result
from psyrun.results.export import check_target, export
from psyrun.results.summary import summarize
from psyrun.results.table import row_columns, sorted_rows, summary_lines, table_lines
from psyrun.rows import RowState, text
from psyrun.units import printable
from psyrun.words import close_matches

if TYPE_CHECKING:
    from numpy.typing import NDArray


class View(NamedTuple):
    """What to show of results.

    Attributes
    ----------
    head : int
        How many rows.
    sort : str or None
        The column by which they are sorted; None leaves them in the order of the space.
    reverse : bool
        Whether the largest, or the last, come first.
    columns : sequence of str
        Which columns; none are all.
    where : str or None
        The condition that rows have to meet; see `Results.where`.
    """

    head: int = 10
    sort: str | None = None
    reverse: bool = False
    columns: Sequence[str] = ()
    where: str | None = None


def show_results(task: str, taskdir: Path, view: View) -> int:
    """Show the first rows of a task's results, and each column in short."""
    results = load_result(task, taskdir=taskdir)
    for note in results.notes:
        show_warning(note)
    wanted = [*view.columns, *([view.sort] if view.sort is not None else [])]
    _check_names(results, wanted)
    names = list(dict.fromkeys(view.columns)) or list(results)
    head = f"{results.name}: {results.progress()}"
    if view.where is not None:
        results = results.where(view.where)
        head += f"\n{text(results.size)} where {view.where}"
    order = _order(results, view)
    if not (names and results.size):
        click.echo(head)
        return 0
    width = shutil.get_terminal_size().columns
    lines: list[str] = []
    left_out: list[str] = []
    if view.head:
        columns = row_columns(results, order[: view.head], names)
        keep = {"row", *wanted[-1:]} if view.sort is not None else {"row"}
        lines, left_out = table_lines(columns, width, keep, results.parameters)
    click.echo("\n".join([head, "", *lines]).rstrip())
    if left_out:
        what = "1 column does" if len(left_out) == 1 else f"{len(left_out)} columns do"
        show_note(
            f"{what} not fit; choose some with: "
            f"psy show {task} --columns {','.join(left_out[:3])}"
        )
    summaries = [summarize(name, results.columns[name]) for name in names]
    click.echo("\n".join(["", *summary_lines(summaries, width)]))
    return 0


def _order(results: Results, view: View) -> "NDArray[np.int64]":
    if view.sort is not None:
        return sorted_rows(results, view.sort, reverse=view.reverse)
    return np.arange(results.size)[:: -1 if view.reverse else 1]


def _check_names(results: Results, names: Sequence[str]) -> None:
    known = list(results)
    for name in names:
        if name not in results:
            close = close_matches(name, known)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
            raise ResultsError(f"{results.name} has no column {printable(name)!r}; {hint}")


def export_results(
    task: str, file: Path, taskdir: Path, *, where: str | None, force: bool
) -> int:
    """Write the results of a task, or those that meet a condition, in another format."""
    check_target(file, force=force)
    results = load_result(task, taskdir=taskdir)
    for note in results.notes:
        show_warning(note)
    if where is not None:
        results = results.where(where)
    for note in export(results, file, force=force):
        show_note(note)
    click.echo(f"{text(results.size)} in {file}")
    missing = results.count(RowState.FAILED) + results.count(RowState.MISSING)
    if missing:
        show_note(f"{text(missing)} failed or missing")
    return 0
