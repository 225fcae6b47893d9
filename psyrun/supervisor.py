"""Own the supervisor: it deals rows to row processes, and decides what follows from deaths.

Imports nothing of the user's.
"""

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psyrun import machine, rowprocess, rows, snapshot
from psyrun.board import IDLE, Board
from psyrun.code import CodeImage, FileWatch, frozen_code
from psyrun.dealing import Dealer
from psyrun.exceptions import TaskError
from psyrun.failures import describe_death
from psyrun.filedigests import read_digests
from psyrun.jobs import Job
from psyrun.overdue import Overdue
from psyrun.pool import DeadRow, Death, Member, Pool
from psyrun.remaining import around, failed_elsewhere, left_to_do
from psyrun.rowprocess import Brief
from psyrun.rows import Ranges
from psyrun.units import duration
from psyrun.verdicts import Verdicts
from psyrun.workdir import Workdir

_MOST_DEATHS = 3
"""How often a slot's process may die without getting to a row, before the slot is given up."""

_MOST_TRIES = 2
"""How often a row is evaluated at most if its process is killed from outside."""

_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_COUNT_SECONDS = 10.0
_MOST_WORDS = 4000


@dataclass
class Supervisor:
    """Evaluates the rows of some jobs with a pool of row processes.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    jobs : sequence of Job
        The jobs, all of one run.
    pool_size : int
        How many row processes to start at most.
    lifeline : int or None
        A file descriptor; when its other end closes, this process ends.
    """

    workdir: Workdir
    jobs: Sequence[Job]
    pool_size: int
    lifeline: int | None
    image: CodeImage = field(init=False)
    dealer: Dealer = field(init=False)
    pool: Pool = field(init=False)
    watch: FileWatch = field(init=False)
    verdicts: Verdicts = field(init=False)
    overdue: Overdue = field(init=False)
    failed: bool = False
    _ended: bool = False
    _last_cause: str = ""
    _deaths: dict[int, int] = field(default_factory=dict)
    _tries: dict[tuple[int, int], int] = field(default_factory=dict)
    _begun: set[int] = field(default_factory=set)
    _untold: deque[DeadRow] = field(default_factory=deque)
    _count_due: float = 0.0

    def run(self) -> int:
        """Evaluate all rows that are not done yet; return the exit code."""
        first = self.jobs[0]
        self.verdicts = Verdicts(self.workdir)
        self.overdue = Overdue(first.timeout)
        self.image = frozen_code(self.workdir.code(first.code))
        snapshot.check(self.workdir.snapshot(first.snapshot))
        known = read_digests(self.workdir.file_digests)
        self.watch = FileWatch(self.image, Path(first.taskdir), known)
        if self._fails_by_files():
            return 1
        todo = [left_to_do(self.workdir, job) for job in self.jobs]
        size = max(1, min(self.pool_size, sum(map(rows.count, todo))))
        self.dealer = Dealer(todo, size)
        machine.limit_threads(size)
        self.pool = Pool(Board(size), self._become, self.lifeline)
        self._look_for_failures()
        if self._ended:
            return 1
        self.pool.open()
        try:
            for slot in range(size):
                self.pool.start(slot)
            self._supervise()
        finally:
            self._untold += [m.telling for m in self.pool.members.values() if m.telling]
            self.pool.end()
            self._tell_what_is_left()
        self._give_up_what_is_left()
        return int(self.failed)

    def _become(self, slot: int, orders: int, answers: int, report: int) -> None:
        """Be a row process."""
        null = os.open(os.devnull, os.O_RDONLY)  # user code is not to read the lifeline
        os.dup2(null, 0)
        os.close(null)
        rowprocess.main(
            Brief(
                slot=slot,
                workdir=self.workdir,
                jobs=self.jobs,
                image=self.image,
                board=self.pool.board,
                orders=orders,
                answers=answers,
                report=report,
                own_logs=self.lifeline is not None,
            )
        )

    def _supervise(self) -> None:
        """Hear and answer row processes, until there are none or the run has to stop."""
        while self.pool.members and not self._ended:
            for member, event in self.pool.events(self._patience()):
                if isinstance(event, Death):
                    self._see_to_death(member, event)
                else:
                    self._hear(member, event)
            self.overdue.look(self.pool)
            self._look_for_failures()

    def _patience(self) -> float | None:
        """For how many seconds to wait for events; None is as long as it takes."""
        counting = _COUNT_SECONDS if self.jobs[0].max_failures else None
        waits = [w for w in (counting, self.overdue.patience) if w is not None]
        return min(waits, default=None)

    def _hear(self, member: Member, answer: dict[str, Any]) -> None:
        match answer:
            case {"broken": error}:
                self._fail_jobs(error)
                return
            case {"stopped": _}:
                self._stop()
                return
            case {"evaluated": index}:
                self.dealer.settled(index, rows.count(member.block))
                self._deaths[member.slot] = 0
        member.job, member.block, member.telling = None, (), None
        self._occupy(member)

    def _occupy(self, member: Member) -> None:
        """Give an idle process its next order."""
        if self._untold:
            member.telling = self._untold.popleft()
            index, row, error = member.telling
            member.order({"dead": row, "job": index, "error": error})
            return
        whole = self.dealer.next_whole()
        if whole is not None:
            member.order({"finish": whole})
            return
        block = self.dealer.next_block()
        if block is not None:
            if block[0] not in self._begun and self._fails_by_files():
                return
            self._begun.add(block[0])
            member.job, member.block = block
            member.order({"job": member.job, "rows": member.block})
            return
        member.order("stop")

    def _fails_by_files(self) -> bool:
        """Let all jobs fail if a file that results depend on has changed since submission."""
        changed = self.watch.changed()
        if changed:
            what = f"file_dep changed since the task was submitted: {', '.join(changed[:5])}"
            message = f"{what}; run the task again"
            self._fail_jobs(describe_death(message, kind=TaskError.__name__))
        return bool(changed)

    def _look_for_failures(self) -> None:
        """Count the failures of the run's other jobs now and then, as all count together."""
        most = self.jobs[0].max_failures
        if most is None or time.monotonic() < self._count_due:
            return
        self._count_due = time.monotonic() + _COUNT_SECONDS
        elsewhere = failed_elsewhere(self.workdir, {job.name for job in self.jobs}, most)
        self.pool.board.limit = max(1, most - elsewhere)
        if elsewhere >= most:
            self._stop()

    def _see_to_death(self, member: Member, death: Death) -> None:
        """Do justice to the row that a dead process was at, and start another process."""
        if death.code == 0 and member.stopping:
            return
        if member.telling is not None:
            self._note_failed(*member.telling)
        row = self.pool.board.rows[member.slot]
        if member.job is not None and row != IDLE:
            self._deaths[member.slot] = 0
            self._judge(member, row, death)
        else:
            if member.job is not None:
                self._take_back(member.job, member.block)
            deaths = self._deaths[member.slot] = self._deaths.get(member.slot, 0) + 1
            if deaths >= _MOST_DEATHS:
                self._last_cause = death.cause
                say(
                    f"a row process died {deaths} times before it got to a row, so no other "
                    f"is started in its place: {death.cause}"
                )
                return
        if not self._ended:
            self.pool.start(member.slot)

    def _judge(self, member: Member, row: int, death: Death) -> None:
        """Decide whether a row under way when its process died failed, or has another try."""
        assert member.job is not None
        before, rest = around(member.block, row)
        self.dealer.settled(member.job, before)
        if member.overdue not in (None, row):  # that row did end, and this one is innocent
            self.dealer.give_back(member.job, ((row, row + 1), *rest))
            return
        tries = self._tries[member.job, row] = self._tries.get((member.job, row), 0) + 1
        outside = member.overdue is None and -death.code in _FROM_OUTSIDE
        if outside and tries < _MOST_TRIES:
            self.dealer.give_back(member.job, ((row, row + 1), *rest))
            return
        self.dealer.settled(member.job, 1)
        self.dealer.give_back(member.job, rest)
        self.failed = True
        self._untold.append((member.job, row, self._error_of(member, death)))
        self.pool.board.failed[member.slot] += 1
        if self.pool.board.is_over_limit():
            self._stop()

    def _error_of(self, member: Member, death: Death) -> dict[str, Any]:
        timeout = self.jobs[0].timeout
        if member.overdue is not None and timeout is not None:
            cause = f"the row took longer than its timeout of {duration(timeout)}"
            return describe_death(cause, death.report, kind="Timeout")
        error = describe_death(f"the process died: {death.cause}", death.report)
        return {**error, "memory": death.memory}

    def _take_back(self, index: int, block: Ranges) -> None:
        """Deal the rows of a block again that no journal holds."""
        left = rows.common(block, left_to_do(self.workdir, self.jobs[index], retry=False))
        self.dealer.settled(index, rows.count(block) - rows.count(left))
        self.dealer.give_back(index, left)

    def _stop(self) -> None:
        """End the run, as too many rows failed."""
        most = self.jobs[0].max_failures
        message = f"{rows.text(most or 0)} failed (max_failures = {most})"
        self._fail_jobs(describe_death(message, kind="TooManyFailures"))

    def _fail_jobs(self, error: dict[str, Any]) -> None:
        """Note why the jobs with rows left are not evaluated any further, once."""
        if self._ended:
            return
        self._ended = self.failed = True
        say(f"{error['type']}: {error['message']}", self.lifeline)
        self.verdicts.jobs_failed(self.jobs, error)

    def _tell_what_is_left(self) -> None:
        """Journal what no row process was there to journal."""
        while self._untold:
            self._note_failed(*self._untold.popleft())

    def _note_failed(self, index: int, row: int, error: dict[str, Any]) -> None:
        self.verdicts.row_failed(self.jobs[index], row, error)

    def _give_up_what_is_left(self) -> None:
        """Note why rows had no turn, if some did not though the run was not stopped."""
        if self.dealer.has_rows():
            cause = f"the row processes died before they got to a row: {self._last_cause}"
            self._fail_jobs(describe_death(cause))
        self.verdicts.close()


def say(message: str, lifeline: int | None = None) -> None:
    """Print to the log; what ends the worker, also to whoever waits for it."""
    with suppress(OSError):
        print(message, file=sys.stderr, flush=True)
    if lifeline is not None:
        with suppress(OSError):  # not more than fits, since it is read only at the end
            os.write(lifeline, f"{message[:_MOST_WORDS]}\n".encode(errors="replace"))
