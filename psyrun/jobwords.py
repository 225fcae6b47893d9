"""Own the words for jobs of a scheduler: how they are, why they ended, what to do about it.

Pure text; which rows there are is told elsewhere, and is the truth.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from psyrun.files import last_line
from psyrun.runfile import MERGE, Run
from psyrun.scheduler import UNSATISFIABLE, JobInfo, JobState
from psyrun.submitted import Seen
from psyrun.units import printable
from psyrun.workdir import index_of

_MOST_JOBS = 3

_ENDS: Mapping[JobState, str] = {
    JobState.FAILED: "ended with an error",
    JobState.CANCELLED: "cancelled by somebody, as by psy kill",
    JobState.TIMEOUT: "out of time: raise timelimit in scheduler_args{now}, or set requeue",
    JobState.OUT_OF_MEMORY: "too much memory: raise memory in scheduler_args{now}",
    JobState.NODE_FAIL: "the node failed",
    JobState.PREEMPTED: "others had precedence",
}

EARLY = frozenset(_ENDS)
"""States of jobs that may have ended before their rows did."""

_SETTINGS: Mapping[JobState, Sequence[str]] = {
    JobState.TIMEOUT: ("timelimit", "time"),
    JobState.OUT_OF_MEMORY: ("memory", "memory_per_cpu", "mem", "mem_per_cpu"),
}
"""The `scheduler_args` that a limit which jobs met may stand in."""


def jobs_text(size: int) -> str:
    """Put a number of jobs in words.

    Examples
    --------
    >>> jobs_text(1), jobs_text(2000)
    ('1 job', '2,000 jobs')
    """
    return f"{size:,} job" + ("" if size == 1 else "s")


def submitted_text(run: Run, jobs: Sequence[str]) -> str:
    """Tell that some jobs of a run were submitted, with the scheduler's ids.

    Examples
    --------
    >>> run = Run(1, "", "", 9, jobs={"1-0": "12", "1-1": "12"}, merge_job="13")
    >>> submitted_text(run, ["1-0", "1-1"])
    'submitted 2 jobs as 12, merge 13'
    """
    ids = list(dict.fromkeys(str(run.jobs[job]) for job in jobs))
    shown = ", ".join(
        ids if len(ids) <= 2 * _MOST_JOBS else [*ids[:_MOST_JOBS], "...", ids[-1]]
    )
    return f"submitted {jobs_text(len(jobs))} as {shown}, merge {run.merge_job}"


def counts_text(seen: Seen) -> str:
    """Count jobs by state, those that may still run; empty if there are none.

    Examples
    --------
    >>> jobs = {"1-0": JobInfo("12", JobState.RUNNING), "1-1": JobInfo("12", JobState.PENDING)}
    >>> counts_text(Seen(None, jobs))
    '1 RUNNING, 1 PENDING'
    """
    live = {name: job for name, job in seen.live.items() if name != MERGE}
    counts = Counter(job.state for job in live.values())
    parts = [
        f"{counts[state]:,} {state}{_reason(live.values(), state)}"
        for state in (JobState.RUNNING, JobState.SUSPENDED, JobState.PENDING)
        if counts[state]
    ]
    if not parts and MERGE in seen.live:
        merge = seen.live[MERGE]
        parts.append(f"merge job {merge.id} {merge.state}{_reason([merge], merge.state)}")
    return ", ".join(parts)


def _reason(jobs: Collection[JobInfo], state: JobState) -> str:
    """Tell why jobs wait: the most frequent reason."""
    reasons = Counter(job.reason for job in jobs if job.state is state and job.reason)
    return f" ({printable(reasons.most_common(1)[0][0])})" if reasons else ""


def endings(
    name: str, seen: Seen, unfinished: Collection[str], asked: Mapping[str, Any]
) -> Iterator[str]:
    """Tell, line by line, why jobs ended before all of their rows did, and what to do.

    Parameters
    ----------
    name : str
        The task.
    seen : Seen
        What is known of the jobs.
    unfinished : collection of str
        The jobs of which rows are not done.
    asked : dict
        The present `scheduler_args`.
    """
    for state, words in _ENDS.items():
        jobs = [job for job in unfinished if job in seen.jobs and seen.jobs[job].state is state]
        if jobs:
            now = next(
                (f" (now {asked[s]})" for s in _SETTINGS.get(state, ()) if s in asked), ""
            )
            size = jobs_text(len(jobs))
            log = f"psy logs {name} {jobs[0]}"
            why = _reason([seen.jobs[job] for job in jobs], state)
            yield f"{size} {state} ({_listed(jobs)}): {words.format(now=now)}{why}; {log}"
    stuck = [job for job, info in seen.live.items() if info.reason == UNSATISFIABLE]
    if stuck:
        yield (
            f"job {_listed(stuck)} waits for what cannot happen any more ({UNSATISFIABLE}): "
            f"end it with psy kill {name}"
        )


def unknown_ends(name: str, jobs: Sequence[str]) -> str:
    """Tell that jobs ended before their rows did, and that nobody knows why."""
    size, log = jobs_text(len(jobs)), f"psy logs {name} {jobs[0]}"
    return f"{size} ended early ({_listed(jobs)}), why is not known; {log}"


def merge_trouble(name: str, seen: Seen, log: Path) -> Iterator[str]:
    """Tell why the merge job made no result, as far as that is known."""
    said = last_line(log)
    state = seen.jobs[MERGE].state if MERGE in seen.jobs else None
    if said.startswith("ERROR ") or state in EARLY:
        how = f" {state}" if state in EARLY else " failed"
        why = f": {printable(said.removeprefix('ERROR '))}" if said else ""
        yield f"the merge job{how}{why}; merge with: psy run {name}; psy logs {name} merge"


def _listed(jobs: Sequence[str]) -> str:
    rest = len(jobs) - _MOST_JOBS
    more = [f"{rest:,} more"] if rest > 0 else []
    return ", ".join([*sorted(jobs, key=_order)[:_MOST_JOBS], *more])


def _order(job: str) -> int:
    return -1 if job == MERGE else index_of(job)
