"""Own the answer to which rows are done, failed or missing, and where their results are.

Reads journals and the notes beside partial results, and nothing else; writes nothing and
imports nothing of the user's.
"""

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from psyrun import journal, snapshot
from psyrun.exceptions import WorkdirError
from psyrun.files import read_record
from psyrun.jobs import read_job
from psyrun.rows import Ranges, RowState
from psyrun.runfile import Run
from psyrun.workdir import Workdir, job_of, run_of

PARTIAL_FORMAT = 1


@dataclass(frozen=True)
class Source:
    """A file that holds rows.

    Attributes
    ----------
    path : Path
        A partial result or a journal.
    job : str
        The job that wrote it.
    snapshot, code : str
        What its rows belong to.
    done, failed : ranges
        The rows it tells something about. In a partial result, done rows stand in this order.
    info : dict
        What the note beside a partial result says; empty for a journal.
    damaged, torn : int, bool
        What could not be read of a journal.
    job_failed : bool
        Whether the job as a whole failed.
    verified : bool
        Whether all of the file was read and found to be as it was written.
    """

    path: Path
    job: str
    snapshot: str
    code: str
    done: Ranges
    failed: Ranges = ()
    info: Mapping[str, Any] | None = None
    damaged: int = 0
    torn: bool = False
    job_failed: bool = False
    verified: bool = False

    @property
    def is_journal(self) -> bool:
        """Whether this is a journal."""
        return self.info is None


def read_sources(workdir: Workdir, job: str | None = None) -> list[Source]:
    """Read which rows each file in `out/` holds, of one job or of all.

    A partial result that is not as its note says (another size, or gone) is left out: its rows
    then count as missing.
    """
    # journals first: they go once their rows stand in a partial result, which is then found
    journals = [s for p in workdir.journals(job) if (s := _read_journal(workdir, p))]
    infos = [workdir.partial_info(job)] if job else workdir.partial_infos()
    return [s for path in infos if (s := read_partial(path))] + journals


def read_partial(path: Path) -> Source | None:
    """Read the note beside a partial result; None if there is no such result as it tells."""
    try:
        info = read_record(path, PARTIAL_FORMAT)
        file = path.parent / info["file"]
        if file.stat().st_size != info["size"]:
            return None
        done = tuple((int(start), int(stop)) for start, stop in info["rows"])
        return Source(file, info["job"], info["snapshot"], info["code"], done, info=info)
    except (OSError, WorkdirError, KeyError, TypeError, ValueError):
        return None


def _read_journal(workdir: Workdir, path: Path) -> Source | None:
    found = journal.scan(path)
    belongs = _belongs_to(workdir, path, found)
    if belongs is None:
        return None
    return Source(
        path,
        job_of(path),
        *belongs,
        found.done,
        found.failed,
        damaged=found.damaged,
        torn=found.torn,
        job_failed=found.job_failed,
    )


def _belongs_to(workdir: Workdir, path: Path, found: journal.Scan) -> tuple[str, str] | None:
    """Tell the snapshot and the code of a journal.

    Its origin says so; where that is damaged, the specification of its job says the same.
    """
    origin = found.origin
    if origin.get("format") == journal.FORMAT and {"snapshot", "code"} <= origin.keys():
        return str(origin["snapshot"]), str(origin["code"])
    if origin or not (found.done or found.failed or found.damaged):
        return None
    try:
        job = read_job(workdir, job_of(path))
    except WorkdirError:
        return None
    return job.snapshot, job.code


@dataclass(frozen=True)
class TaskState:
    """How far one run's parameter space is.

    Attributes
    ----------
    run : Run
        The run that is looked at.
    states : bytearray
        A `RowState` for each row of its snapshot.
    sources : list of Source
        The files whose rows count, lowest rank first: a later one wins.
    moves : dict
        For each older snapshot among the sources: where its rows stand in this one, -1 where
        nowhere.
    """

    run: Run
    states: bytearray
    sources: Sequence[Source]
    moves: Mapping[str, Sequence[int]]

    def count(self, state: RowState) -> int:
        """Count the rows in a state."""
        return self.states.count(state)

    @property
    def complete(self) -> bool:
        """Whether every row is done."""
        return self.count(RowState.DONE) == len(self.states)

    def rows_by_code(self) -> dict[str, int]:
        """Count the done rows that each code evaluated, by the source that wins."""
        codes = sorted({source.code for source in self.sources})
        if len(codes) == 1:
            return {codes[0]: self.count(RowState.DONE)}
        owner = array("q", [-1]) * len(self.states)
        for source in self.sources:
            mark = array("q", [codes.index(source.code)])
            for _, row, length in self.targets(source, source.done):
                owner[row : row + length] = mark * length
        return {code: owner.count(index) for index, code in enumerate(codes)}

    def targets(self, source: Source, ranges: Ranges) -> Iterator[tuple[int, int, int]]:
        """Tell where rows of a source stand in this space.

        Yields
        ------
        place : int
            The position of the first row among those of `ranges`.
        row : int
            Its row in this space.
        length : int
            How many rows follow each other in both.
        """
        moved = self.moves.get(source.snapshot)
        place = 0
        for start, stop in ranges:
            if moved is None:
                # a row's number that was damaged may lie beyond
                size = min(stop, self.run.size) - start
                if size > 0:
                    yield place, start, size
            else:
                yield from _runs(place, moved[start:stop])
            place += stop - start


