"""Own `psy completion`: what a shell needs to complete what is typed."""

import os
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import get_completion_class


def print_script(command: click.Command, shell: str | None, shells: Sequence[str]) -> int:
    """Print the script that a shell is to run when it starts.

    Parameters
    ----------
    command : click.Command
        What is completed.
    shell : str or None
        The shell. None is the user's own, by the variable SHELL.
    shells : sequence of str
        The shells that there may be.
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    cls = get_completion_class(name)
    if name not in shells or cls is None:
        raise click.UsageError(
            f"your shell is not known; name one of {', '.join(shells)}: psy completion bash"
        )
    click.echo(cls(command, {}, "psy", "_PSY_COMPLETE").source())
    return 0
