"""Own the supervisor: it deals rows to row processes, and decides what follows from deaths.

Imports nothing of the user's.
"""

import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from psyrun import behind, machine, rowprocess, rows, snapshot
from psyrun.balancing import BalancedDealer, open_dealer
from psyrun.board import IDLE, Board
from psyrun.code import CodeImage, FileWatch, frozen_code
from psyrun.dealing import Dealer, turn_seconds
from psyrun.exceptions import TaskError
from psyrun.failures import describe_death
from psyrun.filedigests import read_digests
from psyrun.jobs import Job
from psyrun.jobtime import JobTime, Terminated, time_of
from psyrun.judging import Judge
from psyrun.lastwords import say
from psyrun.member import DeadRow, Death, Member
from psyrun.overdue import Overdue
from psyrun.pool import Pool
from psyrun.pulse import BEAT_SECONDS
from psyrun.remaining import around, left_to_do
from psyrun.rowprocess import Brief
from psyrun.rows import Ranges
from psyrun.scheduler import inside
from psyrun.timing import Tally
from psyrun.toomany import TooMany
from psyrun.verdicts import Verdicts
from psyrun.workdir import Workdir, run_of

_MOST_DEATHS = 3
"""How often a slot's process may die without getting to a row, before the slot is given up."""


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
    mine : int or None
        Which of the jobs is this worker's own, where it shares them all with the run's other
        workers. None if they are all its own.
    """

    workdir: Workdir
    jobs: Sequence[Job]
    pool_size: int
    lifeline: int | None
    mine: int | None = None
    image: CodeImage = field(init=False)
    dealer: Dealer | BalancedDealer = field(init=False)
    judge: Judge = field(init=False)
    pool: Pool = field(init=False)
    watch: FileWatch = field(init=False)
    verdicts: Verdicts = field(init=False)
    overdue: Overdue = field(init=False)
    too_many: TooMany = field(init=False)
    job_time: JobTime = field(init=False)
    tally: Tally = field(default_factory=Tally)
    failed: bool = False
    _ended: bool = False
    _early: bool = False
    _was_late: bool = False
    _settled: bool = False
    _stuck_since: float = inf
    _left: int = 0
    _began: float = field(default_factory=time.monotonic)
    _last_cause: str = ""
    _deaths: dict[int, int] = field(default_factory=dict)
    _begun: set[int] = field(default_factory=set)
    _untold: deque[DeadRow] = field(default_factory=deque)

    def run(self) -> int:
        """Evaluate all rows that are not done yet; return the exit code."""
        first = self.job
        self.verdicts = Verdicts(self.workdir)
        self.judge = Judge(first.timeout)
        self.job_time = time_of(self.workdir, first)
        self.overdue = Overdue(first.timeout)
        self.image = frozen_code(self.workdir.code(first.code))
        snapshot.check(self.workdir.snapshot(first.snapshot))
        known = read_digests(self.workdir.file_digests)
        self.watch = FileWatch(self.image, Path(first.taskdir), known)
        if (error := self.job_time.too_often()) is not None:
            self._fail_jobs(error)
        if self._ended or self._fails_by_files():
            return 1
        self.dealer, size = open_dealer(self.workdir, self.jobs, self.pool_size, self.mine)
        mine = None if self.dealer.is_shared else {job.name for job in self.jobs}
        self.too_many = TooMany(self.workdir, run_of(first.name), first.max_failures, mine)
        machine.limit_threads(size)
        self.pool = Pool(Board(size), self._become, self.lifeline)
        self.pool.board.end = self.job_time.last_start
        if self._early:  # looked at last: the signal may come at any moment
            self.pool.board.end = -inf
        if self.too_many.look(self.pool.board):
            self._stop()
        if self._ended or not self.dealer.has_work():
            self._leave(())
            return self._conclude()
        self.pool.open()
        terminated, terminated_at = None, 0.0
        try:
            for slot in range(size):
                self.pool.start(slot)
            self._supervise()
        except Terminated as end:
            terminated, terminated_at = end, time.monotonic()
        finally:
            members = self.pool.members.values()
            self._settled |= behind.any_done(self.pool)
            self._stuck_since = min((m.began for m in members if m.block), default=inf)
            cut_off = [(m.job, m.block) for m in members if m.job is not None]
            self._untold += [member.telling for member in members if member.telling]
            self.pool.end()
            self._tell_what_is_left()
            self._leave(cut_off)
        if terminated is not None:
            if not self.job_time.is_over(terminated_at):
                say("ended: a signal asked for it")
                raise terminated
            self._early = True
        return self._conclude()

    @property
    def job(self) -> Job:
        """The job that says what holds for all of them."""
        return self.jobs[self.mine or 0]

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
                is_shared=self.dealer.is_shared,
                known=self.job.name,
                fits=0.0 if slot in self._deaths else self.job_time.fits,
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
            for index, rest in behind.freed(self.pool):
                self.dealer.ended(index, rest, rest)
            for member in [m for m in self.pool.members.values() if m.idle]:
                self._occupy(member)
            self.dealer.beat()
            self.overdue.look(self.pool)
            if self.too_many.look(self.pool.board):
                self._stop()

    def _patience(self) -> float | None:
        """For how many seconds to wait for events; None is as long as it takes."""
        waits = [w for w in (self.too_many.patience, self.overdue.patience) if w is not None]
        if isinstance(self.dealer, BalancedDealer):
            idle = any(member.idle for member in self.pool.members.values())
            waits.append(self.dealer.patience if idle else BEAT_SECONDS)
        if (free_in := behind.patience(self.pool)) < inf:
            waits.append(free_in)
        if self.job_time.end < inf:
            waits.append(max(self.job_time.give_up - time.monotonic(), 0.0))
        return min(waits, default=None)

    def _hear(self, member: Member, answer: dict[str, Any]) -> None:
        self.tally.add(answer.get("spent", {}))
        match answer:
            case {"broken": error}:
                self._fail_jobs(error)
                return
            case {"stopped": _}:
                self._stop()
                return
            case {"told": index} if member.telling is not None:
                row, self._settled = member.telling[1], True
                self.dealer.ended(index, ((row, row + 1),), ())
            case {"evaluated": index, "left": left, "late": late}:
                back = rows.common(tuple((a, b) for a, b in left), member.block)
                self._settled |= rows.count(back) < rows.count(member.block)
                self.dealer.ended(index, member.block, back)
                member.late = late
                self._was_late |= late
                self._deaths[member.slot] = 0
        member.job, member.block, member.telling = None, (), None
        self._occupy(member)

    def _occupy(self, member: Member) -> None:
        """Give a process without work its next order; none while rows may come back."""
        order = self._next_order(member)
        if self._ended:
            return
        others = any(rows.count(other.block) > 1 for other in self.pool.members.values())
        may_come = order is None and not self._is_late(member)
        member.idle = may_come and (others or self.dealer.waits())
        if not member.idle:
            member.order("stop" if order is None else order)

    def _next_order(self, member: Member) -> dict[str, Any] | None:
        if self._untold:
            member.telling = self._untold.popleft()
            index, row, error = member.telling
            return {"dead": row, "job": index, "error": error}
        if (order := self._next_whole()) is not None:
            return order
        block = None if self._is_late(member) else self.dealer.next_block()
        if block is None:
            return self._next_whole()  # the look for rows may have found one
        member.job, member.block = block
        member.began = time.monotonic()
        if member.job not in self._begun and self._fails_by_files():
            return None
        self._begun.add(member.job)
        until = self._turn_end()
        member.turn_end = inf if until is None else until
        return {"job": member.job, "rows": member.block, "until": until}

    def _next_whole(self) -> dict[str, Any] | None:
        """Order the partial result of a job all of whose rows are settled, if there is one."""
        whole = self.dealer.next_whole()
        if whole is None:
            return None
        return {"finish": whole, "spent": self.tally.take(len(self.pool.board.rows))}

    def _is_late(self, member: Member) -> bool:
        """Tell whether there is no time for another row."""
        return member.late or time.monotonic() >= self.pool.board.end

    def _turn_end(self) -> float | None:
        """Tell when a block has to make way for others, that its rows may be shared anew."""
        if len(self.pool.board.rows) == 1 and not self.dealer.is_shared:
            return None
        now = time.monotonic()
        return now + turn_seconds(now - self._began)

    def _fails_by_files(self) -> bool:
        """Let all jobs fail if a file that results depend on has changed since submission."""
        changed = self.watch.changed()
        if changed:
            what = f"file_dep changed since the task was submitted: {', '.join(changed[:5])}"
            message = f"{what}; run the task again"
            self._fail_jobs(describe_death(message, kind=TaskError.__name__))
        return bool(changed)

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
        """Note that the row under way when its process died failed, or give it another try."""
        assert member.job is not None
        _, rest = around(member.block, row)
        error = self.judge.verdict(member, row, death)
        if error is None:
            self.dealer.ended(member.job, member.block, ((row, row + 1), *rest))
            return
        # the row itself is not over before its error is journaled
        self.dealer.ended(member.job, rows.without(member.block, ((row, row + 1),)), rest)
        self.failed = True
        self._untold.append((member.job, row, error))
        self.pool.board.failed[member.slot] += 1
        if self.pool.board.is_over_limit():
            self._stop()

    def _take_back(self, index: int, block: Ranges) -> None:
        """Deal the rows of a block again that no journal holds."""
        left = rows.common(block, left_to_do(self.workdir, self.jobs[index], retry=False))
        self.dealer.ended(index, block, left)

    def _stop(self) -> None:
        """End the run, as too many rows failed."""
        most = self.job.max_failures
        message = f"{rows.text(most or 0)} failed (max_failures = {most})"
        self._fail_jobs(describe_death(message, kind="TooManyFailures"))

    def _fail_jobs(self, error: dict[str, Any]) -> None:
        """Note why the jobs with rows left are not evaluated any further, once."""
        if self._ended:
            return
        self._ended = self.failed = True
        say(f"{error['type']}: {error['message']}", self.lifeline)
        self.verdicts.jobs_failed(self.jobs if self.mine is None else [self.job], error)

    def _tell_what_is_left(self) -> None:
        """Journal what no row process was there to journal."""
        while self._untold:
            self._note_failed(*self._untold.popleft())

    def _note_failed(self, index: int, row: int, error: dict[str, Any]) -> None:
        self.verdicts.row_failed(self.jobs[index], row, error)
        self.dealer.ended(index, ((row, row + 1),), ())

    def _conclude(self) -> int:
        """Say why this worker ends, and what becomes of rows that are left; return the code."""
        code = int(self.failed)
        if not self._ended:
            code = self._end_with(self._left)
        self.verdicts.close()
        return code

    def _leave(self, cut_off: Iterable[tuple[int, Ranges]]) -> None:
        """Count the rows that had no turn; let others have them where there are others."""
        if isinstance(self.dealer, BalancedDealer):
            for index, block in cut_off:
                self._take_back(index, block)
            self._left = self.dealer.left()
            self.dealer.close()
        elif cut_off or self.dealer.has_rows():
            left = (left_to_do(self.workdir, job, retry=False) for job in self.jobs)
            self._left = sum(map(rows.count, left))

    def _end_with(self, left: int) -> int:
        """End with some rows left, or with none."""
        if not left:
            some = ", and some failed" if any(self.pool.board.failed) else ""
            say(f"ended: all rows had their turn{some}")
        elif self._early or self._was_late or time.monotonic() >= self.job_time.last_start:
            return self._end_for_time(left)
        elif self.dealer.is_shared and not self._last_cause:
            say(f"ended: others are at the last rows, {rows.text(left)} of which came back")
        else:
            cause = f"the row processes died before they got to a row: {self._last_cause}"
            self._fail_jobs(describe_death(cause))
        return int(self.failed)

    def _end_for_time(self, left: int) -> int:
        """Come back if that is possible; else the jobs fail."""
        futile = not self._settled and self.job_time.is_futile(
            self._began, self._stuck_since, refused=self._was_late and not self._early
        )
        if not futile and self.job_time.comes_back(left):
            return inside.COMES_BACK
        self._fail_jobs(self.job_time.ran_out(left, futile=futile))
        return 1
