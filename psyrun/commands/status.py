"""Own `psy status`: it only reads, and never waits."""

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import click

from psyrun import report, snapshot
from psyrun.causes import group
from psyrun.commands.messages import coloured, describe, show_warning
from psyrun.commands.options import Options
from psyrun.commands.running import each_task, loaded_task, look_ahead, task_files
from psyrun.commands.turns import find_workdirs, in_turn
from psyrun.exceptions import PsyrunError, WorkdirError
from psyrun.jobs import read_job
from psyrun.jobwords import EARLY, endings, merge_trouble, unknown_ends
from psyrun.locks import read_holder
from psyrun.plan import Action, Plan
from psyrun.pspace import ParameterSpace
from psyrun.remaining import left_to_do
from psyrun.rows import RowState
from psyrun.run import workdir_of
from psyrun.runfile import read_run_file
from psyrun.state import TaskState, job_failures, task_state
from psyrun.submitted import Queue
from psyrun.tasks import TaskDef
from psyrun.timing import timing_lines, timing_of
from psyrun.why import reasons
from psyrun.workdir import Workdir

_MOST_JOBS = 100
"""How many jobs whose end nobody knows are looked into."""

_COLOURS = {
    report.Mark.UP_TO_DATE: "green",
    report.Mark.RUNNING: "cyan",
    report.Mark.FAILED: "red",
}
_OTHER_COLOUR = "yellow"


class Details(NamedTuple):
    """What to show of a task besides its line.

    Attributes
    ----------
    verbose : bool
        The first failed and missing rows.
    every : bool
        All of them.
    why : bool
        What changed since its rows were evaluated.
    timing : bool
        How long the phases of its last run took.
    """

    verbose: bool = False
    every: bool = False
    why: bool = False
    timing: bool = False


class Status(NamedTuple):
    """How a task is.

    Attributes
    ----------
    plan : Plan
        What `psy run` would do.
    state : TaskState
        How far the task is; while it runs, going by what was submitted.
    workdir : Workdir
        Its work directory.
    holder : dict or None
        Who holds the task.
    running : bool
        Whether it is held, or jobs of it are queued or running.
    """

    plan: Plan
    state: TaskState
    workdir: Workdir
    holder: dict[str, Any] | None
    running: bool

    @property
    def mark(self) -> report.Mark:
        """How it is, in a word."""
        return report.mark_of(self.plan, running=self.running)


def asked(options: Options, names: Sequence[str]) -> Queue:
    """Ask the schedulers about the last runs of some tasks, or of all, each scheduler once."""
    queue = Queue(options.taskdir)
    runs = []
    for name, workdir in find_workdirs(options.taskdir, names):
        with contextlib.suppress(PsyrunError, OSError):  # told when the task has its turn
            runs.append(read_run_file(workdir, name).last)
    queue.ask(runs)
    return queue


def status_of(task: TaskDef, queue: Queue) -> Status:
    """Look how a task is."""
    workdir = workdir_of(task)
    plan = look_ahead(task, workdir, verify=False, queue=queue)
    holder = read_holder(workdir.lock_file, workdir.holder_file)
    running = holder is not None or plan.action is Action.REFUSE_RUNNING
    state = plan.present.state
    if running and plan.file.last:  # its jobs know nothing of what was edited since
        state = task_state(workdir, plan.file.last, plan.present.sources)
    return Status(plan, state, workdir, holder, running)


def show_statuses(options: Options, names: Sequence[str], details: Details) -> int:
    """Show how far some tasks are, or all; return the exit code."""
    queue = asked(options, names)
    return each_task(options, names, lambda task: show_status(task, details, queue))


def show_status(task: TaskDef, details: Details, queue: Queue) -> bool:
    """Show how far a task is; return whether it is up to date."""
    plan, state, workdir, holder, running = status = status_of(task, queue)
    line = report.status_line(plan, state, running=running, held_by=holder)
    mark = coloured(status.mark, _COLOURS.get(status.mark, _OTHER_COLOUR))
    click.echo(line.replace(f"{task.name}: {status.mark}", f"{task.name}: {mark}", 1))
    for note in plan.present.lost:
        show_warning(f"{task.name}: {note}")
    for line in job_lines(status):
        click.echo(f"  {line}")
    if details.why:
        for line in reasons(plan, workdir):
            click.echo(f"  {line}")
    if details.timing and plan.file.last:
        for line in timing_lines(timing_of(plan.file.last, plan.present.sources)):
            click.echo(f"  {line}")
    if details.verbose:
        for line in report.status_details(_space_of(status), state, every=details.every):
            click.echo(line)
    return status.mark is report.Mark.UP_TO_DATE


