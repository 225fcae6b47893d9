"""Own the end of a run whose rows are all done: its result, and what that makes obsolete."""

import dataclasses
import shutil
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from psyrun.code import frozen_code
from psyrun.exceptions import StoreError, TaskWarning, WorkdirError
from psyrun.fingerprint import digest_of, fingerprint
from psyrun.merge import Merger
from psyrun.partial import verified
from psyrun.resultfile import check_target, keep_unknown, write_result
from psyrun.runfile import Run, RunFile, write_run_file
from psyrun.snapshot import load
from psyrun.state import TaskState, read_sources, task_state
from psyrun.tasks import TaskDef
from psyrun.version import __version__
from psyrun.workdir import Workdir, job_of, run_of

_ATTEMPTS = 3

_Found = TypeVar("_Found")


def while_rows_move(action: Callable[[], _Found]) -> _Found:
    """Read rows and do something with them; again, where a job that just ended moved them.

    Raises
    ------
    WorkdirError
        If a file went away each time.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return action()
        except FileNotFoundError as err:
            if attempt == _ATTEMPTS - 1:
                raise WorkdirError(
                    f"{err.filename} went away while it was read; run the same command again"
                ) from err
    raise AssertionError("unreachable")


def merge_if_complete(workdir: Workdir, file: RunFile, run: Run, task: TaskDef) -> TaskState:
    """Make the result of a run if all of its rows are done, and remove what it makes obsolete.

    Returns
    -------
    TaskState
        How far the run is.
    """
    return while_rows_move(lambda: _merge_if_complete(workdir, file, run, task))


def _merge_if_complete(workdir: Workdir, file: RunFile, run: Run, task: TaskDef) -> TaskState:
    began = time.monotonic()
    before = workdir.row_files()
    state = task_state(workdir, run, verified(read_sources(workdir))[0])
    if state.complete:
        space = load(workdir.snapshot(run.snapshot), verify=True)
        target = Path(run.resultfile)
        check_target(task.store, target, file.result)
        merger = Merger(state, space, task.store)
        for note in merger.notes:
            warnings.warn(note, TaskWarning, stacklevel=4)
        labels = _attributes(workdir, file, run) if task.store.labels_kept else {}
        keep_unknown(target, file.result)
        try:
            result = write_result(merger, target, labels)
        except StoreError as err:
            raise StoreError(
                f"{err}; the rows are kept: set another store and run {file.task} again"
            ) from err
        merger.close()
        new = prune(workdir, dataclasses.replace(file, result=result), state, before)
        timing = {**run.timing, "merge": time.monotonic() - began}
        write_run_file(workdir, new.with_run(dataclasses.replace(run, timing=timing)))
    return state


def _attributes(workdir: Workdir, file: RunFile, run: Run) -> dict[str, str]:
    """Say what a result is of, for a format that keeps attributes."""
    image = frozen_code(workdir.code(run.code))
    digest = digest_of(fingerprint(image, image.values))
    return {"task": file.task, "fingerprint": digest, "psyrun": __version__}


def prune(workdir: Workdir, file: RunFile, state: TaskState, before: Iterable[Path]) -> RunFile:
    """Remove the rows, spaces and codes that the new result made obsolete.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    file : RunFile
        Its runs, and the new result.
    state : TaskState
        The rows that the result was made of.
    before : iterable of Path
        The files with rows that were there before it was made. What has come since may hold
        rows that were in others: a job that runs twice at once ends when it ends.
    """
    used = {source.path for source in state.sources}
    jobs = {source.job for source in state.sources}
    used |= {workdir.partial_info(job) for job in jobs}
    for path in before:
        if path not in used:
            path.unlink(missing_ok=True)
    numbers = {run_of(source.job) for source in state.sources} | {state.run.number}
    snapshots = {source.snapshot for source in state.sources} | {state.run.snapshot}
    codes = {source.code for source in state.sources} | {state.run.code}
    for folder, kept in ((workdir.snapshots_folder, snapshots), (workdir.codes_folder, codes)):
        for path in folder.glob("*"):  # none, should somebody have removed the folder
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
    folders = (workdir.jobs_folder, workdir.log_folder, workdir.claims_folder)
    for path in (path for folder in folders for path in folder.glob("[0-9]*")):
        if run_of(job_of(path)) not in numbers:
            path.unlink(missing_ok=True)
    return dataclasses.replace(file, runs=tuple(r for r in file.runs if r.number in numbers))
