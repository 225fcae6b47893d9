"""Own the judgement of a row at which a process died: whether it failed or may try again."""

import signal
from dataclasses import dataclass, field
from typing import Any

from psyrun.failures import describe_death
from psyrun.member import Death, Member
from psyrun.units import duration

_MOST_TRIES = 2
"""How often a row is evaluated at most if its process is killed from outside."""

_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Judge:
    """Judges rows by how their processes died.

    Parameters
    ----------
    timeout : float or None
        How many seconds a row may take; None is no limit.
    """

    timeout: float | None
    _tries: dict[tuple[int | None, int], int] = field(default_factory=dict, init=False)

    def verdict(self, member: Member, row: int, death: Death) -> dict[str, Any] | None:
        """Say why the row failed that a process was at when it died; None if it may try again.

        Parameters
        ----------
        member : Member
            The process.
        row : int
            The row.
        death : Death
            How the process ended.
        """
        if member.overdue not in (None, row):  # that row did end, and this one is innocent
            return None
        tries = self._tries[member.job, row] = self._tries.get((member.job, row), 0) + 1
        outside = member.overdue is None and -death.code in _FROM_OUTSIDE
        if outside and tries < _MOST_TRIES:
            return None
        if member.overdue is not None and self.timeout is not None:
            cause = f"the row took longer than its timeout of {duration(self.timeout)}"
            return describe_death(cause, death.report, kind="Timeout")
        error = describe_death(f"the process died: {death.cause}", death.report)
        return {**error, "memory": death.memory}
