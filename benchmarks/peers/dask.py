"""dask.distributed on this machine: a cluster that is started once, as its pages recommend."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from dask.distributed import Client, LocalCluster

from benchmarks.peers.pool import call, chunks

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


def mapped(case: Case, batch: int) -> Any:
    rows = list(case.assignments())
    fn = functools.partial(call, case.fn)
    futures = client().map(fn, rows, batch_size=batch, pure=False)
    return client().gather(futures)


def close() -> None:
    client().cluster.close()
