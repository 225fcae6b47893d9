"""Own who has which rows of a share; pure bookkeeping, no files and no clock."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from psyrun import rows
from psyrun.rows import Ranges

_MOST_ROWS = 50_000


@dataclass(frozen=True)
class Share:
    """The rows of a job that are not settled yet; a row is free, or one worker holds it.

    Attributes
    ----------
    free : ranges
        Rows that anybody may take.
    held : dict of ranges
        Rows that workers are at, by worker.
    """

    free: Ranges = ()
    held: Mapping[str, Ranges] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether all rows are settled."""
        return not self.free and not self.held

    def take(
        self, worker: str, processes: int, bounds: tuple[int, int] = (1, _MOST_ROWS)
    ) -> tuple["Share", Ranges]:
        """Let a worker take a block, the smaller the fewer rows are free.

        Parameters
        ----------
        worker : str
            Who takes it.
        processes : int
            How many row processes it has.
        bounds : tuple of int
            How many rows a block is to have at least, if there are so many, and at most.

        Returns
        -------
        share, block
            What is left, and the rows taken; none if none is free.
        """
        if not self.free:
            return self, ()
        size = rows.count(self.free)
        others = len(self.held.keys() - {worker})
        least, most = bounds
        wanted = max(size // (2 * (processes + others)), min(least, size), 1)
        taken = min(wanted, most, _MOST_ROWS)
        block, rest = rows.split(self.free, [taken, size - taken])
        mine = rows.joined((*self.held.get(worker, ()), *block))
        return Share(rest, {**self.held, worker: mine}), block

    def end(self, worker: str, block: Ranges, left: Ranges = ()) -> "Share":
        """Let go of a block; some rows of it are left, and free again.

        Rows that the worker does not hold (any more, as it was thought to be dead) are not
        its to free.
        """
        mine = self.held.get(worker, ())
        free = rows.joined((*self.free, *rows.common(left, mine)))
        return Share(free, self._holding(worker, rows.without(mine, block)))

    def bury(self, dead: Collection[str], unsettled: Ranges) -> "Share":
        """Free what dead workers held and did not settle."""
        orphaned = rows.joined(pair for worker in dead for pair in self.held.get(worker, ()))
        free = rows.joined((*self.free, *rows.common(orphaned, unsettled)))
        return Share(free, {w: held for w, held in self.held.items() if w not in dead})

    def _holding(self, worker: str, mine: Ranges) -> dict[str, Ranges]:
        held = {**self.held, worker: mine}
        return {name: ranges for name, ranges in held.items() if ranges}

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"free": self.free, "held": self.held}


def share_of(record: Mapping[str, Any]) -> Share:
    """Make a share of what `Share.record` returned, after JSON.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        If it is something else.
    """
    held = {worker: _ranges(found) for worker, found in record["held"].items()}
    return Share(_ranges(record["free"]), held)


def _ranges(pairs: Any) -> Ranges:
    return tuple((int(start), int(stop)) for start, stop in pairs)