def _runs(place: int, new_rows: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Join rows that stay neighbours; leave out those that are nowhere."""
    first, length = -1, 0
    for offset, row in enumerate([*new_rows, -1]):
        if length and row == first + length:
            length += 1
            continue
        if length:
            yield place + offset - length, first, length
        first, length = row, int(row >= 0)


def task_state(
    workdir: Workdir, run: Run, sources: Sequence[Source] | None = None
) -> TaskState:
    """Find out how far a run's parameter space is.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    run : Run
        The run to look at.
    sources : sequence of Source, optional
        What `read_sources` gave. None reads it.
    """
    moves: dict[str, Sequence[int]] = {}
    used = []
    for source in select_sources(run, read_sources(workdir) if sources is None else sources):
        if source.snapshot != run.snapshot and source.snapshot not in moves:
            moved = snapshot.read_moves(workdir.moves(source.snapshot, run.snapshot))
            if moved is None:
                continue
            moves[source.snapshot] = moved
        used.append(source)
    return mark_rows(TaskState(run, bytearray(run.size), used, moves))


def select_sources(run: Run, sources: Sequence[Source]) -> list[Source]:
    """Pick the sources whose code counts in a run, in the order in which they are painted."""
    ranks = run.codes
    used = [s for s in sources if s.code in ranks and run_of(s.job) >= run.since]
    return sorted(
        used, key=lambda s: (ranks[s.code], s.snapshot == run.snapshot, run_of(s.job))
    )


def mark_rows(state: TaskState) -> TaskState:
    """Fill in the rows' states from the sources: done wins over failed."""
    for kind in (RowState.FAILED, RowState.DONE):
        mark = bytes([kind])
        for source in state.sources:
            ranges = source.done if kind is RowState.DONE else source.failed
            for _, row, length in state.targets(source, ranges):
                state.states[row : row + length] = mark * length
    return state


@dataclass(frozen=True)
class Failure:
    """A row that failed, or a job that could not go on.

    Attributes
    ----------
    row : int or None
        The row of the space; None for a job.
    job : str
        The job.
    error : dict
        What is known: type, message, traceback, assignment, ...
    """

    row: int | None
    job: str
    error: Mapping[str, Any]


def failures(state: TaskState) -> Iterator[Failure]:
    """Yield the rows that count as failed, by row, the last error of each.

    Errors are read one by one as they are asked for: all tracebacks of a large run are more
    than fits into memory.
    """
    last: dict[int, tuple[Source, int, int]] = {}
    for source in state.sources:
        if source.is_journal and source.failed:
            for row, start, size in _failed_places(state, source):
                if state.states[row] == RowState.FAILED:
                    last[row] = source, start, size
    for path, found in groupby(sorted(last.items()), key=lambda item: item[1][0].path):
        try:
            file = path.open("rb")
        except FileNotFoundError:  # its rows stand in a partial result by now
            continue
        with file:
            for row, (source, start, size) in found:
                file.seek(start)
                yield Failure(row, source.job, _error(file.read(size)))


def _failed_places(state: TaskState, source: Source) -> Iterator[tuple[int, int, int]]:
    """Yield the row in this space, and the bounds of the error, of each failed frame."""
    new_row: dict[int, int] = {}
    old_rows = [row for start, stop in source.failed for row in range(start, stop)]
    for place, row, length in state.targets(source, source.failed):
        new_row.update(
            zip(old_rows[place : place + length], range(row, row + length), strict=True)
        )
    try:
        data = source.path.read_bytes()
    except FileNotFoundError:
        return
    for frame in journal.places(data):
        if frame.kind == journal.Kind.FAILED and frame.row in new_row:
            yield new_row[frame.row], frame.payload, frame.size


def job_failures(workdir: Workdir, jobs: Sequence[str]) -> Iterator[Failure]:
    """Yield, for each of some jobs that could not go on, why."""
    journals: dict[str, list[Path]] = {job: [] for job in jobs}
    for path in workdir.journals():
        if (job := job_of(path)) in journals:
            journals[job].append(path)
    for job, paths in journals.items():
        for path in paths:
            if journal.scan(path).job_failed:
                for frame in journal.frames(path):
                    if frame.kind == journal.Kind.JOB_FAILED:
                        yield Failure(None, job, _error(frame.payload))


def _error(payload: bytes) -> dict[str, Any]:
    try:
        error = json.loads(payload)
    except ValueError:
        error = None
    return error if isinstance(error, dict) else {"type": "?", "message": "unreadable error"}
