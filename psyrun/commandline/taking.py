"""Declare the commands that give a user results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from psyrun.commandline.command import Command
from psyrun.commandline.looking import JSON
from psyrun.commandline.tasknames import RESULTS, TASKDIR, TASKS
from psyrun.commands.options import Options

WHERE = click.option(
    "--where", metavar="CONDITION", help="Take only rows such as '(a > 3) & (y < 0.1)'."
)


@click.command(
    cls=Command,
    examples={
        "psy show fit": "the first 10 rows, and each column in short",
        "psy show fit --sort loss --head 3": "the rows with the lowest loss",
        "psy show fit --where 'rate < 0.1'": "rows that meet a condition",
    },
)
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
@WHERE
@click.option("--columns", metavar="A,B,...", help="Show these columns only.")
@TASKDIR
@RESULTS
@click.pass_obj
def show(obj: Options, /, task: str, *, columns: str | None, **view: Any) -> int:
    """Show some rows of a result, and each column in short.

    Also while it runs, or if rows failed. TASK may also be a work directory, such
    as psy-work/fit, or a result file. No task file is run.
    """
    from psyrun.commands.showing import View, show_results

    names = [name.strip() for name in (columns or "").split(",") if name.strip()]
    return show_results(task, obj.taskdir, View(columns=names, **view))


@click.command(
    cls=Command,
    examples={
        "psy export fit fit.csv": "a table for a spreadsheet or R",
        "psy export fit fit.nc": "labelled arrays for xarray",
        "psy export fit a.csv --where 'y < 1'": "rows that meet a condition",
        "psy export --force fit fit.csv": "the same again, over the old file",
    },
)
@WHERE
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@TASKDIR
@RESULTS
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def export(obj: Options, task: str, file: Path, *, where: str | None, force: bool) -> int:
    """Write the results of a task for other programs.

    The extension of FILE chooses the format. .csv, .xlsx and .parquet are tables of the rows
    that are done, .json is a list of them; .nc and .zarr hold labelled arrays. TASK may also
    be a work directory, such as psy-work/fit, or a result file. No task file is run.
    """
    from psyrun.commands.showing import export_results

    return export_results(task, file, obj.taskdir, where=where, force=force)


@click.command(
    cls=Command,
    examples={
        "psy merge psy-work/fit fit.h5": "the rows that are done, as HDF5",
        "psy merge --virtual psy-work/fit a.h5": "without a copy of them",
    },
)
@click.option(
    "--virtual",
    is_flag=True,
    help="Let FILE (HDF5) refer to the rows where they are; nothing is copied.",
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def merge(obj: Options, folder: Path, file: Path, *, virtual: bool) -> int:
    """Merge the rows in DIR that are done into FILE.

    DIR is a task's work directory (or its out/), also a copy of it; it is only read. The
    extension of FILE chooses the format. FILE may be the task's own result only if all rows are
    done.
    """
    from psyrun.commands.merging import merge_folder

    return merge_folder(folder, file, obj.taskdir, virtual=virtual)


@click.command(
    cls=Command,
    examples={
        "psy verify": "read all files of all tasks, and check them",
        "psy verify --json fit": "of one task, for a program to read",
    },
)
@JSON
@TASKDIR
@TASKS
@click.pass_obj
def verify(obj: Options, tasks: Sequence[str], *, as_json: bool) -> int:
    """Check that every file of tasks is as it was written.

    Reads all of them, and tells what is damaged and what that costs. Without TASK, all tasks.
    Changes nothing, and runs no task file.
    """
    from psyrun.commands.verifying import verify_tasks

    return verify_tasks(obj, tasks, as_json=as_json)
