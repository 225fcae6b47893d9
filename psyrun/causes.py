"""Own the grouping of failures by cause; counts them, and holds one example of each.

Reads what `state` gives; imports and unpickles nothing of the user's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from psyrun.rows import RowState
from psyrun.runfile import read_run_file
from psyrun.state import Failure, failures, job_failures, task_state
from psyrun.workdir import Workdir

_FIRST_ROWS = 10


@dataclass
class Cause:
    """Failures of one type that came from one place.

    Attributes
    ----------
    example : Failure
        The first of them.
    count : int
        How many rows they are; or jobs, where these could not go on.
    rows : list of int
        The first few rows; none for jobs.
    """

    example: Failure
    count: int = 0
    rows: list[int] = field(default_factory=list)

    @property
    def of_jobs(self) -> bool:
        """Whether jobs could not go on for it."""
        return self.example.row is None

    def add(self, failure: Failure) -> None:
        """Count one more."""
        self.count += 1
        if failure.row is not None and len(self.rows) < _FIRST_ROWS:
            self.rows.append(failure.row)


def group(found: Iterable[Failure]) -> list[Cause]:
    """Group failures by type and by the innermost line of the user's code.

    Deaths of processes without such a line are told apart by how they died. Rows that took too
    long are one cause for each file, as the line that they were at then is any of a loop.

    Returns
    -------
    list of Cause
        The most frequent first; what is equally frequent in the order of `found`.
    """
    causes: dict[tuple[bool, str, str], Cause] = {}
    for failure in found:
        kind, place = (str(failure.error.get(name, "")) for name in ("type", "place"))
        if kind == "ProcessDied" and not place:
            place = str(failure.error.get("message"))
        if kind == "Timeout":
            place = place.rpartition(":")[0]
        causes.setdefault((failure.row is None, kind, place), Cause(failure)).add(failure)
    return sorted(causes.values(), key=lambda cause: -cause.count)


@dataclass(frozen=True)
class Errors:
    """What went wrong in the last run of a task.

    Attributes
    ----------
    causes : list of Cause
        Why rows failed and jobs could not go on, the most frequent first.
    missing : int
        Rows that neither are done nor failed.
    unreadable : int
        Rows that failed, but whose errors are damaged.
    """

    causes: list[Cause]
    missing: int
    unreadable: int

    def count(self, *, of_jobs: bool) -> int:
        """Count the failed rows, or the jobs that could not go on."""
        return sum(cause.count for cause in self.causes if cause.of_jobs is of_jobs)


def errors_of(workdir: Workdir, name: str) -> Errors | None:
    """Read what went wrong in the last run of a task; None if it was never run.

    Raises
    ------
    WorkdirError
        If `run.json` cannot be read.
    """
    run = read_run_file(workdir, name).last
    if run is None:
        return None
    state = task_state(workdir, run)
    causes = group(chain(failures(state), job_failures(workdir, list(run.jobs))))
    failed = state.count(RowState.FAILED)
    told = sum(cause.count for cause in causes if not cause.of_jobs)
    return Errors(causes, state.count(RowState.MISSING), failed - told)