def _space_of(status: Status) -> ParameterSpace:
    """Return the space whose rows the status is about: while it runs, that of then."""
    present, digest = status.plan.present, status.state.run.snapshot
    if digest == present.run.snapshot:
        return status.plan.task.pspace
    return snapshot.load(status.workdir.snapshot(digest))


def job_lines(status: Status) -> Iterator[str]:
    """Tell why jobs of the last run ended early, where rows of it are left."""
    plan, state, workdir = status.plan, status.state, status.workdir
    run = plan.file.last
    if run is None or not run.token or plan.action is Action.NOTHING:
        return
    if state.complete:
        if plan.action is Action.MERGE:
            yield from merge_trouble(plan.task.name, plan.seen, workdir.merge_log(run.number))
        return
    stopped = {source.job for source in state.sources if source.job_failed}
    whole = {source.job for source in state.sources if not source.is_journal}
    early = (job for job, info in plan.seen.jobs.items() if info.state in EARLY)
    left = [
        job
        for job in early
        if job in run.jobs and job not in stopped | whole and _has_rows_left(workdir, job)
    ]
    yield from endings(plan.task.name, plan.seen, left, plan.task.scheduler_args)
    if not status.running and run.merge_job is not None:
        silent = (job for job in run.jobs if job not in plan.seen.jobs and job not in whole)
        lost = [job for job in islice(silent, _MOST_JOBS) if _has_rows_left(workdir, job)]
        if lost := [job for job in lost if job not in stopped]:
            yield unknown_ends(plan.task.name, lost)
    causes = group(job_failures(workdir, sorted(stopped.intersection(run.jobs))))
    yield from (line.strip() for line in report.most_frequent(causes))


def _has_rows_left(workdir: Workdir, job: str) -> bool:
    """Tell whether rows of a job are neither done nor failed."""
    with contextlib.suppress(WorkdirError):
        return bool(left_to_do(workdir, read_job(workdir, job), retry=False))
    return False


def print_statuses(options: Options, names: Sequence[str]) -> int:
    """Print one JSON document about some tasks, or all; return the exit code."""
    records: list[dict[str, Any]] = []
    queue = asked(options, names)

    def look(found: tuple[str, Path]) -> bool:
        name, file = found
        try:
            with _output_aside(), loaded_task(file) as task:
                status = status_of(task, queue)
                records.append(record(status))
        except (PsyrunError, OSError) as err:
            records.append({"task": name, "error": describe(err)})
            raise
        return status.mark is report.Mark.UP_TO_DATE

    code = in_turn(options, task_files(options, names).items(), look)
    click.echo(json.dumps(records, indent=1))
    return code


@contextlib.contextmanager
def _output_aside() -> Iterator[None]:
    """Send to standard error what task files print, and what programs do that they start."""
    with contextlib.ExitStack() as stack:
        if sys.stdout is not None and sys.stderr is not None:  # else a shell closed them
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            kept = os.dup(1)
            stack.callback(os.close, kept)
            os.dup2(2, 1)
            stack.callback(os.dup2, kept, 1)
        yield


def record(status: Status) -> dict[str, Any]:
    """Tell how a task is as data; the reference of file formats says what `runs` hold."""
    plan, present, state = status.plan, status.plan.present, status.state
    by_code = state.rows_by_code()
    result = plan.file.result
    return {
        "task": plan.task.name,
        "status": status.mark,
        "reason": plan.reason,
        "rows": {
            "total": len(state.states),
            "done": state.count(RowState.DONE),
            "failed": state.count(RowState.FAILED),
            "missing": state.count(RowState.MISSING),
            "accepted": sum(by_code.get(code, 0) for code in present.run.accepted),
        },
        "result": result.file if result and Path(result.file).exists() else None,
        "running": status.running,
        "holder": status.holder,
        "stale": [
            {"code": code, "changes": [dataclasses.asdict(change) for change in changes]}
            for code, changes in sorted(present.stale_codes.items())
        ],
        "jobs": {
            name: {"id": job.id, "state": job.state.value, "reason": job.reason}
            for name, job in plan.seen.jobs.items()
        },
        "job_notes": list(job_lines(status)),
        "why": list(reasons(plan, status.workdir)),
        "runs": [dataclasses.asdict(run) for run in plan.file.runs],
        "warnings": list(present.lost),
        "timing": _timing(status),
    }


def _timing(status: Status) -> dict[str, Any] | None:
    """Tell how long the phases of the last run took, as data."""
    run = status.plan.file.last
    if run is None:
        return None
    timing = timing_of(run, status.plan.present.sources)
    return {**dataclasses.asdict(timing), "seconds_a_row": timing.row_seconds}
