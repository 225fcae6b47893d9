"""Own `psy clean`, `psy kill` and `psy new-task`; none of them runs a task file."""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from psyrun import machine
from psyrun.commands.messages import show_error, show_note, show_warning
from psyrun.commands.options import Options
from psyrun.commands.turns import find_workdirs, in_turn
from psyrun.exceptions import DamagedError, TaskError, WorkdirError
from psyrun.files import disk_errors
from psyrun.jobwords import jobs_text
from psyrun.locks import CheckHeld, is_local, read_holder
from psyrun.run import holding
from psyrun.runfile import RunFile, read_run_file
from psyrun.scheduler import Scheduler, scheduler_errors
from psyrun.settingvalues import SCHEDULERS
from psyrun.submitted import Seen, queue_for, scheduler_named
from psyrun.taskfiles import NAME_RULE, PREFIX, is_name, suggestion
from psyrun.units import size_text
from psyrun.workdir import Workdir

_END_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_MOST_IDS = 6
_MOST_OTHERS = 10
_FULL = (errno.ENOSPC, errno.EDQUOT)
_TEMPLATE = Path(__file__).parent.with_name("template_task.py")


def _there(taskdir: Path, names: Sequence[str]) -> Iterator[tuple[str, Workdir]]:
    """Find the work directories that are there."""
    return (found for found in find_workdirs(taskdir, names) if found[1].root.is_dir())


def clean_tasks(options: Options, names: Sequence[str], *, yes: bool) -> int:
    """Remove what tasks have made, or show what would be removed."""
    found = list(_there(options.taskdir, names))
    full = []

    def turn(pair: tuple[str, Workdir]) -> bool:
        if _clean(*pair, options.taskdir, yes=yes):
            full.append(pair)
        return True

    code = in_turn(options, found, turn)
    if full and not yes:
        show_note(" ".join(["nothing was removed; do it with: psy clean --yes", *names]))
    return code


def _clean(name: str, workdir: Workdir, taskdir: Path, *, yes: bool) -> bool:
    """Remove what a task has made, or show it; return whether there is anything."""
    file = _read_run_file(workdir, name)
    own = _own_files(workdir, file)
    files = [path for path in own if not path.is_dir() or path.is_symlink()]
    if not files:
        click.echo(f"{name}: nothing to remove in {workdir.root}")
        return False
    inside = [path for folder in own if not folder.is_symlink() for path in folder.rglob("*")]
    sizes = [path.lstat().st_size for path in {*files, *inside} if not path.is_dir()]
    if yes:
        _remove(name, workdir, taskdir)
    verb = "removed" if yes else "would remove"
    click.echo(f"{name}: {verb} {workdir.root} ({len(sizes):,} files, {size_text(sum(sizes))})")
    result = file.result
    if result and not Path(result.file).absolute().is_relative_to(workdir.root.absolute()):
        note = ", but holds no rows itself: it is virtual" if result.is_virtual else ""
        click.echo(f"{name}: {result.file} stays{note}")
    others = list(_others(workdir, own))
    for path in others[:_MOST_OTHERS]:
        click.echo(f"{name}: {path} stays: no run of the task is known to have made it")
    if len(others) > _MOST_OTHERS:
        click.echo(f"{name}: and {len(others) - _MOST_OTHERS:,} more")
    return True


def _own_files(workdir: Workdir, file: RunFile) -> list[Path]:
    """List what the runs of a task have made in its work directory; each folder is the last."""
    root = workdir.root
    if not (workdir.run_file.exists() or workdir.codes_folder.is_dir()):
        return []
    results = [Path(file.result.file)] if file.result else []
    if workdir.run_file.exists() and not file.runs:  # it is damaged: which one is not known
        results = [workdir.result(ext) for ext in (".pkl", ".npz", ".h5")]
    places = [Path(os.path.relpath(result, root)) for result in results]
    made = [root / place for place in places if ".." not in place.parts]
    return [*workdir.own(), *(path for path in made if path.is_file())]


def _others(workdir: Workdir, own: Sequence[Path]) -> Iterator[Path]:
    """Find what is in a work directory, and in its folders, and is not one's own."""
    known = {*own}
    for folder in (workdir.root, *(path for path in own if path.parent == workdir.root)):
        if folder.is_dir() and not folder.is_symlink():
            yield from (path for path in sorted(folder.iterdir()) if path not in known)


def _read_run_file(workdir: Workdir, name: str) -> RunFile:
    """Read what was run; a damaged file tells nothing, and is no reason not to clean."""
    try:
        return read_run_file(workdir, name)
    except DamagedError as err:
        show_warning(f"{name}: {err}")
        return RunFile(name)


