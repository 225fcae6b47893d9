"""Own the backend that deals rows out in fixed shares."""

from psyrun import rows
from psyrun.backend.base import Backend
from psyrun.rows import Ranges


class DistributeBackend(Backend):
    """Gives each job a fixed share of rows that follow each other.

    There are at most `max_jobs` jobs of at least `min_items` rows each, unless there are fewer
    rows than that; shares differ by one row at most.
    """

    def deal(self, ranges: Ranges, most: int | None = None) -> list[Ranges]:
        """Say which rows each job gets; see `Backend.deal`."""
        limits = [limit for limit in (self.task.max_jobs, most) if limit is not None]
        most = min(limits, default=None)
        sizes = share_sizes(rows.count(ranges), most, self.task.min_items)
        return list(rows.split(ranges, sizes))


def share_sizes(n: int, max_jobs: int | None, min_items: int) -> list[int]:
    """Share out `n` rows as evenly as possible.

    Examples
    --------
    >>> share_sizes(10, max_jobs=4, min_items=1)
    [3, 3, 2, 2]
    >>> share_sizes(10, max_jobs=4, min_items=4)
    [5, 5]
    >>> share_sizes(3, max_jobs=4, min_items=10)
    [3]
    """
    jobs = max(n // min_items, 1) if n else 0
    if max_jobs is not None:
        jobs = min(jobs, max_jobs)
    return [n // jobs + (index < n % jobs) for index in range(jobs)]
