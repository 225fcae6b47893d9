"""submitit's local executor: a process a job, two at a time as in its `map_array`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import submitit

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Case


def command(case: Case) -> Callable[[], Any]:
    """Submit the rows two at a time: the local executor starts all that it is given at once."""
    executor = submitit.LocalExecutor(folder=case.folder)
    executor.update_parameters(timeout_min=10)
    rows = list(case.assignments())
    jobs = []
    for first in range(0, len(rows), 2):
        pair = [executor.submit(case.fn, **row) for row in rows[first : first + 2]]
        for job in pair:
            job.wait()
        jobs += pair
    return lambda: [job.result() for job in jobs]
