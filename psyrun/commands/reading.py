"""Own the commands that give a user results."""

from pathlib import Path
from typing import Any

import click

from psyrun.commands.options import TASKDIR, Options


@click.command()
@click.option("--sort", metavar="COLUMN", help="Sort the rows by a column.")
@click.option("--reverse", is_flag=True, help="Show the largest, or the last, first.")
@click.option(
    "--head",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="How many rows to show.",
)
@click.option("--where", metavar="CONDITION", help="Show rows such as '(a > 3) & (y < 0.1)'.")
@click.option("--columns", metavar="A,B,...", help="Show these columns only.")
@TASKDIR
@click.argument("task")
@click.pass_obj
def show(obj: Options, /, task: str, *, columns: str | None, **view: Any) -> int:
    """Show the results of a task: the first rows, and each column in short.

    Also while it runs, or if rows failed. TASK may also be a work directory or a result file.
    No task file is run.
    """
    from psyrun.commands.showing import View, show_results

    names = [name.strip() for name in (columns or "").split(",") if name.strip()]
    return show_results(task, obj.taskdir, View(columns=names, **view))


@click.command()
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@TASKDIR
@click.argument("task")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def export(obj: Options, task: str, file: Path, *, force: bool) -> int:
    """Write the results of a task for other programs.

    The extension of FILE chooses the format. .csv, .xlsx and .parquet are tables of the rows
    that are done, .json is a list of them; .nc and .zarr hold labelled arrays. TASK may also
    be a work directory or a result file. No task file is run.
    """
    from psyrun.commands.showing import export_results

    return export_results(task, file, obj.taskdir, force=force)
