"""Declare the commands that evaluate rows."""

from collections.abc import Sequence

import click

from psyrun.commandline.command import Command
from psyrun.commandline.exitcodes import ExitCode
from psyrun.commandline.tasknames import TASKDIR, TASKS
from psyrun.commands.messages import show_note
from psyrun.commands.options import Options
from psyrun.exceptions import Terminated

_INTERRUPTED = "interrupted; finished rows are kept, go on with the same command"


def _complete_schedulers(*given: object) -> list[str]:
    from psyrun.settingvalues import SCHEDULERS

    return [name for name in sorted(SCHEDULERS) if name.startswith(str(given[-1]))]


@click.command(
    "new-task",
    cls=Command,
    examples={
        "psy new-task fit": "write psy-tasks/task_fit.py, for this machine",
        "psy new-task fit --scheduler Slurm": "the same for a cluster",
    },
)
@TASKDIR
@click.argument("name")
@click.option(
    "--scheduler",
    default="ImmediateRun",
    show_default=True,
    metavar="CLASS",
    help="A scheduler of Psyrun, or package.module.Class.",
    shell_complete=_complete_schedulers,
)
@click.pass_obj
def new_task(obj: Options, name: str, scheduler: str) -> int:
    """Write a task file to start from; it runs as it is."""
    from psyrun.commands.upkeep import write_task_file

    return write_task_file(obj.taskdir, name, scheduler)


@click.command(
    cls=Command,
    examples={
        "psy test fit": "evaluate the first row",
        "psy test fit --row 7": "evaluate row 7; rows count from 0",
        "psy test fit --row 7 --pdb": "look around in the debugger where it raises",
    },
)
@click.option(
    "--row",
    type=click.IntRange(min=0),
    metavar="N",
    help="The row to evaluate, from 0; by default the first.",
)
@click.option("--pdb", is_flag=True, help="Go into the debugger where it raises.")
@click.option(
    "--as-run", is_flag=True, help="Evaluate it as the last run did: its space, its code."
)
@TASKDIR
@TASKS
@click.pass_obj
def test(
    obj: Options, tasks: Sequence[str], *, row: int | None, pdb: bool, as_run: bool
) -> int:
    """Evaluate one assignment of each task, here and now.

    Shows the assignment, the result and the time, and checks that the store can hold it.
    --row, --pdb and --as-run need one task.
    """
    from psyrun.commands.trial import Wish, test_tasks

    return test_tasks(obj, tasks, Wish(row, pdb, as_run))


@click.command(
    cls=Command,
    examples={
        "psy run": "bring all tasks up to date",
        "psy run fit": "bring one task up to date",
        "psy run -c fit": "the same, but keep rows by earlier code",
        "psy run --dry-run fit": "only tell what would be done, and why",
        "psy run --wait fit": "stay until the cluster's jobs have ended",
    },
)
@click.option(
    "-c",
    "--continue",
    "keep",
    is_flag=True,
    help="Keep the rows that are done, though the code has changed since.",
)
@click.option("--force", is_flag=True, help="Evaluate all rows again.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Tell what would be done and why, show job scripts, and change nothing.",
)
@click.option(
    "--wait", is_flag=True, help="Stay until jobs on a cluster have ended, and show progress."
)
@TASKDIR
@TASKS
@click.pass_obj
def run(
    obj: Options,
    tasks: Sequence[str],
    *,
    keep: bool,
    force: bool,
    dry_run: bool,
    wait: bool,
) -> int:
    """Bring tasks up to date: evaluate what is missing, and merge.

    Without TASK, all tasks.
    """
    from psyrun.commands.running import Wish, each_task, foretell, run_tasks

    if keep and force:
        raise click.UsageError("--continue keeps rows and --force does not: use one of them")
    if dry_run:
        return each_task(obj, tasks, lambda task: foretell(task, keep=keep, force=force))
    try:
        return run_tasks(obj, tasks, Wish(keep, force, wait))
    except KeyboardInterrupt:
        show_note(f"\n{_INTERRUPTED}")  # a terminal has written ^C
        return ExitCode.INTERRUPTED
    except Terminated:
        show_note(_INTERRUPTED)
        return ExitCode.TERMINATED


@click.command(
    cls=Command,
    examples={
        "psy kill fit": "end the jobs of one task; finished rows stay",
        "psy kill": "end the jobs of all tasks",
    },
)
@TASKDIR
@TASKS
@click.pass_obj
def kill(obj: Options, tasks: Sequence[str]) -> int:
    """End the jobs of tasks; rows that are finished stay."""
    from psyrun.commands.upkeep import kill_tasks

    return kill_tasks(obj, tasks)
