"""Own the memory that a worker's processes share: a few numbers for each row process.

It outlives whoever writes into it: what a row process was at is still there when it has died.
"""

import mmap
from math import inf

IDLE = -1
"""What stands for the row under way between rows."""

_NUMBER_BYTES = 8


class Board:
    """Numbers that a supervisor, its row processes and its guard all see; make it, then fork.

    Each is written by one process only, in one machine word, so there is nothing to lock.

    Parameters
    ----------
    slots : int
        How many row processes there are at a time.

    Attributes
    ----------
    rows : memoryview of int64
        The row that each row process is at, or `IDLE`; written by that process.
    failed : memoryview of int64
        How many rows failed in the row processes that had this slot; written by these.
    pids : memoryview of int64
        The process in each slot, also the number of its process group; 0 for none. Written by
        the supervisor.
    """

    def __init__(self, slots: int) -> None:
        whole = memoryview(mmap.mmap(-1, (3 * slots + 2) * _NUMBER_BYTES))
        memory = whole.cast("q")
        self.rows: memoryview[int] = memory[:slots]
        self.failed: memoryview[int] = memory[slots : 2 * slots]
        self.pids: memoryview[int] = memory[2 * slots : 3 * slots]
        self._limit: memoryview[int] = memory[3 * slots : 3 * slots + 1]
        self._end: memoryview[float] = whole[-_NUMBER_BYTES:].cast("d")
        self.end = inf
        self.rows[:] = memoryview(b"\xff" * _NUMBER_BYTES * slots).cast("q")

    @property
    def limit(self) -> int:
        """How many rows may fail in this worker before it stops; 0 is no limit."""
        return self._limit[0]

    @limit.setter
    def limit(self, rows: int) -> None:
        self._limit[0] = rows

    @property
    def end(self) -> float:
        """The moment of `time.monotonic` from which on no row is started; infinity if none."""
        return self._end[0]

    @end.setter
    def end(self, moment: float) -> None:
        self._end[0] = moment

    def is_over_limit(self) -> bool:
        """Tell whether so many rows failed that this worker is to stop."""
        return 0 < self.limit <= sum(self.failed)
