"""`multiprocessing.Pool`, started in each call: the limit for two processes."""

from __future__ import annotations

import multiprocessing
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.work import Case


def call(fn: Any, row: dict[str, int]) -> Any:
    return fn(**row)


def chunks(size: int) -> int:
    return max(1, min(1000, size // 20))


def parallel(case: Case) -> list[Any]:
    with multiprocessing.Pool(2) as pool:
        fn = partial(call, case.fn)
        return list(pool.imap(fn, case.assignments(), chunksize=chunks(case.size)))


def one_by_one(case: Case) -> list[Any]:
    with multiprocessing.Pool(2) as pool:
        return list(pool.imap_unordered(partial(call, case.fn), case.assignments()))
