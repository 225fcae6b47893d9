"""Own the command line: commands, exit codes, and the place where errors become messages."""

import io
import os
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn

import click

from psyrun.commands.messages import describe, show_error, show_warning
from psyrun.commands.options import JSON, TASKDIR, TASKS, Options
from psyrun.commands.reading import export, show
from psyrun.exceptions import TaskWarning
from psyrun.version import __version__


class ExitCode(IntEnum):
    """What the exit code of `psy` says."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130
    TERMINATED = 143


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--taskdir",
    default="psy-tasks",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder with the task files.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="psy")
@click.pass_context
def psy(ctx: click.Context, taskdir: Path, *, debug: bool) -> None:
    """Evaluate a function over a parameter space, and never lose a row.

    A task is a file psy-tasks/task_<name>.py that sets pspace and execute.
    """
    ctx.obj = Options(taskdir, debug, *(ctx.obj or ()))


psy.add_command(show)
psy.add_command(export)


@psy.command()
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
    "--wait", is_flag=True, help="Stay until jobs elsewhere have ended, and show progress."
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
    return run_tasks(obj, tasks, Wish(keep, force, wait))


@psy.command()
@click.option(
    "--row",
    type=click.IntRange(min=0),
    help="The row to evaluate, from 0; by default the first.",
)
@click.option("--pdb", is_flag=True, help="Go into the debugger where it raises.")
@click.option(
    "--as-run", is_flag=True, help="Take the parameter space and the code of the last run."
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


@psy.command()
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


@psy.command()
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
    """Tell how far tasks are.

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
    return code if exit_code else ExitCode.OK


@psy.command()
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


@psy.command()
@JSON
@TASKDIR
@TASKS
@click.pass_obj
def verify(obj: Options, tasks: Sequence[str], *, as_json: bool) -> int:
    """Check that every file of tasks is as it was written.

    Reads all of them, and tells what is damaged and what that costs. Without TASK, all tasks.
    Changes nothing, and runs no task file.
    """
    from psyrun.commands.verifying import verify_tasks

    return verify_tasks(obj, tasks, as_json=as_json)


@psy.command()
@click.option(
    "--virtual",
    is_flag=True,
    help="Let FILE (HDF5) refer to the rows where they are; nothing is copied.",
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.pass_obj
def merge(obj: Options, folder: Path, file: Path, *, virtual: bool) -> int:
    """Merge the rows in DIR that are done into FILE.

    DIR is a task's work directory (or its out/), also a copy of it; it is only read. The
    extension of FILE chooses the format. FILE may be the task's own result only if all rows are
    done.
    """
    from psyrun.commands.merging import merge_folder

    return merge_folder(folder, file, obj.taskdir, virtual=virtual)


@psy.command("list")
@TASKDIR
@click.pass_obj
def list_tasks(obj: Options) -> int:
    """List the names of all tasks."""
    from psyrun.taskfiles import find_task_files

    for name in find_task_files(obj.taskdir):
        click.echo(name)
    return ExitCode.OK


@psy.command()
@click.option("--yes", is_flag=True, help="Do it; without this, it is only shown.")
@TASKDIR
@TASKS
@click.pass_obj
def clean(obj: Options, tasks: Sequence[str], *, yes: bool) -> int:
    """Remove the work directories of tasks: rows, logs and results."""
    from psyrun.commands.upkeep import clean_tasks

    return clean_tasks(obj, tasks, yes=yes)


@psy.command("new-task")
@TASKDIR
@click.argument("name")
@click.option(
    "--scheduler",
    default="ImmediateRun",
    show_default=True,
    help="A scheduler of Psyrun, or package.module.Class.",
)
@click.pass_obj
def new_task(obj: Options, name: str, scheduler: str) -> int:
    """Write a task file to start from; it runs as it is."""
    from psyrun.commands.upkeep import write_task_file

    return write_task_file(obj.taskdir, name, scheduler)


@psy.command()
@click.option(
    "-f",
    "--follow",
    is_flag=True,
    help="Go on showing what is written, until all jobs have ended.",
)
@TASKDIR
@click.argument("task")
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


@psy.command()
@TASKDIR
@TASKS
@click.pass_obj
def kill(obj: Options, tasks: Sequence[str]) -> int:
    """End the jobs of tasks, and no others."""
    from psyrun.commands.upkeep import kill_tasks

    return kill_tasks(obj, tasks)


class Terminated(BaseException):
    """SIGTERM came; raised wherever the program is, so that everything is put in order."""


def psy_main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after `psy`. None takes them from the command line.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    began = None if argv is None else time.monotonic()
    debug = "--debug" in arguments
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        warnings.simplefilter("always", TaskWarning)
        try:
            said = ("psy", *arguments), began
            return int(psy.main(arguments, "psy", standalone_mode=False, obj=said) or 0)
        except click.UsageError as err:
            err.show()
            return ExitCode.USAGE
        except click.ClickException as err:
            err.show()
            return ExitCode.FAILED
        except (KeyboardInterrupt, click.Abort):
            return _interrupted(ExitCode.INTERRUPTED)
        except Terminated:
            return _interrupted(ExitCode.TERMINATED)
        except Exception as err:  # the boundary: here errors become messages
            if debug:
                raise
            if not (isinstance(err, BrokenPipeError) and _nobody_reads()):
                show_error(describe(err))
            return ExitCode.FAILED


def _nobody_reads() -> bool:
    """Tell whether standard output is a pipe to a program, such as head, that has enough."""
    try:
        if sys.stdout is not None:  # it is where a shell has closed it
            sys.stdout.flush()
    except BrokenPipeError:
        return True
    return False


def _interrupted(code: ExitCode) -> ExitCode:
    click.echo("interrupted; finished rows are kept, go on with the same command", err=True)
    return code


def _show_warning(message: Warning | str, category: type[Warning], *_: Any) -> None:
    own = issubclass(category, TaskWarning)
    show_warning(str(message) if own else f"{category.__name__}: {message}")


def _terminate(*_: object) -> NoReturn:
    raise Terminated


def console() -> None:
    """Be the `psy` command."""
    signal.signal(signal.SIGTERM, _terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    code = psy_main()
    try:
        if sys.stdout is not None:  # it is where a shell has closed it
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(code)
