"""Own `psy clean`, `psy kill` and `psy new-task`; none of them runs a task file."""

import contextlib
import errno
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from psyrun import machine
from psyrun.commands.messages import show_error, show_note, show_warning
from psyrun.commands.options import Options
from psyrun.commands.turns import find_workdirs, in_turn
from psyrun.exceptions import DamagedError, TaskError, WorkdirError
from psyrun.files import disk_errors
from psyrun.locks import CheckHeld, is_local, read_holder
from psyrun.run import holding
from psyrun.runfile import RunFile, read_run_file
from psyrun.submitted import Queue, scheduler_named
from psyrun.taskfiles import PREFIX
from psyrun.units import size_text
from psyrun.workdir import Workdir

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TEMPLATE = Path(__file__).parent.with_name("template_task.py")


def _there(taskdir: Path, names: Sequence[str]) -> Iterator[tuple[str, Workdir]]:
    """Find the work directories that are there."""
    return (found for found in find_workdirs(taskdir, names) if found[1].root.is_dir())


def clean_tasks(options: Options, names: Sequence[str], *, yes: bool) -> int:
    """Remove the work directories of tasks, or show what would be removed."""
    found = list(_there(options.taskdir, names))
    code = in_turn(options, found, lambda pair: _clean(*pair, options.taskdir, yes=yes))
    if found and not yes:
        show_note(" ".join(["nothing was removed; do it with: psy clean --yes", *names]))
    return code


def _clean(name: str, workdir: Workdir, taskdir: Path, *, yes: bool) -> bool:
    sizes = []
    for path in workdir.root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a job may be at it
            if path.is_file():
                sizes.append(path.stat().st_size)
    verb = "removed" if yes else "would remove"
    result = _read_run_file(workdir, name).result
    if yes:
        _remove(name, workdir, taskdir)
    click.echo(f"{name}: {verb} {workdir.root} ({len(sizes):,} files, {size_text(sum(sizes))})")
    if result and not Path(result.file).is_relative_to(workdir.root):
        note = ", but holds no rows itself: it is virtual" if result.is_virtual else ""
        click.echo(f"{name}: {result.file} stays{note}")
    return True


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
        if jobs := Queue(taskdir).look(name, file.last).live:
            raise TaskError(
                f"{name}: {len(jobs)} jobs are queued or running; "
                f"end them with: psy kill {name}"
            )
        check_held()
        with disk_errors(workdir.root, "remove"):
            for path in workdir.root.iterdir():
                if path not in (workdir.lock_file, workdir.holder_file):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
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
    ok = holder is None or _end_holder(name, holder)
    queue = Queue(taskdir)
    seen = queue.look(name, read_run_file(workdir, name).last)
    if seen.live and seen.run is not None:
        scheduler = queue.scheduler(seen.run.scheduler)
        for jobid in reversed(seen.live_ids):  # the merge job first: it waits for the others
            scheduler.kill(jobid)
        size = len(seen.live)
        ids = ", ".join(seen.live_ids)
        click.echo(f"{name}: ended {size:,} job{'' if size == 1 else 's'} ({ids})")
    elif holder is None:
        click.echo(f"{name}: nothing is running")
    return ok


def _end_holder(name: str, holder: dict[str, Any]) -> bool:
    if not is_local(holder):
        place = "in another container on" if holder["host"] == machine.host() else "on"
        show_error(f"{name} runs {place} {holder['host']}: run psy kill {name} there")
        return False
    asked = machine.terminate(holder["process"], holder["start"])
    click.echo(f"{name}: {'ended' if asked else 'just over:'} process {holder['process']}")
    return True


def write_task_file(taskdir: Path, name: str, scheduler: str) -> int:
    """Write a task file that runs as it is."""
    if not name.isidentifier():
        raise click.UsageError(f"{name!r} is no name for a task; use letters, digits and _")
    module, _, cls = scheduler.rpartition(".")
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
