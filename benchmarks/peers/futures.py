"""`concurrent.futures.ProcessPoolExecutor`, started in each call."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.peers.pool import call, chunks

if TYPE_CHECKING:
    from benchmarks.work import Case


def parallel(case: Case) -> list[Any]:
    return mapped(case, chunks(case.size))


def one_by_one(case: Case) -> list[Any]:
    return mapped(case, 1)


def mapped(case: Case, chunksize: int) -> list[Any]:
    with ProcessPoolExecutor(2) as pool:
        fn = partial(call, case.fn)
        return list(pool.map(fn, case.assignments(), chunksize=chunksize))
