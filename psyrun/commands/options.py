"""Own the options that several commands have."""

from pathlib import Path
from typing import NamedTuple

import click


class Options(NamedTuple):
    """What was said before the command.

    Attributes
    ----------
    taskdir : Path
        The folder with the task files.
    debug : bool
        Whether errors show their traceback.
    command : tuple of str
        The whole command, to note it.
    began : float or None
        When it was called by a process that does other things too, by `time.monotonic`.
    """

    taskdir: Path
    debug: bool
    command: tuple[str, ...] = ()
    began: float | None = None


def _set_taskdir(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.obj = ctx.obj._replace(taskdir=value)


TASKDIR = click.option(
    "--taskdir",
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_set_taskdir,
    help="Folder with the task files; may also stand before the command.",
)
TASKS = click.argument("tasks", nargs=-1, metavar="[TASK]...")
JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, for a program to read."
)
