"""Own the `psy` command: its sections, and the place where errors become messages."""

import io
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from psyrun.commandline.command import Sections
from psyrun.commandline.evaluating import kill, new_task, run, test
from psyrun.commandline.exitcodes import ExitCode
from psyrun.commandline.looking import diff, errors, list_tasks, logs, status
from psyrun.commandline.taking import export, merge, show, verify
from psyrun.commandline.upkeep import clean, completion
from psyrun.commands.messages import describe, show_error, show_warning
from psyrun.commands.options import Options
from psyrun.exceptions import TaskWarning, Terminated
from psyrun.version import __version__


@click.group(
    cls=Sections,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="psy COMMAND --help tells more, with examples.",
)
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

    A task is a file psy-tasks/task_<name>.py that sets pspace, the parameter space, and defines
    execute, the function. psy new-task writes one to start from.
    """
    ctx.obj = Options(taskdir, debug, *(ctx.obj or ()))


psy.add_sections(
    {
        "Evaluate": (new_task, test, run, kill),
        "Watch": (list_tasks, status, errors, logs, diff),
        "Use results": (show, export, merge, verify),
        "Tidy up, set up": (clean, completion),
    }
)


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
        warnings.showwarning = _shown_once()
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
    click.echo("interrupted", err=True)
    return code


def _shown_once() -> Callable[..., None]:
    """Return what shows a warning, but one that is about no task once only."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any) -> None:
        own = issubclass(category, TaskWarning)
        text = str(message) if own else f"{category.__name__}: {message}"
        if category is TaskWarning and text in shown:
            return
        show_warning(text)
        shown.add(text)

    return show


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
