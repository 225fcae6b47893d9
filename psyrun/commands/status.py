"""Own `psy status`: it only reads, and never waits."""

from typing import NamedTuple

import click

from psyrun import report
from psyrun.commands.messages import show_warning
from psyrun.locks import read_holder
from psyrun.plan import Action
from psyrun.run import prepare, workdir_of
from psyrun.state import task_state
from psyrun.tasks import TaskDef
from psyrun.why import reasons


class Details(NamedTuple):
    """What to show of a task besides its line.

    Attributes
    ----------
    verbose : bool
        The first failed and missing rows.
    every : bool
        All of them.
    why : bool
        What changed since its rows were evaluated.
    """

    verbose: bool = False
    every: bool = False
    why: bool = False


def show_status(task: TaskDef, details: Details) -> bool:
    """Show how far a task is; return whether it is up to date."""
    workdir = workdir_of(task)
    plan = prepare(task, workdir, verify=False)
    holder = read_holder(workdir.lock_file, workdir.holder_file)
    running = holder is not None or plan.action is Action.REFUSE_RUNNING
    state = plan.present.state
    if running and plan.file.last:  # its jobs know nothing of what was edited since
        state = task_state(workdir, plan.file.last, plan.present.sources)
    click.echo(report.status_line(plan, state, running=running, held_by=holder))
    for note in plan.present.lost:
        show_warning(f"{task.name}: {note}")
    if details.why:
        for line in reasons(plan, workdir):
            click.echo(f"  {line}")
    if details.verbose:
        for line in report.status_details(plan, every=details.every):
            click.echo(line)
    return report.mark_of(plan, running=running) is report.Mark.UP_TO_DATE
