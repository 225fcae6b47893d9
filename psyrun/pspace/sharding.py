"""Own the cutting of a space into pieces that are cheap to send to another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psyrun.pspace.nodes import Product, Sum
from psyrun.pspace.param import Constant, Param
from psyrun.pspace.selection import Selection

if TYPE_CHECKING:
    from psyrun.pspace.base import ParameterSpace

__all__ = ["schedule", "shard"]

_LARGEST_BLOCK = 2**18
"""Most rows of one block of a schedule: bounds what is pickled at once."""


def shard(space: ParameterSpace, start: int, stop: int) -> ParameterSpace:
    """Cut a block of rows out of a space, together with no more data than it needs.

    Where ``space[start:stop]`` keeps the whole space, this keeps the factors and columns that
    the rows come from, as far as they come from them.

    Parameters
    ----------
    space : ParameterSpace
        Any space.
    start, stop : int
        First row, and the row after the last: 0 <= start <= stop <= size.

    Returns
    -------
    ParameterSpace
        A space equal to ``space[start:stop]``.

    Examples
    --------
    >>> shard(Param(a=range(100)) * Param(b=[1, 2]), 5, 7)
    <2 rows of Param(a=range(2, 4)) * Param(b=[1, 2])>
    """
    if isinstance(space, Param):
        return _shard_of_param(space, start, stop)
    if start < stop:
        if isinstance(space, Product):
            return _shard_of_product(space, start, stop)
        if isinstance(space, Sum):
            head = Param(**dict.fromkeys(space.keys(), ()))  # keeps names that others fill
            return Sum(head, *(shard(*overlap) for overlap in space.overlaps(start, stop)))
        if isinstance(space, Selection):
            chosen = space.indices[start:stop]
            if isinstance(chosen, range) and chosen.step == 1:
                return shard(space.space, chosen.start, chosen.stop)
    columns = {name: tuple(column) for name, column in space.columns(start, stop).items()}
    return Param.from_parts(columns, stop - start)


def schedule(size: int, workers: int) -> list[tuple[int, int]]:
    """Cut rows into blocks for workers that each take the next one when they are free.

    Every block is a fixed share of the rows that are left [1]_, so the last ones are small and
    all workers end at nearly the same time, even if some rows cost more than others.

    Parameters
    ----------
    size : int
        Number of rows.
    workers : int
        Number of workers.

    Returns
    -------
    list of (int, int)
        First row of each block, and the row after its last; together all rows, in order.

    References
    ----------
    .. [1] C. D. Polychronopoulos and D. J. Kuck, "Guided self-scheduling: a practical
       scheduling scheme for parallel supercomputers", IEEE Transactions on Computers C-36
       (1987), 1425-1439.

    Examples
    --------
    >>> schedule(12, 1)
    [(0, 4), (4, 6), (6, 8), (8, 9), (9, 10), (10, 11), (11, 12)]
    """
    smallest = max(1, size // (128 * workers))
    cut: list[tuple[int, int]] = []
    start = 0
    while start < size:
        share = max(smallest, (size - start) // (3 * workers))
        stop = min(size, start + min(share, _LARGEST_BLOCK))
        cut.append((start, stop))
        start = stop
    return cut


def _shard_of_param(space: Param, start: int, stop: int) -> Param:
    size = stop - start
    parts = {
        name: Constant(part.value, size) if isinstance(part, Constant) else part[start:stop]
        for name, part in space.parts.items()
    }
    return Param.from_parts(parts, size)


def _shard_of_product(space: Product, start: int, stop: int) -> ParameterSpace:
    fast = space.right.size
    first, head = divmod(start, fast)
    last, tail = divmod(stop - 1, fast)
    left = shard(space.left, first, last + 1)
    if first == last:
        return Product(left, shard(space.right, head, tail + 1))
    return Product(left, space.right)[head : head + stop - start]
