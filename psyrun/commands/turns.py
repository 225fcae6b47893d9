"""Own the way commands go through tasks, one after the other; run no task file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from psyrun.commands.messages import describe, is_of_output, show_error, show_note
from psyrun.commands.options import Options
from psyrun.exceptions import PsyrunError, TaskError
from psyrun.taskfiles import CONF, find_task_files, suggestion, workdir_root
from psyrun.workdir import Workdir

_Item = TypeVar("_Item")
_MOST_NAMES = 3


def in_turn(options: Options, items: Iterable[_Item], action: Callable[[_Item], bool]) -> int:
    """Do something with one thing after the other; return the exit code.

    What goes wrong with one is reported, and the others have their turn.
    """
    ok = True
    for item in items:
        try:
            ok = action(item) and ok
        except (PsyrunError, OSError) as err:
            if options.debug or is_of_output(err):
                raise
            show_error(describe(err))
            ok = False
    return int(not ok)


def note_no_tasks(options: Options) -> None:
    """Say how to make a first task, or how files have to be called to be task files."""
    others = [path.name for path in options.taskdir.glob("*.py") if path.name != CONF]
    if others:
        show_note(
            f"there are no tasks in {options.taskdir}: task files are called task_<name>.py, "
            f"and there is {', '.join(sorted(others)[:_MOST_NAMES])}"
        )
        return
    show_note(f"there are no tasks in {options.taskdir}; make one with: psy new-task NAME")


def find_workdirs(taskdir: Path, names: Sequence[str]) -> Iterator[tuple[str, Workdir]]:
    """Find the work directories of some tasks, or of all; also of tasks whose file is gone.

    That of a task that was never run is given too, though it is not there.
    """
    files = find_task_files(taskdir) if Path(taskdir).is_dir() or not names else {}
    for name in dict.fromkeys(names or files):
        workdir = Workdir(workdir_root(taskdir, name, files.get(name)))
        if name not in files and not workdir.root.is_dir():
            raise TaskError(
                f"there is no task {name!r} in {taskdir}{suggestion(name, list(files))}"
            )
        yield name, workdir


def each_workdir(
    options: Options, names: Sequence[str], action: Callable[[str, Workdir], bool]
) -> int:
    """Do something with each of some tasks' work directories, or of all; see `in_turn`."""
    found = list(find_workdirs(options.taskdir, names))
    if not found:
        note_no_tasks(options)
    return in_turn(options, found, lambda pair: action(*pair))
