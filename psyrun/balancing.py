"""Own how a worker that takes part in a whole run deals rows: its own first, then others'.

It is to its supervisor what `psyrun.dealing` is, but that the rows are shared with others.
"""

import heapq
import time
from collections import deque
from collections.abc import Sequence
from math import inf

from psyrun import rows
from psyrun.claimfiles import ClaimFiles
from psyrun.claims import Share
from psyrun.dealing import Dealer, turn_seconds
from psyrun.jobs import Job
from psyrun.remaining import left_to_do
from psyrun.rows import Ranges
from psyrun.workdir import Workdir

_MOST_POLL_SECONDS = 1.0
_LEAST_POLL_SECONDS = 0.05
_LOOKS_PER_POLL = 64
_LEAST_WAIT_SECONDS = 5.0
"""A block comes back when its turn is over, and the row under way with it."""

_LEAST_BLOCK_SECONDS = 0.05
_CLOCK_SECONDS = 1e-6
_Block = tuple[int, Ranges]


class BalancedDealer:
    """Takes blocks from the shares of a run, the largest first once its own is used up.

    How much is free of a share only falls, but for rows given back: so what was seen last is
    an upper bound, and only shares that may be the largest are looked at again.

    Parameters
    ----------
    files : ClaimFiles
        The shares; open.
    mine : int
        Which of them is the worker's own.
    processes : int
        How many row processes the worker has.
    """

    is_shared = True

    def __init__(self, files: ClaimFiles, mine: int, processes: int) -> None:
        self._files = files
        self._mine = mine
        self._processes = processes
        size = len(files.jobs)
        self._own = bool(files.mine.rows)
        # nothing is known of the others yet; each worker begins behind its own, not all at one
        self._queued = set(range(size)) - {mine}
        self._queue = sorted((-inf, (index - mine) % size, index) for index in self._queued)
        self._pending: dict[int, None] = {}
        self._whole: deque[int] = deque()
        self._pace: float | None = None
        self._dealt: dict[_Block, float] = {}
        self._began = time.monotonic()
        self._poll_at = -inf
        self._idle_since: float | None = None
        self._ready: _Block | None = None
        self._ready = self.next_block()

    @property
    def patience(self) -> float:
        """How many seconds may pass until it is asked again."""
        turn = turn_seconds(time.monotonic() - self._began)
        return min(max(turn / 4, _LEAST_POLL_SECONDS), _MOST_POLL_SECONDS)

    def has_work(self) -> bool:
        """Tell whether there is anything to do, or to wait for."""
        return bool(self._ready or self._whole or self.waits())

    def next_block(self) -> _Block | None:
        """Take the next block: the job's index, and rows; None if there is nothing now."""
        if self._poll_at > time.monotonic():
            return None
        block, self._ready = self._ready, None
        block = block or self._from_own() or self._from_largest() or self._from_pending()
        if block is not None:
            self._idle_since = None
        else:
            now = time.monotonic()
            self._poll_at = now + self.patience
            self._idle_since = self._idle_since or now
        return block

    def ended(self, index: int, block: Ranges, left: Ranges) -> None:
        """Note that a block is over; some rows of it had no turn, and anybody may take them."""
        self._learn(index, block, left)
        share = self._files.end(index, block, left)
        if left:
            self._poll_at = -inf
        self._keep(index, share, is_news=True)

    def _learn(self, index: int, block: Ranges, left: Ranges) -> None:
        """Note how long a row of this block took."""
        dealt = self._dealt.pop((index, block), None)
        if dealt is not None:
            done = rows.count(block) - rows.count(left)
            elapsed = max(time.monotonic() - dealt, _CLOCK_SECONDS)
            self._pace = elapsed / max(done, 1)

    def _bounds(self) -> tuple[int, int]:
        """Tell how many rows are worth the trouble of taking them, and how many fit in a turn.

        Where rows take microseconds, the claims would take longer than the rows; where they
        take hours, what cannot be begun soon is left to others. The first block is one row.
        """
        if self._pace is None:
            return 1, 1
        turn = turn_seconds(time.monotonic() - self._began)
        return max(1, int(_LEAST_BLOCK_SECONDS / self._pace)), max(1, int(turn / self._pace))

    def next_whole(self) -> int | None:
        """Name a job all of whose rows are settled, as it settled the last."""
        return self._whole.popleft() if self._whole else None

    def has_rows(self) -> bool:
        """Tell whether rows are free in shares that somebody has begun."""
        return self.left() > 0

    def left(self) -> int:
        """Count the free rows of shares that somebody has begun; what was over stays so."""
        unsettled = self._queued | self._pending.keys() | ({self._mine} if self._own else set())
        begun = filter(self._files.is_begun, unsettled)
        return sum(rows.count(self._files.look(index).free) for index in begun)

    def waits(self) -> bool:
        """Tell whether to wait for rows that others hold.

        For a while any worker does, as rows whose block took too long come back. Then one of
        the run waits on, in case another dies.
        """
        if not self._pending:
            return False
        now = time.monotonic()
        turn = turn_seconds(now - self._began)
        idle = now - (self._idle_since or now)
        return self._files.become_watch() or idle < max(turn, _LEAST_WAIT_SECONDS)

    def beat(self) -> None:
        """Let others see that this worker lives."""
        self._files.pulse.beat()

    def close(self) -> None:
        """Leave the run."""
        if self._ready is not None:
            index, block = self._ready
            self._files.end(index, block, block)
        self._files.close()

    def _from_own(self) -> _Block | None:
        return self._take(self._mine) if self._own else None

    def _from_largest(self) -> _Block | None:
        while self._queue:
            _, order, index = heapq.heappop(self._queue)
            self._queued.discard(index)
            share = self._files.look(index)
            free = rows.count(share.free)
            if free and self._queue and free < -self._queue[0][0]:
                self._queued.add(index)
                heapq.heappush(self._queue, (-free, order, index))
            elif free:
                if block := self._take(index):
                    return block
            else:
                self._keep(index, share)
        return None

    def _from_pending(self) -> _Block | None:
        """Look at shares all of whose rows were held, some each time."""
        for index in list(self._pending)[:_LOOKS_PER_POLL]:
            share = self._files.look(index)
            if share.free or self._files.orphaning(index, share):
                if block := self._take(index):
                    return block
            else:
                del self._pending[index]
                self._keep(index, share)  # behind all others
        return None

    def _take(self, index: int) -> _Block | None:
        share, block = self._files.take(index, self._processes, self._bounds())
        self._keep(index, share, is_news=True)
        if not block:
            return None
        self._dealt[index, block] = time.monotonic()
        return index, block

    def _keep(self, index: int, share: Share, *, is_news: bool = False) -> None:
        """Keep what is known of a share; `is_news` where this worker may have settled it."""
        if index == self._mine:
            self._own = bool(share.free)
        elif share.free and index not in self._queued:
            self._queued.add(index)
            order = (index - self._mine) % len(self._files.jobs)
            heapq.heappush(self._queue, (-rows.count(share.free), order, index))
        if share.free or share.is_over:
            self._pending.pop(index, None)
        else:
            self._pending[index] = None
        if share.is_over and is_news:
            self._whole.append(index)


def open_dealer(
    workdir: Workdir, jobs: Sequence[Job], most: int, mine: int | None
) -> tuple[Dealer | BalancedDealer, int]:
    """Find out what there is to do; return who deals it, and how many row processes to start.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    jobs : sequence of Job
        The jobs of one worker, or those of the whole run where workers share them.
    most : int
        How many row processes there may be.
    mine : int or None
        Which of the jobs is this worker's own, where they are shared.
    """
    if mine is None:
        todo = [left_to_do(workdir, job) for job in jobs]
        size = max(1, min(most, sum(map(rows.count, todo))))
        return Dealer(todo, size), size
    files = ClaimFiles(workdir, jobs, jobs[mine])
    files.open()
    return BalancedDealer(files, mine, most), most
