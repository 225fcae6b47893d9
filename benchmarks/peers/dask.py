"""dask.distributed on this machine: a cluster that is started once, as its pages recommend."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

from dask.distributed import Client, LocalCluster

from benchmarks.peers.pool import chunks

if TYPE_CHECKING:
    from benchmarks.work import Case


@functools.cache
def client() -> Client:
    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    return Client(cluster)


def parallel(case: Case) -> Any:
    return mapped(case, chunks(case.size))


def one_by_one(case: Case) -> Any:
    return mapped(case, 1)


def mapped(case: Case, size: int) -> list[Any]:
    """Make a task of each block of rows, as small tasks cost too much."""
    rows = case.assignments()
    blocks = iter(lambda: list(itertools.islice(rows, size)), [])
    fn = functools.partial(call_all, case.fn)
    futures = client().map(fn, list(blocks), pure=False)
    return list(itertools.chain.from_iterable(client().gather(futures)))


def call_all(fn: Any, rows: list[dict[str, int]]) -> list[Any]:
    return [fn(**row) for row in rows]


def close() -> None:
    client().cluster.close()
