"""Own the rows that stand behind a long one: others take them, who are free."""

import time
from collections.abc import Iterator
from math import inf

from psyrun import rows
from psyrun.board import IDLE
from psyrun.member import Member
from psyrun.pool import Pool
from psyrun.remaining import around
from psyrun.rows import Ranges

_SURE_SECONDS = 0.25
"""How long after the end of its turn a process has surely looked at the clock."""

_LEAST_SECONDS = 0.05
"""A process whose turn is over may be between rows, and there is nothing to do but wait."""


def patience(pool: Pool) -> float:
    """Tell for how many seconds there is nothing to free."""
    now = time.monotonic()
    ends = (member.turn_end + _SURE_SECONDS - now for member in _with_more(pool))
    return max(min(ends, default=inf), _LEAST_SECONDS)


def freed(pool: Pool) -> Iterator[tuple[int, Ranges]]:
    """Take from processes the rows behind one that outlasts their turn.

    By then a process has seen that its turn is over, and starts none of them.

    Yields
    ------
    int, ranges
        The job's index, and its rows that are free again.
    """
    now = time.monotonic()
    for member in _with_more(pool):
        row = pool.board.rows[member.slot]
        if now < member.turn_end + _SURE_SECONDS or row == IDLE or member.job is None:
            continue
        member.turn_end = inf
        _, rest = around(member.block, row)
        if rest:
            member.block = rows.without(member.block, rest)
            yield member.job, rest


def any_done(pool: Pool) -> bool:
    """Tell whether a process is beyond the first row of its block, and so done with that."""
    at_work = (member for member in pool.members.values() if member.block)
    return any(pool.board.rows[m.slot] not in (IDLE, m.block[0][0]) for m in at_work)


def _with_more(pool: Pool) -> list[Member]:
    """List the processes that have a turn, and more than a row."""
    members = pool.members.values()
    return [m for m in members if m.turn_end < inf and rows.count(m.block) > 1]
