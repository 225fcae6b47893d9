"""Own `psy list`, which runs no task file."""

import click

from psyrun.commands.options import Options
from psyrun.taskfiles import find_task_files


def list_names(options: Options) -> int:
    """Print the name of each task."""
    names = find_task_files(options.taskdir)
    if not names:
        from psyrun.commands.turns import note_no_tasks

        note_no_tasks(options)
    for name in names:
        click.echo(name)
    return 0
