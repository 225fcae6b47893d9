"""Own the way commands go through tasks, one after the other; run no task file."""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from psyrun.commands.messages import describe, show_error, show_note
from psyrun.commands.options import Options
from psyrun.exceptions import PsyrunError, TaskError
from psyrun.taskfiles import find_task_files, suggestion, workdir_root
from psyrun.workdir import Workdir

_Item = TypeVar("_Item")


def in_turn(options: Options, items: Iterable[_Item], action: Callable[[_Item], bool]) -> int:
    """Do something with one thing after the other; return the exit code.

    What goes wrong with one is reported, and the others have their turn.
    """
    ok = True
    for item in items:
        try:
            ok = action(item) and ok
        except (PsyrunError, OSError) as err:
            if options.debug or _is_of_output(err):
                raise
            show_error(describe(err))
            ok = False
    return int(not ok)


def _is_of_output(err: PsyrunError | OSError) -> bool:
    """Tell whether it is standard output that fails: then nothing more can be told."""
    if isinstance(err, PsyrunError) or not isinstance(err, OSError):
        return False
    full = err.errno in (errno.ENOSPC, errno.EIO, errno.EBADF) and err.filename is None
    return full or isinstance(err, BrokenPipeError)  # of which nobody reads on


def note_no_tasks(options: Options) -> None:
    """Say how to make a first task."""
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
