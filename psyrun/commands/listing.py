"""Own `psy list`, which runs no task file."""

import click

from psyrun.commands.options import Options
from psyrun.taskfiles import find_task_files


def list_names(options: Options) -> int:
    """Print the name of each task."""
    for name in find_task_files(options.taskdir):
        click.echo(name)
    return 0
