"""Own the watch over rows that take longer than the task's timeout; ends their processes."""

import time
from dataclasses import dataclass, field

from psyrun.board import IDLE
from psyrun.pool import Pool

_TIMEOUT_SHARE = 20


@dataclass
class Overdue:
    """Looks for processes that have been at one row for too long.

    Parameters
    ----------
    timeout : float or None
        How many seconds a row may take; None is no limit.
    """

    timeout: float | None
    _looked: float = field(default=0.0, init=False)

    @property
    def patience(self) -> float | None:
        """How often to look, in seconds; None is never."""
        if self.timeout is None:
            return None
        return min(max(self.timeout / _TIMEOUT_SHARE, 0.01), 1.0)

    def look(self, pool: Pool) -> None:
        """End the processes that have been at one row for longer than the timeout."""
        if self.timeout is None or self.patience is None:
            return
        now = time.monotonic()
        # a worker that was suspended meanwhile, with its rows, looked late
        passed = min(now - self._looked, 2 * self.patience)
        self._looked = now
        for member in pool.members.values():
            row = pool.board.rows[member.slot]
            if row != member.row:
                member.row, member.spent = row, 0.0
                continue
            member.spent += passed
            if row != IDLE and member.overdue is None and member.spent > self.timeout:
                member.overdue = row
                pool.abort(member)
