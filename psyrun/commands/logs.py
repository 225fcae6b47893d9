"""Own `psy logs`: it finds a job's log, shows it, and follows it; runs no task file."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from psyrun.commands.messages import show_note
from psyrun.commands.options import Options
from psyrun.commands.turns import find_workdirs
from psyrun.exceptions import SchedulerError, TaskError
from psyrun.locks import read_holder
from psyrun.runfile import MERGE, Run, read_run_file
from psyrun.submitted import is_open, queue_for
from psyrun.workdir import Workdir, array_element, job_name

_LOOK_SECONDS = 0.2
_ASK_SECONDS = 5.0
_PART_BYTES = 1 << 16
_WORKER = "worker"


def show_log(options: Options, name: str, job: str | None, *, follow: bool) -> int:
    """Show the log of a job of a task's last run; return the exit code."""
    ((name, workdir),) = find_workdirs(options.taskdir, [name])
    run = read_run_file(workdir, name).last
    if run is None:
        raise TaskError(
            f"{name} was never run, so there are no logs; run it with: psy run {name}"
        )
    if job is None:
        path = _newest(workdir, run)
        if path is None:
            raise TaskError(f"there are no logs of run {run.number} of {name} yet")
        show_note(f"{path} (the newest; psy logs {name} JOB shows another)")
    else:
        job = _job_in(run, name, job)
        path = _log_of(workdir, run, job)
    if not path.exists() and not follow:
        raise TaskError(f"job {job} has written no log: {path} is not there")
    if not follow and not path.stat().st_size:
        show_note(f"{path} is empty")
    running = _Running(options.taskdir, name, workdir, job) if follow else None
    _copy(path, running)
    return 0


def _job_in(run: Run, name: str, given: str) -> str:
    """Find the job that is meant: by its name, its place, or the scheduler's id."""
    if given in (MERGE, _WORKER) or given in run.jobs:
        return given
    if given.isdecimal() and job_name(run.number, int(given)) in run.jobs:
        return job_name(run.number, int(given))
    array, _, index = given.partition("_")
    if array == run.merge_job:
        return MERGE
    mine = [job for job, jobid in run.jobs.items() if jobid == array]
    if index.isdecimal() and int(index) < len(mine):
        return mine[int(index)]
    if len(mine) == 1 and not index:
        return mine[0]
    some = next(iter(run.jobs), None)
    known = f"{some} to {list(run.jobs)[-1]}" if some else "none"
    raise TaskError(
        f"run {run.number} of {name} has no job {given!r}; its jobs are {known}, and {MERGE}"
    )


def _log_of(workdir: Workdir, run: Run, job: str) -> Path:
    """Find where a job writes: in an array, the log is named by the array and the index."""
    if job == MERGE:
        return workdir.merge_log(run.number)
    if job == _WORKER:
        return workdir.worker_log(run.number)
    jobs = list(run.jobs)
    mine = [j for j in jobs if run.jobs[j] == run.jobs[job]] if run.array_size else [job]
    first, index = jobs.index(mine[0]), mine.index(job)
    if run.array_size:
        return workdir.log(array_element(run.number, first, str(index)))
    return workdir.log(job)


def _newest(workdir: Workdir, run: Run) -> Path | None:
    """Find the log of a run that was written to last, the worker's after all others."""
    logs = [*workdir.log_folder.glob(f"{run.number}-*.log")]
    worker = workdir.worker_log(run.number)

    def newness(path: Path) -> tuple[bool, bool, int]:
        found = path.stat()
        return found.st_size > 0, path != worker, found.st_mtime_ns

    return max(logs, key=newness, default=None)


class _Running:
    """Tells whether a job may still write, or any; who knows is asked now and then."""

    def __init__(self, taskdir: Path, name: str, workdir: Workdir, job: str | None) -> None:
        self._taskdir, self._name, self._workdir, self._job = taskdir, name, workdir, job
        self._due, self._last = 0.0, True

    def __bool__(self) -> bool:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _ASK_SECONDS
            self._last = self._look()
        return self._last

    def _look(self) -> bool:
        run = read_run_file(self._workdir, self._name).last
        if run is None or not is_open(run):  # a run on this machine, or over
            holder = read_holder(self._workdir.lock_file, self._workdir.holder_file)
            return holder is not None
        queue = queue_for(self._workdir, run, self._taskdir)
        try:
            live = queue.look(self._name, run, self._workdir).live
        except SchedulerError:
            return True
        return self._job in live if self._job else bool(live)


def _copy(path: Path, running: _Running | None) -> None:
    """Copy a log to standard output, as long as jobs run if that is wanted."""
    for part in _parts(path, running):
        click.echo(part, nl=False)
        sys.stdout.flush()


def _parts(path: Path, running: _Running | None) -> Iterator[bytes]:
    position = 0
    while True:
        was_running = running is not None and bool(running)
        if path.exists():
            with path.open("rb") as file:
                file.seek(position)
                while part := file.read(_PART_BYTES):
                    position += len(part)
                    yield part
        if not was_running:
            return
        time.sleep(_LOOK_SECONDS)
