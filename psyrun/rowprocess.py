"""Own a row process: it imports the user's code, evaluates rows and journals each at once.

It takes its orders from the supervisor (`psyrun.supervisor`) as JSON lines and answers in kind.
It belongs to one task and one code.
"""

import faulthandler
import functools
import io
import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from psyrun import rows, snapshot
from psyrun.board import IDLE, Board
from psyrun.code import CodeImage
from psyrun.durations import known_durations
from psyrun.failures import (
    as_mapping,
    checked_names,
    describe_assignment,
    describe_error,
    row_check,
    unpicklable,
)
from psyrun.files import disk_errors
from psyrun.jobs import Job, origin
from psyrun.journalwriter import JournalWriter
from psyrun.output import Tail
from psyrun.pace import Pace
from psyrun.partial import AtHand, write_partial
from psyrun.payloads import MAKES_OBJECTS, PROTOCOL, Pickler, has_objects
from psyrun.pspace import ParameterSpace
from psyrun.rows import Ranges
from psyrun.settling import Settler
from psyrun.signature import bind
from psyrun.tasks import load_frozen
from psyrun.workdir import Workdir

_BLOCK_ROWS = 10_000
_KEEP_BYTES = 64 << 20


@dataclass(frozen=True)
class Brief:
    """Everything a row process needs to know from the supervisor.

    Attributes
    ----------
    slot : int
        Its place among the row processes of its worker, from 0.
    workdir : Workdir
        The task's work directory.
    jobs : sequence of Job
        The worker's jobs.
    image : CodeImage
        The frozen code.
    board : Board
        Shared with the supervisor: the row under way, and how many failed.
    orders, answers : int
        File descriptors of pipes.
    report : int
        The descriptor of a file for what can be said when this process crashes.
    own_logs : bool
        Whether each job's output goes to its own log, rather than to standard output.
    is_shared : bool
        Whether workers elsewhere look at the journals too.
    known : str
        The job whose journals tell how long rows took before.
    fits : float
        If rows usually took less, in seconds, the first is begun whatever the time.
    """

    slot: int
    workdir: Workdir
    jobs: Sequence[Job]
    image: CodeImage
    board: Board
    orders: int
    answers: int
    report: int
    own_logs: bool
    is_shared: bool = False
    known: str = ""
    fits: float = 0.0


def main(given: Brief) -> None:
    """Evaluate rows until the supervisor says that there are no more, or is gone."""
    faulthandler.enable(given.report)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a job's output may be in any encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    tail = Tail(sys.stdout)
    sys.stdout = sys.stderr = tail
    orders = _Orders(given.orders)
    answers = os.fdopen(given.answers, "w", buffering=1)
    try:
        process = RowProcess(given, tail)
    except BaseException as err:  # noqa: BLE001 - the boundary to the user's code
        answers.write(json.dumps({"broken": describe_error(err)}) + "\n")
        return
    answers.write("{}\n")
    try:
        for order in orders:
            answers.write(json.dumps(process.follow(order)) + "\n")
        process.close()
        process.settler.wait()
    except OSError as err:  # the user's own are caught row by row: this is a journal's
        answers.write(json.dumps({"broken": describe_error(err)}) + "\n")


class _Orders:
    """Orders, read ahead by a thread that ends this process when the supervisor is gone."""

    def __init__(self, fd: int) -> None:
        import queue

        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(fd,), daemon=True).start()

    def _read(self, fd: int) -> None:
        with suppress(ValueError), os.fdopen(fd) as file:  # the last line may be cut short
            for line in file:
                order = json.loads(line)
                self._queue.put(order)
                if order == "stop":
                    return
        os._exit(1)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._queue.get, "stop")


