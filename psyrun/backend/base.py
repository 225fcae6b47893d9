"""Own the interface of backends: how rows are dealt out to jobs, and what is left of them.

A worker needs a backend's class only: what reads the work directory is imported where used.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from psyrun import rows
from psyrun.pspace import Param, ParameterSpace
from psyrun.rows import Ranges, RowState
from psyrun.workdir import Workdir


class Backend(ABC):
    """Deals out the rows of a task to jobs.

    Parameters
    ----------
    task : TaskDef
        The task.

    Attributes
    ----------
    balanced : bool
        Whether workers that have finished their own rows take those of other jobs of the run.
    """

    balanced = False

    def __init__(self, task: Any) -> None:
        self.task = task

    @abstractmethod
    def deal(self, ranges: Ranges, most: int | None = None) -> list[Ranges]:
        """Say which rows each job gets.

        Parameters
        ----------
        ranges : ranges
            The rows to evaluate.
        most : int, optional
            How many jobs there may be, besides what the task sets. None is no limit.

        Returns
        -------
        list of ranges
            One entry a job; together they are the rows to evaluate.
        """

    @property
    def workdir(self) -> Workdir:
        """The task's work directory."""
        return Workdir(Path(self.task.workdir) / self.task.name)

    @property
    def resultfile(self) -> Path:
        """Where the task's result goes."""
        if self.task.resultfile is not None:
            return Path(self.task.resultfile)
        return self.workdir.result(self.task.store.ext)

    def get_missing(self) -> ParameterSpace:
        """Return the assignments that are not done by the present code, as a space."""
        from psyrun.present import look
        from psyrun.pspace.selection import rows_of
        from psyrun.runfile import read_run_file

        file = read_run_file(self.workdir, self.task.name)
        needs = self.task.depends_on
        code = self.task.code()
        state = look(self.workdir, file, self.task.pspace, code, depends_on=needs).state
        left = rows.of_state(state.states, RowState.MISSING, RowState.FAILED)
        return rows_of(left, self.task.pspace)

    def get_queued(self) -> ParameterSpace | None:
        """Return the assignments of jobs that are queued or running; None if not known.

        Those of the last run that are not done. It is not known while a command evaluates
        rows on this machine, and if the scheduler gives no answer or is another one now.
        """
        from psyrun.exceptions import SchedulerError
        from psyrun.jobs import read_job
        from psyrun.jobstates import by_job
        from psyrun.pspace.selection import rows_of
        from psyrun.runfile import read_run_file
        from psyrun.scheduler import qualified_name
        from psyrun.snapshot import load
        from psyrun.state import task_state

        run = read_run_file(self.workdir, self.task.name).last
        ids = {jobid for jobid in run.ids.values() if jobid} if run else set()
        if run is None or not ids:
            return None if self.workdir.lock_file.exists() else Param()
        if qualified_name(self.task.scheduler) != run.scheduler:
            return None
        try:
            told = by_job(run, self.task.scheduler.query(ids))
        except SchedulerError:
            return None
        live = [
            read_job(self.workdir, job)
            for job in run.jobs
            if job in told and not told[job].state.final
        ]
        if any(job.balanced for job in live):  # who is left takes the rows of all
            live = [read_job(self.workdir, job) for job in run.jobs]
        wanted = rows.joined(pair for job in live for pair in job.rows)
        state = task_state(self.workdir, run).states
        left = rows.of_state(state, RowState.MISSING, RowState.FAILED)
        return rows_of(rows.common(wanted, left), load(self.workdir.snapshot(run.snapshot)))

    def get_failed(self) -> list[str] | None:
        """Name the jobs of the last run that failed, or rows of which failed."""
        from psyrun.runfile import read_run_file
        from psyrun.state import failures, job_failures, task_state

        run = read_run_file(self.workdir, self.task.name).last
        if run is None:
            return []
        failed = {failure.job for failure in failures(task_state(self.workdir, run))}
        failed.update(failure.job for failure in job_failures(self.workdir, list(run.jobs)))
        return sorted(failed)
