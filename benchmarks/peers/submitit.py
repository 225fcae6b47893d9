"""submitit's local executor, which starts a process a job, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import submitit

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Case


def command(case: Case) -> Callable[[], Any]:
    executor = submitit.LocalExecutor(folder=case.folder)
    executor.update_parameters(timeout_min=10)
    with executor.batch():
        jobs = [executor.submit(case.fn, **row) for row in case.assignments()]
    results = [job.result() for job in jobs]
    return lambda: results
