"""Own `psy status`: it only reads, and never waits."""

import click

from psyrun import report
from psyrun.commands.messages import show_warning
from psyrun.locks import read_holder
from psyrun.run import prepare, workdir_of
from psyrun.tasks import TaskDef


def show_status(task: TaskDef, *, verbose: bool, every: bool = False) -> bool:
    """Show how far a task is; return whether it is up to date. `every` implies `verbose`."""
    workdir = workdir_of(task)
    plan = prepare(task, workdir, verify=False)
    holder = read_holder(workdir.lock_file, workdir.holder_file)
    running = holder is not None or plan.action is plan.action.REFUSE_RUNNING
    click.echo(report.status_line(plan, running=running, held_by=holder))
    for note in plan.present.lost:
        show_warning(f"{task.name}: {note}")
    if verbose or every:
        for line in report.status_details(plan, every=every):
            click.echo(line)
    return report.mark_of(plan, running=running) is report.Mark.UP_TO_DATE
