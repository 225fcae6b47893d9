"""Own when a worker's job ends, and whether it may come back then."""

import signal
import time
from dataclasses import dataclass
from math import inf
from typing import Any

from psyrun import machine, rows
from psyrun.exceptions import SchedulerError
from psyrun.failures import describe_death
from psyrun.files import disk_errors
from psyrun.jobs import Job
from psyrun.lastwords import say
from psyrun.scheduler import inside
from psyrun.units import duration
from psyrun.workdir import Workdir

_MARGIN_SHARE = 0.05
_LEAST_MARGIN_SECONDS = 1.0
_MOST_MARGIN_SECONDS = 30.0
_NEAR_SECONDS = 10.0
_STUCK_SHARE = 0.9
_WHOLE_SHARE = 0.8
"""A job that has so much of its time left when its worker begins has all that it may have."""


class Terminated(SystemExit):
    """A signal asks this process to end at once."""


@dataclass(frozen=True)
class JobTime:
    """A job's time, by `time.monotonic`.

    Attributes
    ----------
    limit : float
        How long the job may run, in seconds; infinity is no limit.
    end : float
        When it ends.
    restarts : int
        How often it was started before.
    requeue : int or None
        How often it may come back; None is never.
    whole : bool
        Whether its worker began with all of that time, so that another start gives no more.
    """

    limit: float = inf
    end: float = inf
    restarts: int = 0
    requeue: int | None = None
    whole: bool = False

    @property
    def margin(self) -> float:
        """For how many seconds before its end no row is started."""
        least = min(_LEAST_MARGIN_SECONDS, self.limit / 4)
        return min(max(self.limit * _MARGIN_SHARE, least), _MOST_MARGIN_SECONDS)

    @property
    def last_start(self) -> float:
        """The last moment at which a row may start."""
        return self.end - self.margin

    @property
    def give_up(self) -> float:
        """When rows under way are given up: what follows needs some time too."""
        return self.end - self.margin / 2

    @property
    def fits(self) -> float:
        """How long rows may take, in seconds, that are worth a start whatever was known."""
        return self.limit if self.whole else 0.0

    def is_over(self, at: float) -> bool:
        """Tell whether a signal to end, which came at some moment, is for the time.

        Where the scheduler does not say so, it is if the end was near.
        """
        told = inside.is_over()
        return at > self.end - _NEAR_SECONDS if told is None else told

    def is_futile(self, began: float, since: float, *, refused: bool) -> bool:
        """Tell whether it would go the same way if it came back, as no row ended this time.

        Parameters
        ----------
        began, since : float
            When the worker began, and when the first of the rows that it gave up.
        refused : bool
            Whether no row was started, as rows usually take too long.
        """
        now = time.monotonic()
        if now < self.last_start:
            return self.whole and refused
        # others' rows may have come back to a worker that had waited for them until then
        return self.whole and now - since >= _STUCK_SHARE * (now - began)

    def may_come_back(self) -> bool:
        """Tell whether it may be started again."""
        return self.requeue is not None and self.restarts < self.requeue

    def comes_back(self, left: int) -> bool:
        """Ask to be started again, for the rows that are left; tell whether it will be."""
        if not self.may_come_back():
            return False
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # that is how Slurm does it
        try:
            inside.come_back()
        except SchedulerError as err:
            say(f"the job cannot come back: {err}")
            return False
        say(f"ended: the job's time ran out with {rows.text(left)} left; it comes back")
        return True

    def too_often(self) -> dict[str, Any] | None:
        """Say that it was started more often than it may be, if so."""
        if self.requeue is None or self.restarts <= self.requeue:
            return None
        return describe_death(
            f"the job was started again {_times(self.restarts)}, and requeue is "
            f"{self.requeue}; run the task again for the rows that are left",
            kind="TooManyRestarts",
        )

    def ran_out(self, left: int, *, futile: bool = False) -> dict[str, Any]:
        """Say that it ended with some rows left, for which no other start would be enough."""
        limit = f" ({duration(self.limit)})" if self.limit < inf else ""
        if self.requeue is None:
            advice = "raise timelimit in scheduler_args, or set requeue"
        elif futile:
            advice = "a row takes longer than that: raise timelimit in scheduler_args"
        else:
            back = f"; it came back {_times(self.restarts)}" if self.restarts else ""
            advice = f"raise timelimit in scheduler_args, or requeue{back}"
        return describe_death(
            f"the job's time{limit} ran out with {rows.text(left)} left; {advice}",
            kind="TimeLimit",
        )


def time_of(workdir: Workdir, job: Job) -> JobTime:
    """Find out when a job, which this process is, ends; call it once, at the beginning."""
    now, age = time.monotonic(), machine.process_age()
    limit = inf if job.time_limit is None else job.time_limit
    end = now - age + limit
    told = inside.end_time()
    if told is not None:
        end = now + told - time.time()
        limit = min(limit, end - now + age)
    whole = limit < inf and end - now >= _WHOLE_SHARE * limit
    return JobTime(max(limit, 0.0), end, _restarts(workdir, job), job.requeue, whole)


def _restarts(workdir: Workdir, job: Job) -> int:
    """Tell how often a job was started before; count its starts where its scheduler does not.

    Each start adds a byte to a file.
    """
    if job.requeue is None:
        return 0
    told = inside.restarts()
    if told is not None:
        return told
    path = workdir.starts(job.name)
    with disk_errors(path), path.open("ab", buffering=0) as file:
        file.write(b".")
        return file.tell() - 1


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
