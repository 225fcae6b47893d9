"""Own the watch over rows that fail: all jobs of a run count together, wherever they are."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field

from psyrun.board import Board
from psyrun.remaining import failed_elsewhere
from psyrun.workdir import Workdir

_LEAST_SECONDS = 0.5
_MOST_SECONDS = 10.0
_LOOKS_APART = 20
"""How many times as long as a look takes there is until the next."""


@dataclass
class TooMany:
    """Counts the failures of a run's other jobs now and then, and sets this worker's limit.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    run : int
        The run.
    most : int or None
        How many rows may fail before the run ends; None is no limit.
    mine : collection of str or None
        Jobs that no other worker evaluates; None if others are at all of them too.
    """

    workdir: Workdir
    run: int
    most: int | None
    mine: Collection[str] | None
    _due: float = field(default=0.0, init=False)
    _pause: float = field(default=_LEAST_SECONDS, init=False)

    @property
    def patience(self) -> float | None:
        """How often to look, in seconds; None is never."""
        return self._pause if self.most else None

    def look(self, board: Board) -> bool:
        """Set how many rows may still fail here; tell whether too many failed elsewhere."""
        if self.most is None or time.monotonic() < self._due:
            return False
        began = time.monotonic()
        elsewhere = failed_elsewhere(self.workdir, self.run, self.mine or (), self.most)
        ended = time.monotonic()
        self._pause = min(max(_LOOKS_APART * (ended - began), _LEAST_SECONDS), _MOST_SECONDS)
        self._due = ended + self._pause
        own = sum(board.failed) if self.mine is None else 0
        board.limit = max(1, self.most - elsewhere + own)
        return elsewhere >= self.most
