"""Own when a row process is to start no further row; knows clocks, and nothing of rows."""

import time
from collections import deque
from collections.abc import Iterable
from math import inf

from psyrun.board import Board

_LOOK_SECONDS = 0.05
MOST_DURATIONS = 1000


class Pace:
    """Says row by row whether there is time for another, at hardly any cost.

    Parameters
    ----------
    board : Board
        Tells the moment after which no row is to be started.

    Attributes
    ----------
    durations : deque of float
        How long the last rows took, in seconds; only needed where `is_limited`.
    late : bool
        Whether it said no as the worker's time runs out, rather than that of a block.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._until = inf
        self._offset = 0.0
        self._first = True
        self.durations: deque[float] = deque(maxlen=MOST_DURATIONS)
        self.late = False

    def begin(self, until: float | None) -> None:
        """Begin a block that is to last until some moment of `time.monotonic`, if not None."""
        self._until = inf if until is None else until
        self._offset = time.monotonic() - time.perf_counter()
        self._first = True
        self.late = False

    def know(self, durations: Iterable[float], fits: float) -> None:
        """Learn how long rows took before, unless they usually took less than what fits."""
        self.durations.extend(durations)
        if self._usual() < fits:
            self.durations.clear()

    @property
    def is_limited(self) -> bool:
        """Whether the worker has an end, so that it matters how long rows take."""
        return self._board.end < inf

    def look(self, now: float) -> float:
        """Tell at what time to ask again, if a row may be started now; else minus infinity.

        Parameters
        ----------
        now : float
            What `time.perf_counter` says, in seconds.

        Notes
        -----
        A block's first row is started whatever the block's time, so that each block gets on.
        """
        first, self._first = self._first, False
        moment = now + self._offset
        self.late = moment + self._usual() >= self._board.end
        if self.late or (moment >= self._until and not first):
            return -inf
        return now + _LOOK_SECONDS

    def _usual(self) -> float:
        """Return the third quartile of the durations; 0 if there is none or no need."""
        if not self.durations or not self.is_limited:
            return 0.0
        return sorted(self.durations)[len(self.durations) * 3 // 4]
