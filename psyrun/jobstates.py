"""Own how that which a scheduler tells is sorted by the jobs of a run; pure."""

from collections.abc import Iterable

from psyrun.runfile import Run
from psyrun.scheduler import JobInfo


def by_job(run: Run, told: Iterable[JobInfo]) -> dict[str, JobInfo]:
    """Sort what a scheduler tells by the jobs of a run.

    Jobs with the same id are an array, in the order of its indices. What a scheduler tells of
    an array as a whole holds for each of its jobs. A job of another name is not the run's.
    """
    members: dict[str, list[str]] = {}
    for job, jobid in run.ids.items():
        if jobid:
            members.setdefault(jobid, []).append(job)
    found: dict[str, JobInfo] = {}
    for info in told:
        if run.token and info.name and not info.name.endswith(run.token):
            continue  # a scheduler that was killed may give ids again
        mine = members.get(info.id, [])
        for start, stop in ((0, len(mine)),) if info.indices is None else info.indices:
            for job in mine[start:stop]:
                known = found.get(job)
                if known is None or known.state.final:  # it may be listed as it was before
                    found[job] = info
    return found
