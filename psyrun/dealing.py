"""Own how a worker deals its rows to its row processes; pure bookkeeping, no processes.

Blocks get smaller as rows run out, so that all processes end at nearly the same time however
unequal their rows are.
"""

from collections import deque
from collections.abc import Sequence

from psyrun import rows
from psyrun.rows import Ranges

_BLOCKS_EACH = 4
_MOST_ROWS = 50_000


class Dealer:
    """Keeps which rows of which job are still to be dealt.

    Parameters
    ----------
    todo : sequence of ranges
        The rows to evaluate, one entry a job.
    processes : int
        How many row processes there are.
    """

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
