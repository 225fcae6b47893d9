"""Own the options and arguments that name tasks, and what a shell is told about them."""

import warnings
from pathlib import Path
from typing import Any

import click

from psyrun.commands.options import Options
from psyrun.exceptions import PsyrunError

_TASKDIR = "psyrun.taskdir"


def _set_taskdir(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.meta[_TASKDIR] = value
        if isinstance(ctx.obj, Options):  # else a shell asks what may follow
            ctx.obj = ctx.obj._replace(taskdir=value)


TASKDIR = click.option(
    "--taskdir",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_set_taskdir,
    help="Folder with the task files; may also stand before the command.",
)


def complete_tasks(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Name the tasks that a word may become, without those that are named already."""
    from psyrun.taskfiles import find_task_files

    taskdir = ctx.meta.get(_TASKDIR) or ctx.find_root().params.get("taskdir") or "psy-tasks"
    named = ctx.params.get(param.name or "") or ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            names = [*find_task_files(Path(taskdir).expanduser())]
        except (PsyrunError, OSError):
            names = []
    return [name for name in names if name.startswith(incomplete) and name not in named]


def _complete_results(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Name tasks, or else files: a work directory or a result file."""
    from click.shell_completion import CompletionItem

    tasks = complete_tasks(ctx, param, incomplete)
    return tasks or [CompletionItem(incomplete, type="file")]


TASKS = click.argument("tasks", nargs=-1, metavar="[TASK]...", shell_complete=complete_tasks)
TASK = click.argument("task", shell_complete=complete_tasks)
RESULTS = click.argument("task", shell_complete=_complete_results)
