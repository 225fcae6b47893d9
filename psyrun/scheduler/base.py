"""Own the interface of schedulers; know nothing of tasks, nor of any one scheduler."""

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from psyrun.exceptions import SchedulerError


class JobState(StrEnum):
    """How a job is, as Slurm calls it."""

    PENDING = "PENDING"
    SUSPENDED = "SUSPENDED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMEOUT = "TIMEOUT"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    NODE_FAIL = "NODE_FAIL"
    PREEMPTED = "PREEMPTED"

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobState.PENDING, JobState.SUSPENDED, JobState.RUNNING)


def unknown_state(word: str) -> tuple[JobState, str]:
    """Tell how a job is that is listed with a word nobody knows: it runs, that is the reason.

    Taken for one that has ended, it would be submitted a second time.
    """
    return JobState.RUNNING, word


UNSATISFIABLE = "DependencyNeverSatisfied"
"""The reason of a pending job that waits for what can no longer happen, as Slurm calls it."""


@dataclass(frozen=True)
class JobInfo:
    """What a scheduler tells about a job, or about several of one array.

    Attributes
    ----------
    id : str
        The job's id, or the array's.
    state : JobState
        How it is.
    reason : str
        Why, in the scheduler's words; may be empty.
    name : str
        The name given at submission.
    indices : ranges or None
        Which jobs of the array it is about; None for a job that is none of an array, and for
        an array as a whole.
    """

    id: str
    state: JobState
    reason: str = ""
    name: str = ""
    indices: tuple[tuple[int, int], ...] | None = None


class Limits(NamedTuple):
    """How much a scheduler takes at a time; None is no limit that is known.

    Attributes
    ----------
    array : int or None
        Jobs of one array.
    jobs : int or None
        Jobs that this user may submit now.
    """

    array: int | None = None
    jobs: int | None = None


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
    can_requeue : bool
        Whether a job can come back after it has ended, as the setting `requeue` asks.
    """

    USER_DEFAULT_ARGS: ClassVar[Mapping[str, Any]] = {}
    can_requeue: ClassVar[bool] = False

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

    def query(self, ids: Collection[str]) -> list[JobInfo]:
        """Tell all that is known of some jobs and arrays, in as few questions as possible.

        A job that the scheduler knows nothing of is left out.

        Parameters
        ----------
        ids : collection of str
            Ids that `submit` and `submit_array` gave.

        Raises
        ------
        SchedulerError
            If the scheduler does not answer.
        """
        found = []
        for known in map(str, self.get_jobs()):
            array, _, index = known.partition("_")
            if known not in ids and array not in ids:
                continue
            status = self.get_status(known)
            if status is None:
                continue
            state = _STATES.get(status.status, JobState.RUNNING)
            of_array = known not in ids and index.isdecimal()
            indices = ((int(index), int(index) + 1),) if of_array else None
            found.append(JobInfo(array if of_array else known, state, indices=indices))
        return found

    def find(self, names: Collection[str]) -> dict[str, str]:
        """Find the ids of jobs and arrays by name, also of those that have ended if known.

        Raises
        ------
        SchedulerError
            If the scheduler does not answer.
        """
        known = (self.get_status(jobid) for jobid in self.get_jobs())
        return {
            job.name: str(job.id).partition("_")[0]
            for job in known
            if job and job.name in names
        }

    def limits(self, scheduler_args: Mapping[str, Any] | None = None) -> Limits:  # noqa: ARG002
        """Ask how much may be submitted."""
        return Limits()

    def time_limit(
        self,
        scheduler_args: Mapping[str, Any] | None = None,  # noqa: ARG002 - not known here
        name: str = "",  # noqa: ARG002
    ) -> float | None:
        """Tell for how many seconds a job with that name may run; None if that is not known."""
        return None

    def check(self, scheduler_args: Mapping[str, Any]) -> None:  # noqa: B027 - may do nothing
        """Raise a SchedulerError if something is asked for that cannot be asked for."""


_STATES: Mapping[str, JobState] = {
    "R": JobState.RUNNING,
    "Q": JobState.PENDING,
    "*Q": JobState.PENDING,
    "Z": JobState.SUSPENDED,
    "D": JobState.COMPLETED,
}


def qualified_name(scheduler: Scheduler) -> str:
    """Name a scheduler's class as `module:Class`, by which it is made again."""
    return f"{type(scheduler).__module__}:{type(scheduler).__qualname__}"


@contextlib.contextmanager
def scheduler_errors(scheduler: Scheduler) -> Iterator[None]:
    """Turn whatever a scheduler raises into a SchedulerError that names its class.

    A NotImplementedError, which says that there are no arrays, stays what it is.

    Raises
    ------
    SchedulerError
        If the scheduler raises one, or any other exception.

    Examples
    --------
    >>> from psyrun import ImmediateRun
    >>> with scheduler_errors(ImmediateRun()):
    ...     raise KeyError("queue")
    Traceback (most recent call last):
        ...
    psyrun.exceptions.SchedulerError: ImmediateRun raised KeyError: 'queue'
    """
    try:
        yield
    except (NotImplementedError, SchedulerError):
        raise
    except Exception as err:
        title = type(scheduler).__qualname__
        raise SchedulerError(f"{title} raised {_told(err)}") from err


def _told(error: Exception) -> str:
    """Tell an exception in one line: its class and its message, or what a command said."""
    said = getattr(error, "stderr", None) or ""  # of a CalledProcessError, which holds it back
    said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    words = " ".join(f"{error} {said}".split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
