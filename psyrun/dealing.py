"""Own how a worker deals its rows to its row processes; pure bookkeeping, no processes.

Blocks get smaller as rows run out, so that all processes end at nearly the same time however
unequal their rows are.
"""

from collections import deque
from collections.abc import Sequence

from psyrun import rows
from psyrun.rows import Ranges

_BLOCKS_EACH = 4
_TURN_SHARE = 20
_LEAST_TURN_SECONDS = 0.2
_MOST_TURN_SECONDS = 30.0
_MOST_ROWS = 50_000


def turn_seconds(elapsed: float) -> float:
    """Tell how long a block may take, given how long the worker is at work, in seconds.

    Examples
    --------
    >>> turn_seconds(1), turn_seconds(100), turn_seconds(10_000)
    (0.2, 5.0, 30.0)
    """
    return min(max(elapsed / _TURN_SHARE, _LEAST_TURN_SECONDS), _MOST_TURN_SECONDS)


class Dealer:
    """Keeps which rows of which job are still to be dealt.

    Parameters
    ----------
    todo : sequence of ranges
        The rows to evaluate, one entry a job.
    processes : int
        How many row processes there are.
    """

    is_shared = False
    """Whether other workers deal the same rows."""

    def __init__(self, todo: Sequence[Ranges], processes: int) -> None:
        self._processes = processes
        self._waiting: deque[tuple[int, Ranges]] = deque(
            (index, ranges) for index, ranges in enumerate(todo) if ranges
        )
        self._left = sum(rows.count(ranges) for ranges in todo)
        self._unfinished = [rows.count(ranges) for ranges in todo]
        self._whole = deque(index for index, ranges in enumerate(todo) if not ranges)

    def next_block(self) -> tuple[int, Ranges] | None:
        """Deal the next block: the job's index, and rows; None if there are no more."""
        if not self._waiting:
            return None
        wanted = max(1, min(self._left // (_BLOCKS_EACH * self._processes), _MOST_ROWS))
        index, ranges = self._waiting.popleft()
        size = rows.count(ranges)
        taken = min(wanted, size)
        block, rest = rows.split(ranges, [taken, size - taken])
        if rest:
            self._waiting.appendleft((index, rest))
        self._left -= taken
        return index, block

    def ended(self, index: int, block: Ranges, left: Ranges) -> None:
        """Note that a block is over; some rows of it had no turn, and are dealt again."""
        self.give_back(index, left)
        self.settled(index, rows.count(block) - rows.count(left))

    def has_work(self) -> bool:
        """Tell whether there is anything to do; a worker of its own always looks itself."""
        return True

    def waits(self) -> bool:
        """Tell whether to wait for rows that other workers hold."""
        return False

    def beat(self) -> None:
        """Do what has to be done now and then: nothing."""

    def has_rows(self) -> bool:
        """Tell whether there are rows to deal."""
        return bool(self._waiting)

    def give_back(self, index: int, ranges: Ranges) -> None:
        """Take back rows that were dealt and not evaluated; they are dealt again."""
        if ranges:
            self._waiting.appendleft((index, ranges))
            self._left += rows.count(ranges)

    def settled(self, index: int, count: int) -> None:
        """Note that some rows of a job need no more work."""
        self._unfinished[index] -= count
        if count and not self._unfinished[index]:
            self._whole.append(index)

    def next_whole(self) -> int | None:
        """Name a job all of whose rows are settled, each job once; None if there is none."""
        return self._whole.popleft() if self._whole else None
