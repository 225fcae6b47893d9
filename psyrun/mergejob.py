"""Own the merge job: what runs when the jobs of a run elsewhere have ended."""

import dataclasses
import os
from pathlib import Path

from psyrun.code import frozen_code
from psyrun.conclude import merge_if_complete
from psyrun.exceptions import SchedulerError, WorkdirError
from psyrun.jobs import read_job
from psyrun.rows import RowState
from psyrun.run import holding
from psyrun.runfile import MERGE, Run, read_run_file, write_run_file
from psyrun.scheduler import JobState
from psyrun.submitted import Queue, ends_of
from psyrun.tasks import TaskDef, load_frozen
from psyrun.workdir import Workdir

_PATIENCE_SECONDS = 3600.0
"""A command may read gigabytes while it holds the task."""


def merge_job(workdir: Workdir, number: int, folder: Path) -> int:
    """Be the merge job of a run whose jobs have ended; return the exit code.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    number : int
        The run.
    folder : Path
        Where the task was submitted; relative paths start there.

    Raises
    ------
    WorkdirError
        If rows failed or are missing, or the run is no longer known.
    """
    os.chdir(folder)
    with holding(workdir, workdir.root.name, _PATIENCE_SECONDS) as check_held:
        file = read_run_file(workdir, workdir.root.name)
        run = next((run for run in file.runs if run.number == number), None)
        if run is None or not run.jobs or file.last is None:
            raise WorkdirError(f"run {number} is no longer known in {workdir.run_file}")
        if file.last.number != number:  # what it needs may go when that one is merged
            raise WorkdirError(f"run {number} was followed by run {file.last.number}")
        job = read_job(workdir, next(iter(run.jobs)))
        task = load_frozen(frozen_code(workdir.code(run.code)), Path(job.taskdir))
        run = dataclasses.replace(run, ends=_ends(task, workdir, run))
        file = file.with_run(run)
        check_held()
        write_run_file(workdir, file)
        done = dataclasses.replace(run, ends={**run.ends, MERGE: JobState.COMPLETED.value})
        state = merge_if_complete(workdir, file.with_run(done), done, task)
        if not state.complete:
            left = run.size - state.count(RowState.DONE)
            raise WorkdirError(
                f"{left:,} of {run.size:,} rows failed or are missing: no result"
            )
    return 0


def _ends(task: TaskDef, workdir: Workdir, run: Run) -> dict[str, str]:
    """Ask how the jobs of a run ended, while the scheduler knows; it may not know any more."""
    try:
        return ends_of(
            Queue(task.taskdir, task.scheduler).look(workdir.root.name, run, workdir)
        )
    except SchedulerError:
        return dict(run.ends)