class RowProcess:
    """Evaluates rows of one task with one code.

    Parameters
    ----------
    given : Brief
        What to work on.
    tail : Tail
        What keeps the last printed lines.
    """

    def __init__(self, given: Brief, tail: Tail) -> None:
        self.given = given
        self.tail = tail
        self.pace = Pace(given.board)
        if given.known and self.pace.is_limited:
            self.pace.know(known_durations(given.workdir, given.known), given.fits)
        first = given.jobs[0]
        os.chdir(first.taskdir)
        sys.path.insert(0, first.taskdir)
        self.task = load_frozen(given.image, Path(first.taskdir))
        self._space: ParameterSpace | None = None
        self._journal: tuple[str, JournalWriter] | None = None
        self._payloads: dict[int, bytes] = {}
        self._dumps: Callable[[Any, int], bytes] = pickle.dumps
        self._known_names: set[str] = set()
        self.settler = Settler(lambda err: print(f"{type(err).__name__}: {err}", flush=True))
        self._strayed: list[bool] = []
        os.register_at_fork(after_in_child=lambda: self._strayed.append(True))
        execute = self.task.execute
        extra = self.task.setup(given.slot) if self.task.setup else None
        if isinstance(extra, Mapping):
            execute = functools.partial(execute, **extra)
        self.check = row_check(self.task.store, self.task.exclude_from_result)
        self.names = self.space.keys()
        self.call = bind(execute, self.names)

    @property
    def space(self) -> ParameterSpace:
        """The snapshot; all jobs of a worker have the same."""
        if self._space is None:
            first = self.given.jobs[0]
            self._space = snapshot.load(self.given.workdir.snapshot(first.snapshot))
        return self._space

    def follow(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do what the supervisor says, and return the answer."""
        match order:
            case {"rows": ranges, "job": index, "until": until}:
                began = time.perf_counter()
                left = self.evaluate(self.given.jobs[index], ranges, until)
                if left is None:
                    return {"stopped": index}
                spent = {"evaluate": time.perf_counter() - began}
                late = self.pace.late
                return {"evaluated": index, "left": left, "late": late, "spent": spent}
            case {"dead": row, "job": index, "error": error}:
                self.tell_of_death(self.given.jobs[index], row, error)
                return {"told": index}
            case {"finish": index, "spent": spent}:
                self.finish(self.given.jobs[index], spent)
                return {"finished": index}
        raise ValueError(f"unknown order {order!r}")

    def evaluate(self, job: Job, ranges: Ranges, until: float | None = None) -> Ranges | None:
        """Evaluate some rows of a job, and journal each as it finishes.

        Parameters
        ----------
        job : Job
            The job.
        ranges : ranges
            The rows.
        until : float, optional
            From this moment of `time.monotonic` on, start no further row but the first.

        Returns
        -------
        ranges or None
            The rows for which there was no time; None where too many rows failed.
        """
        journal = self._journal_of(job)
        self.pace.begin(until)
        left: Ranges | None = ()
        for low, high in _blocks(ranges):
            columns = self.space.columns(low, high)
            with disk_errors(journal.path):
                stop = self._evaluate_block(
                    journal, low, [columns[name] for name in self.names]
                )
            if self.given.board.is_over_limit():
                left = None
                break
            if stop < high:
                left = tuple((max(begin, stop), end) for begin, end in ranges if end > stop)
                break
        self.tail.flush()
        if self.given.is_shared:  # another host may judge by the journal whether rows are done
            with disk_errors(journal.path):
                journal.sync(time.perf_counter())
        return left

    def _evaluate_block(  # noqa: C901, PLR0912 - all of it runs once a row
        self, journal: JournalWriter, first: int, columns: Sequence[list[Any]]
    ) -> int:
        """Evaluate rows that follow each other; return the row before which it ended."""
        cells, slot = self.given.board.rows, self.given.slot
        call, done, clock, dumps = self.call, journal.done, time.perf_counter, self._dumps
        payloads, known, strayed = self._payloads, self._known_names, self._strayed
        check, pace = self.check, self.pace
        keep = pace.durations.append if pace.is_limited else None
        row, look_at = first - 1, -inf
        for values in zip(*columns, strict=True):
            row += 1
            cells[slot] = row
            began = ended = clock()
            if began >= look_at:
                look_at = pace.look(began)
                if look_at < began:
                    break
            try:
                result = call(*values)
                if strayed:  # a child that the user's code forked came back
                    os._exit(0)
                ended = clock()
                if type(result) is not dict:
                    result = as_mapping(result, self.task.execute)
                if not result.keys() <= known:
                    known.update(checked_names(result))
                if check is not None:
                    check(result)
                payload = dumps(result, PROTOCOL)
                if MAKES_OBJECTS in payload and dumps is pickle.dumps and has_objects(result):
                    dumps = self._dumps = Pickler().dumps
                    payload = dumps(result, PROTOCOL)
            except BaseException as err:  # noqa: BLE001 - the boundary to the user's code
                cause = unpicklable(result, err) if ended > began else err
                self._failed(journal, row, began, cause, values)
                if self.given.board.is_over_limit():
                    return row + 1
                continue
            if keep is not None:
                keep(ended - began)
            done(row, began, ended, payload)
            payloads[row] = payload
        else:
            row += 1
        cells[slot] = IDLE  # while the next assignments are decoded, no row is to blame
        if journal.size() > _KEEP_BYTES:
            payloads.clear()
        return row

    def _failed(
        self,
        journal: JournalWriter,
        row: int,
        began: float,
        cause: BaseException,
        values: Sequence[Any],
    ) -> None:
        if self._strayed:
            os._exit(1)
        ended = time.perf_counter()
        error = describe_error(cause)
        error["assignment"] = describe_assignment(dict(zip(self.names, values, strict=True)))
        error["duration"] = ended - began
        error["output"] = self.tail.last_lines()
        journal.failed(row, began, ended, error)
        self.pace.durations.append(ended - began)
        self.given.board.failed[self.given.slot] += 1
        self.tail.flush()

    def tell_of_death(self, job: Job, row: int, error: dict[str, Any]) -> None:
        """Journal the error of a row over which another process died, with its assignment."""
        values = self.space.columns(row, row + 1)
        assignment = {name: column[0] for name, column in values.items()}
        journal = self._journal_of(job)
        with disk_errors(journal.path):
            journal.failed(
                row, 0.0, 0.0, {**error, "assignment": describe_assignment(assignment)}
            )

    def _journal_of(self, job: Job) -> JournalWriter:
        """Return this process's journal of a job; there is one open at a time."""
        if self._journal is not None and self._journal[0] == job.name:
            return self._journal[1]
        self.close()
        self._payloads.clear()
        workdir = self.given.workdir
        writer = JournalWriter(workdir.new_journal(job.name), origin(job))
        self._journal = (job.name, writer)
        self.tail.lines.clear()
        if self.given.own_logs:
            self.tail.redirect(
                workdir.log(job.name).open(
                    "a", buffering=1, encoding="utf-8", errors="backslashreplace"
                )
            )
        return writer

    def finish(self, job: Job, spent: Mapping[str, float]) -> None:
        """Make the partial result of a job, if all of its rows are done.

        Parameters
        ----------
        job : Job
            The job.
        spent : dict
            How many seconds the worker's phases took so far, to note it.
        """
        payloads = None
        whole = False
        at_job = self._journal is not None and self._journal[0] == job.name
        if at_job and len(self._payloads) == rows.count(job.rows):
            payloads = self._payloads
        try:
            whole = write_partial(
                self.given.workdir,
                job,
                self.space,
                self.task.store.for_partials(),
                self.task.exclude_from_result,
                AtHand(payloads, spent, self.settler.add),
            )
        except Exception as err:  # noqa: BLE001 - a user's store may raise anything
            print(f"job {job.name}: {type(err).__name__}: {err}", flush=True)
        if at_job:
            self.close(sync=not whole)  # the journal is gone if its rows stand in there

    def close(self, *, sync: bool = True) -> None:
        """Close the journal."""
        if self._journal is not None:
            self._journal[1].close(sync=sync)
            self._journal = None


def _blocks(ranges: Ranges) -> Iterator[tuple[int, int]]:
    """Cut ranges of rows into blocks of which the assignments are decoded at once."""
    for start, stop in ranges:
        for low in range(start, stop, _BLOCK_ROWS):
            yield low, min(low + _BLOCK_ROWS, stop)
