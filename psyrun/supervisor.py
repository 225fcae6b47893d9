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
from math import inf
from pathlib import Path
from typing import Any

from psyrun import machine, rowprocess, rows, snapshot
from psyrun.board import IDLE, Board
from psyrun.code import CodeImage, FileWatch, frozen_code
from psyrun.dealing import Dealer
from psyrun.exceptions import SchedulerError, TaskError
from psyrun.failures import describe_death
from psyrun.filedigests import read_digests
from psyrun.jobs import Job
from psyrun.jobtime import JobTime, Terminated, time_of
from psyrun.overdue import Overdue
from psyrun.pool import DeadRow, Death, Member, Pool
from psyrun.remaining import around, failed_elsewhere, left_to_do
from psyrun.rowprocess import Brief
from psyrun.rows import Ranges
from psyrun.scheduler import inside
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
_TURN_SHARE = 20
_LEAST_TURN_SECONDS = 0.2
_MOST_TURN_SECONDS = 30.0


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
    job_time: JobTime = field(init=False)
    failed: bool = False
    _ended: bool = False
    _early: bool = False
    _was_late: bool = False
    _cut_off: bool = False
    _began: float = field(default_factory=time.monotonic)
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
        self.job_time = time_of(self.workdir, first)
        self.overdue = Overdue(first.timeout)
        self.image = frozen_code(self.workdir.code(first.code))
        snapshot.check(self.workdir.snapshot(first.snapshot))
        known = read_digests(self.workdir.file_digests)
        self.watch = FileWatch(self.image, Path(first.taskdir), known)
        if self._came_too_often() or self._fails_by_files():
            return 1
        todo = [left_to_do(self.workdir, job) for job in self.jobs]
        size = max(1, min(self.pool_size, sum(map(rows.count, todo))))
        self.dealer = Dealer(todo, size)
        machine.limit_threads(size)
        self.pool = Pool(Board(size), self._become, self.lifeline)
        self.pool.board.end = -inf if self._early else self.job_time.last_start
        self._look_for_failures()
        if self._ended:
            return 1
        self.pool.open()
        terminated = None
        try:
            for slot in range(size):
                self.pool.start(slot)
            self._supervise()
        except Terminated as end:
            terminated = end
        finally:
            members = self.pool.members.values()
            self._cut_off = any(member.block for member in members)
            self._untold += [member.telling for member in members if member.telling]
            self.pool.end()
            self._tell_what_is_left()
        if terminated is not None and not self.job_time.is_near():
            say("ended: a signal asked for it")
            raise terminated
        return self._conclude()

    def end_early(self) -> None:
        """Start no further row; those under way are finished."""
        self._early = True
        if hasattr(self, "pool"):
            self.pool.board.end = -inf

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
        while (
            self.pool.members and not self._ended and time.monotonic() < self.job_time.give_up
        ):
            for member, event in self.pool.events(self._patience()):
                if isinstance(event, Death):
                    self._see_to_death(member, event)
                else:
                    self._hear(member, event)
            for member in [m for m in self.pool.members.values() if m.idle]:
                self._occupy(member)
            self.overdue.look(self.pool)
            self._look_for_failures()

    def _patience(self) -> float | None:
        """For how many seconds to wait for events; None is as long as it takes."""
        counting = _COUNT_SECONDS if self.jobs[0].max_failures else None
        waits = [w for w in (counting, self.overdue.patience) if w is not None]
        if self.job_time.end < inf:
            waits.append(max(self.job_time.give_up - time.monotonic(), 0.0))
        return min(waits, default=None)

    def _hear(self, member: Member, answer: dict[str, Any]) -> None:
        match answer:
            case {"broken": error}:
                self._fail_jobs(error)
                return
            case {"stopped": _}:
                self._stop()
                return
            case {"evaluated": index, "left": left, "late": late}:
                back = tuple((start, stop) for start, stop in left)
                self.dealer.settled(index, rows.count(member.block) - rows.count(back))
                self.dealer.give_back(index, back)
                member.late = late
                self._was_late = self._was_late or late
                self._deaths[member.slot] = 0
        member.job, member.block, member.telling = None, (), None
        self._occupy(member)

    def _occupy(self, member: Member) -> None:
        """Give a process without work its next order; none while rows may come back."""
        order = self._next_order(member)
        if self._ended:
            return
        others = any(rows.count(other.block) > 1 for other in self.pool.members.values())
        member.idle = order is None and others and not self._is_late(member)
        if not member.idle:
            member.order("stop" if order is None else order)

    def _next_order(self, member: Member) -> dict[str, Any] | None:
        if self._untold:
            member.telling = self._untold.popleft()
            index, row, error = member.telling
            return {"dead": row, "job": index, "error": error}
        whole = self.dealer.next_whole()
        if whole is not None:
            return {"finish": whole}
        block = None if self._is_late(member) else self.dealer.next_block()
        if block is None:
            return None
        member.job, member.block = block
        if member.job not in self._begun and self._fails_by_files():
            return None
        self._begun.add(member.job)
        return {"job": member.job, "rows": member.block, "until": self._turn_end()}

    def _is_late(self, member: Member) -> bool:
        """Tell whether there is no time for another row."""
        return member.late or time.monotonic() >= self.pool.board.end

    def _turn_end(self) -> float | None:
        """Tell when a block has to make way for others, that its rows may be shared anew."""
        if len(self.pool.board.rows) == 1:
            return None
        now = time.monotonic()
        turn = max((now - self._began) / _TURN_SHARE, _LEAST_TURN_SECONDS)
        return now + min(turn, _MOST_TURN_SECONDS)

    def _came_too_often(self) -> bool:
        """Let the jobs fail if this one was started again more often than it may be."""
        error = self.job_time.too_often()
        if error is not None:
            self._fail_jobs(error)
        return error is not None

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

    def _conclude(self) -> int:
        """Say why this worker ends, and what becomes of rows that are left; return the code."""
        code = int(self.failed)
        if not self._ended:
            code = self._end_with(self._rows_left())
        self.verdicts.close()
        return code

    def _rows_left(self) -> int:
        """Count the rows that had no turn."""
        if not self.dealer.has_rows() and not self._cut_off:
            return 0
        left = (left_to_do(self.workdir, job, retry=False) for job in self.jobs)
        return sum(map(rows.count, left))

    def _end_with(self, left: int) -> int:
        """End with some rows left, or with none."""
        if not left:
            say("ended: all rows had their turn" + (", and some failed" if self.failed else ""))
        elif self._early or self._was_late or self.job_time.is_near():
            return self._end_for_time(left)
        else:
            cause = f"the row processes died before they got to a row: {self._last_cause}"
            self._fail_jobs(describe_death(cause))
        return int(self.failed)

    def _end_for_time(self, left: int) -> int:
        """Come back if that is possible; else the jobs fail."""
        if self.job_time.may_come_back():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # that is how Slurm does it
            try:
                inside.come_back()
            except SchedulerError as err:
                say(f"the job cannot come back: {err}")
            else:
                say(f"ended: the job's time ran out with {rows.text(left)} left; it comes back")
                return inside.COMES_BACK
        self._fail_jobs(self.job_time.ran_out(left))
        return 1


def say(message: str, lifeline: int | None = None) -> None:
    """Print to the log; what ends the worker, also to whoever waits for it."""
    with suppress(OSError):
        print(message, file=sys.stderr, flush=True)
    if lifeline is not None:
        with suppress(OSError):  # not more than fits, since it is read only at the end
            os.write(lifeline, f"{message[:_MOST_WORDS]}\n".encode(errors="replace"))
