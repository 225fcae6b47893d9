"""signac, which keeps a folder a row, and signac-flow, which runs operations on them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import flow
import signac

from benchmarks.work import array, trivial

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Case


def persisted(case: Case) -> Callable[[], Any]:
    """Keep plain results in the document of a job, arrays in its data."""
    project = signac.init_project(str(case.folder))
    for row in case.assignments():
        job = project.open_job(row)
        kept = job.data if case.fn is array else job.document
        kept["total"] = case.fn(**row)["total"]

    def read(job: Any) -> Any:
        if case.fn is not array:
            return job.document["total"]
        with job.data:
            return job.data["total"][:]

    return lambda: map(read, project)


@functools.cache
def project_class() -> Any:
    class Project(flow.FlowProject):  # type: ignore[misc]
        pass

    @Project.post(lambda job: "total" in job.document)
    @Project.operation
    def evaluate(job: Any) -> None:
        job.document["total"] = trivial(**job.statepoint())["total"]

    return Project


def command(case: Case) -> Callable[[], Any]:
    """Make the jobs, and run one operation on each in two processes."""
    project = project_class().init_project(str(case.folder))
    for row in case.assignments():
        project.open_job(row).init()
    project.run(np=2)
    return lambda: (job.document["total"] for job in project)
