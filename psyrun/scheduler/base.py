"""Own the interface of schedulers; know nothing of tasks, nor of any one scheduler."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple


class JobStatus(NamedTuple):
    """What a scheduler knows about a job.

    Attributes
    ----------
    id : str
        The scheduler's id.
    status : str
        ``R`` running, ``Q`` queued, ``*Q`` queued and waiting for another job, ``Z`` sleeping
        or suspended, ``D`` done.
    name : str
        The name given at submission.
    """

    id: str
    status: str
    name: str


class Scheduler(ABC):
    """Where jobs run.

    A scheduler of your own needs `submit`, `kill`, `get_status` and `get_jobs`.

    Attributes
    ----------
    USER_DEFAULT_ARGS : dict
        What is asked for unless a task's `scheduler_args` says otherwise, entry by entry.
    """

    USER_DEFAULT_ARGS: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def submit(
        self,
        args: Sequence[str],
        output_filename: str | os.PathLike[str],
        name: str | None = None,
        depends_on: Sequence[str] | None = None,
        scheduler_args: Mapping[str, Any] | None = None,
    ) -> str:
        """Submit one job.

        Parameters
        ----------
        args : sequence of str
            The command and its arguments.
        output_filename : path
            Where the job's standard output and error go.
        name : str, optional
            The job's name; None lets the scheduler choose.
        depends_on : sequence of str, optional
            Ids of jobs that have to end, well or not, before this one starts.
        scheduler_args : dict, optional
            What else to ask of the scheduler.

        Returns
        -------
        str
            The job's id.

        Raises
        ------
        SchedulerError
            If the scheduler refuses.
        """

    def submit_array(
        self,
        n: int,
        args: Sequence[str],
        output_filename: str | os.PathLike[str],
        name: str | None = None,
        depends_on: Sequence[str] | None = None,
        scheduler_args: Mapping[str, Any] | None = None,
    ) -> str:
        """Submit `n` jobs that differ by an index only; `%a` stands for it, from 0 on.

        Raises
        ------
        NotImplementedError
            If the scheduler has no job arrays; jobs are then submitted one by one.
        """
        raise NotImplementedError

    @abstractmethod
    def kill(self, jobid: str) -> None:
        """Cancel a job; one that has ended or is unknown is no error."""

    @abstractmethod
    def get_status(self, jobid: str) -> JobStatus | None:
        """Tell how a job is; None if the scheduler no longer knows it."""

    @abstractmethod
    def get_jobs(self) -> Sequence[str]:
        """List the ids of the user's jobs that are queued or running."""


def qualified_name(scheduler: Scheduler) -> str:
    """Name a scheduler's class as `module:Class`, by which it is made again."""
    return f"{type(scheduler).__module__}:{type(scheduler).__qualname__}"


def still_known(scheduler: Scheduler, ids: Iterable[str | None]) -> set[str]:
    """Tell which of some ids a scheduler still has; an array is there while a part of it is."""
    wanted = {jobid for jobid in ids if jobid}
    if not wanted:
        return wanted
    known = {str(jobid) for jobid in scheduler.get_jobs()}
    return wanted & (known | {jobid.partition("_")[0] for jobid in known})
