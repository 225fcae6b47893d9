"""joblib: its pool of processes stays warm between calls, by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from joblib import Memory, Parallel, delayed

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Case


def serial(case: Case) -> list[Any]:
    return mapped(case, 1)


def parallel(case: Case) -> list[Any]:
    return mapped(case, 2)


def mapped(case: Case, n_jobs: int) -> list[Any]:
    calls = (delayed(case.fn)(**row) for row in case.assignments())
    return list(Parallel(n_jobs=n_jobs)(calls))


def memory(case: Case) -> Callable[[], Any]:
    """Keep what each call returned, in a folder each."""
    kept = Memory(case.folder, verbose=0).cache(case.fn)
    for row in case.assignments():
        kept(**row)
    return lambda: (kept(**row) for row in case.assignments())
