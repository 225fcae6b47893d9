"""Own `psy clean`, `psy kill` and `psy new-task`; none of them runs a task file."""

import contextlib
import importlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from psyrun import machine
from psyrun.commands.messages import show_error, show_note, show_warning
from psyrun.commands.turns import find_workdirs
from psyrun.exceptions import SchedulerError, TaskError, WorkdirError
from psyrun.files import disk_errors
from psyrun.loading import working_in
from psyrun.locks import is_local, read_holder
from psyrun.run import holding
from psyrun.runfile import Run, RunFile, read_run_file
from psyrun.scheduler import Scheduler, still_known
from psyrun.taskfiles import PREFIX
from psyrun.units import size_text
from psyrun.workdir import Workdir

_TEMPLATE = Path(__file__).parent.with_name("template_task.py")


def _there(taskdir: Path, names: Sequence[str]) -> Iterator[tuple[str, Workdir]]:
    """Find the work directories that are there."""
    return (found for found in find_workdirs(taskdir, names) if found[1].root.is_dir())


def clean_tasks(taskdir: Path, names: Sequence[str], *, yes: bool) -> int:
    """Remove the work directories of tasks, or show what would be removed."""
    found = list(_there(taskdir, names))
    for name, workdir in found:
        files = [path for path in workdir.root.rglob("*") if path.is_file()]
        size = size_text(sum(path.stat().st_size for path in files))
        verb = "removed" if yes else "would remove"
        result = _read_run_file(workdir, name).result
        if yes:
            _remove(name, workdir, taskdir)
        click.echo(f"{name}: {verb} {workdir.root} ({len(files):,} files, {size})")
        if result and not Path(result.file).is_relative_to(workdir.root):
            click.echo(f"{name}: {result.file} stays")
    if found and not yes:
        show_note(" ".join(["nothing was removed; do it with: psy clean --yes", *names]))
    return 0


def _read_run_file(workdir: Workdir, name: str) -> RunFile:
    """Read what was run; a damaged file tells nothing, and is no reason not to clean."""
    try:
        return read_run_file(workdir, name)
    except WorkdirError as err:
        show_warning(f"{name}: {err}")
        return RunFile(name)


def _remove(name: str, workdir: Workdir, taskdir: Path) -> None:
    with holding(workdir, name):
        file = _read_run_file(workdir, name)
        if jobs := _running_ids(file.last, taskdir):
            raise TaskError(
                f"{name}: {len(jobs)} jobs are queued or running; "
                f"end them with: psy kill {name}"
            )
        with disk_errors(workdir.root, "remove"):
            for path in workdir.root.iterdir():
                if path not in (workdir.lock_file, workdir.holder_file):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with contextlib.suppress(OSError):  # a run that started meanwhile keeps its files
        workdir.root.rmdir()


def _running_ids(run: Run | None, taskdir: Path) -> list[str]:
    """List the ids of a run's jobs that its scheduler still has, the merge job's too."""
    if run is None or not any(run.ids.values()):
        return []
    return sorted(still_known(scheduler_named(run.scheduler, taskdir), run.ids.values()))


def scheduler_named(name: str, taskdir: Path) -> Scheduler:
    """Make a scheduler from its class' name, `module:Class`.

    Parameters
    ----------
    name : str
        The name; a module may lie beside the task files.
    taskdir : Path
        The folder with the task files.

    Raises
    ------
    SchedulerError
        If there is no such class.
    """
    module, _, cls = name.partition(":")
    place = working_in(taskdir) if taskdir.is_dir() else contextlib.nullcontext()
    try:
        with place:
            made = getattr(importlib.import_module(module), cls)()
    except (ImportError, AttributeError, TypeError, ValueError) as err:
        raise SchedulerError(f"the scheduler {name} cannot be made ({err})") from err
    if not isinstance(made, Scheduler):
        raise SchedulerError(f"{name} is no scheduler")
    return made


def kill_tasks(taskdir: Path, names: Sequence[str]) -> int:
    """End the jobs of tasks."""
    ok = True
    for name, workdir in _there(taskdir, names):
        holder = read_holder(workdir.lock_file, workdir.holder_file)
        if holder is not None:
            ok = _end_holder(name, holder) and ok
        last = read_run_file(workdir, name).last
        ids = _running_ids(last, taskdir)
        for jobid in ids:
            scheduler_named(last.scheduler, taskdir).kill(jobid)  # type: ignore[union-attr]
        if ids:
            click.echo(f"{name}: ended {len(ids)} jobs")
        elif holder is None:
            click.echo(f"{name}: nothing is running")
    return int(not ok)


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
