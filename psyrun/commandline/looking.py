"""Declare the commands that tell how tasks are."""

from collections.abc import Sequence

import click

from psyrun.commandline.command import Command
from psyrun.commandline.tasknames import TASK, TASKDIR, TASKS
from psyrun.commands.options import Options

JSON = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document, for a program to read."
)


@click.command("list", cls=Command, examples={"psy list": "one name a line"})
@TASKDIR
@click.pass_obj
def list_tasks(obj: Options) -> int:
    """List the names of all tasks."""
    from psyrun.commands.listing import list_names

    return list_names(obj)


@click.command(
    cls=Command,
    examples={
        "psy status": "all tasks, a line each",
        "psy status -v fit": "list what failed and what is missing",
        "psy status --why fit": "tell what changed since it ran",
        "psy status --timing fit": "tell where the time of the last run went",
        "psy status --exit-code": "for scripts: 1 unless all is up to date",
    },
)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    help="List failed and missing assignments, the first 20 of each.",
)
@click.option("--all", "every", is_flag=True, help="List all failed and missing assignments.")
@click.option("--why", is_flag=True, help="Tell what changed since the rows were evaluated.")
@click.option("--timing", is_flag=True, help="Tell how long the last run took, by phases.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless all tasks are up to date.")
@JSON
@TASKDIR
@TASKS
@click.pass_obj
def status(  # noqa: PLR0913 - one for each option
    obj: Options,
    tasks: Sequence[str],
    *,
    verbose: bool,
    every: bool,
    why: bool,
    timing: bool,
    exit_code: bool,
    as_json: bool,
) -> int:
    """Tell how far tasks are: running, stale, failed, up to date.

    With --json also what each run was made with.
    """
    from psyrun.commands.status import Details, print_statuses, show_statuses

    if as_json and (verbose or every or why or timing):
        raise click.UsageError(
            "--json tells all as it is; leave out --why, --timing, --verbose and --all"
        )
    if as_json:
        code = print_statuses(obj, tasks)
    else:
        details = Details(verbose or every, every, why, timing)
        code = show_statuses(obj, tasks, details)
    return code if exit_code else 0


@click.command(
    cls=Command,
    examples={
        "psy errors": "why rows failed, each cause once",
        "psy errors --all fit": "all causes of one task",
    },
)
@click.option("--all", "every", is_flag=True, help="Show all causes, not only the first 10.")
@JSON
@TASKDIR
@TASKS
@click.pass_obj
def errors(obj: Options, tasks: Sequence[str], *, every: bool, as_json: bool) -> int:
    """Tell why rows failed: each cause once, with an example.

    Of the last run of each task; without TASK, of all tasks. No task file is run.
    """
    from psyrun.commands.errors import show_errors

    return show_errors(obj, tasks, every=every, as_json=as_json)


@click.command(
    cls=Command,
    examples={
        "psy logs fit": "the log that was written to last",
        "psy logs fit 7": "that of the job in place 7",
        "psy logs -f fit merge": "follow the merge job",
    },
)
@click.option(
    "-f",
    "--follow",
    is_flag=True,
    help="Go on showing what is written, until all jobs have ended.",
)
@TASKDIR
@TASK
@click.argument("job", required=False)
@click.pass_obj
def logs(obj: Options, task: str, job: str | None, *, follow: bool) -> int:
    """Show the log of a job of the last run.

    JOB is its name or its place in the run, such as 7; the scheduler's id, such as 12_7;
    `merge`, or `worker` on this machine. Without JOB, the log that was written to last. No task
    file is run.
    """
    from psyrun.commands.logs import show_log

    return show_log(obj, task, job, follow=follow)


@click.command(
    cls=Command,
    examples={
        "psy diff fit": "what has changed since the last run",
        "psy diff --run 2 fit": "what has changed since run 2",
    },
)
@click.option(
    "--run", "number", type=int, metavar="N", help="Compare with run N, not the last."
)
@TASKDIR
@TASKS
@click.pass_obj
def diff(obj: Options, tasks: Sequence[str], *, number: int | None) -> int:
    """Show how the code differs from the code that was run.

    The task file, psy-conf.py and local modules, in the unified format. Without TASK, all
    tasks. No task file is run.
    """
    from psyrun.commands.difference import show_differences

    return show_differences(obj, tasks, number)