def _remove(name: str, workdir: Workdir, taskdir: Path) -> None:
    with _held_if_possible(name, workdir) as check_held:
        file = _read_run_file(workdir, name)
        if jobs := queue_for(workdir, file.last, taskdir).look(name, file.last, workdir).live:
            size = "1 job is" if len(jobs) == 1 else f"{len(jobs):,} jobs are"
            raise TaskError(f"{name}: {size} queued or running; end them with: psy kill {name}")
        check_held()
        with disk_errors(workdir.root, "remove"):
            for path in _own_files(workdir, file):
                if path.is_symlink() or not path.is_dir():
                    if path not in (workdir.lock_file, workdir.holder_file):
                        path.unlink(missing_ok=True)
                elif path.parent == workdir.root:
                    with contextlib.suppress(OSError):  # it holds what others have put there
                        path.rmdir()
                else:
                    shutil.rmtree(path)
    with contextlib.suppress(OSError):  # a run that started meanwhile keeps its files
        workdir.root.rmdir()


@contextlib.contextmanager
def _held_if_possible(name: str, workdir: Workdir) -> Iterator[CheckHeld]:
    """Hold a task; on a full disk, where nobody can take it either, do without."""
    with contextlib.ExitStack() as stack:
        try:
            check_held = stack.enter_context(holding(workdir, name))
        except WorkdirError as err:
            full = isinstance(err.__cause__, OSError) and err.__cause__.errno in _FULL
            if not full or read_holder(workdir.lock_file, workdir.holder_file) is not None:
                raise
            yield lambda: None
            return
        yield check_held


def kill_tasks(options: Options, names: Sequence[str]) -> int:
    """End the jobs of tasks."""
    found = list(_there(options.taskdir, names))
    return in_turn(options, found, lambda pair: _kill(*pair, options.taskdir))


def _kill(name: str, workdir: Workdir, taskdir: Path) -> bool:
    """End the jobs of one task; return whether all that could be asked to end were."""
    holder = read_holder(workdir.lock_file, workdir.holder_file)
    local = holder is not None and is_local(holder)
    if holder is not None and local:
        _end_holder(name, workdir, holder)
    run = read_run_file(workdir, name).last
    queue = queue_for(workdir, run, taskdir)
    seen = queue.look(name, run, workdir)
    if seen.live and seen.run is not None:
        _end_jobs(name, seen, queue.scheduler(seen.run.scheduler))
        _wait_until(lambda: not queue_for(workdir, run, taskdir).look(name, run, workdir).live)
    elif holder is not None and not local:
        place = "in another container on" if holder["host"] == machine.host() else "on"
        show_error(f"{name} runs {place} {holder['host']}: run psy kill {name} there")
        return False
    elif holder is None:
        click.echo(f"{name}: nothing is running")
    return True


def _end_jobs(name: str, seen: Seen, scheduler: Scheduler) -> None:
    for jobid in reversed(seen.live_ids):  # the merge job first: it waits for the others
        with scheduler_errors(scheduler):
            scheduler.kill(jobid)
    ids = seen.live_ids
    shown = ", ".join(ids if len(ids) <= _MOST_IDS else [*ids[:_MOST_IDS], "..."])
    click.echo(f"{name}: ended {jobs_text(len(seen.live))} ({shown})")


def _end_holder(name: str, workdir: Workdir, holder: dict[str, Any]) -> None:
    """End the command that holds a task, and wait until it has let go."""
    try:
        asked = machine.terminate(holder["process"], holder["start"])
    except PermissionError as err:
        raise TaskError(
            f"{name} is run by another user (process {holder['process']}), who alone can end it"
        ) from err
    click.echo(f"{name}: {'ended' if asked else 'just over:'} process {holder['process']}")
    _wait_until(lambda: read_holder(workdir.lock_file, workdir.holder_file) != holder)


def _wait_until(condition: Callable[[], bool]) -> None:
    """Wait a while for something to end, so that the next command does not meet it."""
    deadline = time.monotonic() + _END_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def write_task_file(taskdir: Path, name: str, scheduler: str) -> int:
    """Write a task file that runs as it is."""
    name = name.removesuffix(".py").removeprefix(PREFIX)
    if not is_name(name):
        raise click.UsageError(f"{name!r} is no name for a task: {NAME_RULE}")
    module, _, cls = scheduler.rpartition(".")
    if not module and cls not in SCHEDULERS:
        close = suggestion(cls, sorted(SCHEDULERS))
        raise click.UsageError(
            f"there is no scheduler {cls}{close}; one of your own is package.module.Class"
        )
    scheduler_named(f"{module or 'psyrun.scheduler'}:{cls}", Path(taskdir))
    path = Path(taskdir) / f"{PREFIX}{name}.py"
    text = _TEMPLATE.read_text(encoding="utf-8").replace("NAME", name)
    if cls != "ImmediateRun":
        text = text.replace(
            "import ImmediateRun, Param",
            f"import Param\nfrom {module or 'psyrun.scheduler'} import {cls}",
        )
        text = text.replace("ImmediateRun()", f"{cls}()")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError as err:
            raise TaskError(f"{path} exists already; it is left as it is") from err
    click.echo(path)
    show_note(f"try it with: psy test {name}; run it with: psy run {name}")
    return 0
