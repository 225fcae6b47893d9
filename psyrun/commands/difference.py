"""Own `psy diff`: the code as it was run against the code as it is; run no task file."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from psyrun.code import frozen_code
from psyrun.codediff import file_changes, unified
from psyrun.commands.messages import show_note
from psyrun.commands.options import Options
from psyrun.commands.turns import each_workdir
from psyrun.exceptions import TaskError
from psyrun.filedigests import read_digests
from psyrun.runfile import Run, read_run_file
from psyrun.units import printable
from psyrun.workdir import Workdir

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def show_differences(options: Options, names: Sequence[str], number: int | None) -> int:
    """Show for some tasks, or all, how the code differs from a run's; return the exit code.

    Parameters
    ----------
    options : Options
        What was said before the command.
    names : sequence of str
        The tasks.
    number : int or None
        The run. None is the last.
    """
    taskdir = options.taskdir.absolute()

    def show(name: str, workdir: Workdir) -> bool:
        run = _run(workdir, name, number)
        if run is None:
            show_note(f"{name}: never run, so there is nothing to compare with")
            return True
        return _show(name, run, workdir, taskdir)

    return each_workdir(options, names, show)


def _run(workdir: Workdir, name: str, number: int | None) -> Run | None:
    file = read_run_file(workdir, name)
    if number is None:
        return file.last
    for run in file.runs:
        if run.number == number:
            return run
    known = ", ".join(str(run.number) for run in file.runs) or "none"
    raise TaskError(f"{name}: run {number} is not kept; there are: {known}")


def _show(name: str, run: Run, workdir: Workdir, taskdir: Path) -> bool:
    image = frozen_code(workdir.code(run.code))
    changes = file_changes(image, taskdir)
    for change in changes:
        path = os.path.relpath(taskdir / change.path)
        for line in unified(change, f"{path}\trun {run.number}", f"{path}\tnow"):
            _show_line(line)
    data = image.changed_files(taskdir, read_digests(workdir.file_digests))
    for path in data:
        what = " is new" if path.endswith(" (new)") else " changed; what was in it is not kept"
        show_note(f"{name}: file {printable(path.removesuffix(' (new)'))}{what}")
    if not changes and not data:
        show_note(f"{name}: the code is as in run {run.number}")
    return True


def _show_line(line: str) -> None:
    """Print a line; on a terminal in colour, and so that it does nothing else to it."""
    if sys.stdout is None or not sys.stdout.isatty():
        click.echo(line.encode("utf-8", "surrogateescape"))  # a patch, byte by byte
        return
    text = line[:1] + printable(line[1:].replace("\t", "    "))
    colour = _COLOURS.get(line[:1])
    bold = line.startswith(("+++ ", "--- "))
    plain = os.environ.get("NO_COLOR")
    click.echo(text if plain else click.style(text, fg=None if bold else colour, bold=bold))
