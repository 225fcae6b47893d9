"""Own the question which rows of a job are left to do, as its files tell; only reads."""

from collections.abc import Collection

from psyrun import journal, rows
from psyrun.jobs import Job
from psyrun.rows import Ranges
from psyrun.state import read_sources
from psyrun.workdir import Workdir, job_of, run_of


def failed_elsewhere(workdir: Workdir, run: int, mine: Collection[str], most: int) -> int:
    """Count the rows that failed in a run's other jobs; exactly where they may be too many."""
    others = [
        path
        for path in workdir.journals()
        if run_of(job_of(path)) == run and job_of(path) not in mine
    ]
    roughly = sum(journal.counts(path)[1] for path in others)
    if roughly < most:
        return roughly
    found: dict[str, list[tuple[int, int]]] = {}
    for path in others:
        found.setdefault(job_of(path), []).extend(journal.scan(path).failed)
    return sum(rows.count(rows.joined(ranges)) for ranges in found.values())


def left_to_do(workdir: Workdir, job: Job, *, retry: bool = True) -> Ranges:
    """Find the rows of a job that no journal and no partial result of it holds.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    job : Job
        The job.
    retry : bool
        Whether rows that failed are among them.
    """
    # a byte for each row from the job's first to its last: a job in the middle of a large space
    # has no need to count from that space's beginning
    low = min((start for start, _ in job.rows), default=0)
    high = max((stop for _, stop in job.rows), default=0)
    wanted = bytearray(high - low)
    for start, stop in job.rows:
        wanted[start - low : stop - low] = b"\1" * (stop - start)
    for source in read_sources(workdir, job.name):
        known = source.done if retry else (*source.done, *source.failed)
        for start, stop in rows.common(rows.joined(known), ((low, high),)):
            wanted[start - low : stop - low] = bytes(stop - start)
    left = rows.of_state(wanted, rows.RowState.FAILED)
    return tuple((start + low, stop + low) for start, stop in left)


def around(block: Ranges, row: int) -> tuple[int, Ranges]:
    """Count a block's rows before one, and return those behind it."""
    before = sum(min(stop, row) - start for start, stop in block if start < row)
    rest = tuple((max(start, row + 1), stop) for start, stop in block if stop > row + 1)
    return before, rest
