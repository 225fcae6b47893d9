"""Own `run.json`: what was submitted, as what, and what came of it; read it and write it.

Knows the file's format, and nothing of what a plan makes of it.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psyrun.exceptions import DamagedError
from psyrun.files import read_record, write_record
from psyrun.workdir import Workdir

FORMAT = 1

MERGE = "merge"
"""What the merge job is called among the jobs of a run."""


@dataclass(frozen=True)
class Run:
    """One submission of a task.

    Attributes
    ----------
    number : int
        Counts from 1.
    snapshot, code : str
        The digests of the parameter space and of the code as they were then.
    size : int
        Rows of the snapshot.
    since : int
        The first run whose rows count; a later one than 1 after `psy run --force`.
    same : tuple of str
        Earlier codes with the same fingerprint; their rows count as by this code.
    accepted : tuple of str
        Earlier codes whose rows the user keeps (`psy run --continue`).
    jobs : dict
        The scheduler's id of each job by the job's name, the jobs of an array having the same;
        None is an intent: the job is about to be submitted, or that failed.
    merge_job : str or None
        The scheduler's id of the merge job, where there is one.
    token : str
        What makes the names unique by which the scheduler knows the jobs; empty where they run
        on this machine.
    ends : dict
        How jobs ended, in the scheduler's words, by their names; the merge job is `merge`. It
        is noted by the merge job, while the scheduler still knows.
    array_size : int or None
        How many jobs each array has at most; None where each job was submitted on its own.
    scheduler, store, resultfile : str
        What the task was set to.
    exclude : tuple of str
        Names left out of the result.
    units : dict
        The units of columns, by name.
    when, host, user : str
        When (ISO 8601, UTC), where and by whom it was submitted.
    versions : dict
        Of Python, Psyrun and the packages that the code imports or depends on.
    command : tuple of str
        The command that submitted it, or the script and its arguments.
    folder : str
        The working directory of that.
    place : str
        The work directory as it was then, as an absolute path.
    git : dict or None
        What git said of the code: `commit`, `branch` (or None), `dirty` (whether files that git
        tracks differed), `untracked` (which of the code's own files git does not track), `diff`
        (where the difference is kept, below the work directory, or None) and `cut` (whether it
        was longer than that). None if git did not know it.
    timing : dict
        How many seconds the phases of the command took, and the merge; see `psyrun.timing`.
    """

    number: int
    snapshot: str
    code: str
    size: int
    since: int = 1
    same: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    jobs: Mapping[str, str | None] = field(default_factory=dict)
    merge_job: str | None = None
    token: str = ""
    ends: Mapping[str, str] = field(default_factory=dict)
    array_size: int | None = None
    scheduler: str = ""
    store: str = ""
    resultfile: str = ""
    exclude: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    when: str = ""
    host: str = ""
    user: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    folder: str = ""
    place: str = ""
    git: Mapping[str, Any] | None = None
    timing: Mapping[str, float] = field(default_factory=dict)

    @property
    def ids(self) -> dict[str, str | None]:
        """The scheduler's ids by name, the merge job's too."""
        return {**self.jobs, MERGE: self.merge_job}

    @property
    def codes(self) -> dict[str, int]:
        """Rank the codes whose rows count; a row by the highest rank wins."""
        ranks = dict.fromkeys(self.accepted, 0)
        ranks.update(dict.fromkeys((*self.same, self.code), 1))
        return ranks


@dataclass(frozen=True)
class Result:
    """The whole result that stands.

    Attributes
    ----------
    snapshot : str
        The parameter space it covers.
    codes : dict
        How many of its rows each code evaluated.
    store, file : str
        The store that wrote it, and where.
    exclude : tuple of str
        Names left out.
    size, crc, mtime_ns : int
        Of the file: bytes, CRC-32, and when it was written, in nanoseconds.
    since : int
        The first run whose rows it holds.
    units : dict
        The units of its columns, by name.
    """

    snapshot: str
    codes: Mapping[str, int]
    store: str
    file: str
    exclude: tuple[str, ...]
    size: int
    crc: int
    mtime_ns: int
    since: int = 1
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_virtual(self) -> bool:
        """Whether the file only refers to the partial results."""
        return "virtual=True" in self.store


@dataclass(frozen=True)
class RunFile:
    """All runs of a task that still matter, oldest first, and the result that stands."""

    task: str
    runs: tuple[Run, ...] = ()
    result: Result | None = None

    @property
    def last(self) -> Run | None:
        """The newest run."""
        return self.runs[-1] if self.runs else None

    def with_run(self, run: Run) -> "RunFile":
        """Return the file with a run added, or replaced if its number is known."""
        known = [r.number for r in self.runs]
        runs = tuple(run if r.number == run.number else r for r in self.runs)
        return dataclasses.replace(self, runs=runs if run.number in known else (*runs, run))


def read_run_file(workdir: Workdir, task: str) -> RunFile:
    """Read a task's `run.json`; where there is none yet, return one without runs.

    Raises
    ------
    WorkdirError
        If the file is damaged or of a later format.
    """
    path = workdir.run_file
    try:
        data = read_record(path, FORMAT)
    except FileNotFoundError:
        return RunFile(task)
    try:
        runs = tuple(Run(**_tuples(run)) for run in data["runs"])
        result = data["result"] and Result(**_tuples(data["result"]))
        return RunFile(data["task"], runs, result)
    except (KeyError, TypeError, AttributeError) as err:
        raise DamagedError(f"{path} is damaged ({err!r}); remove it and run again") from err


def _tuples(record: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}


def write_run_file(workdir: Workdir, file: RunFile) -> None:
    """Replace a task's `run.json`."""
    write_record(
        workdir.run_file,
        FORMAT,
        {
            "task": file.task,
            "runs": [dataclasses.asdict(run) for run in file.runs],
            "result": file.result and dataclasses.asdict(file.result),
        },
    )
