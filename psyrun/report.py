"""Own the words in which outcomes and states are told; pure text, nothing is printed here."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from psyrun import rows
from psyrun.causes import Cause, Errors
from psyrun.failures import describe_assignment
from psyrun.files import last_line
from psyrun.jobwords import counts_text, jobs_text, submitted_text
from psyrun.plan import Action, Plan, changes_text, job_names
from psyrun.present import Present
from psyrun.pspace import ParameterSpace
from psyrun.rows import RowState
from psyrun.run import Outcome
from psyrun.state import TaskState, failures
from psyrun.units import printable, size_text
from psyrun.workdir import Workdir

_MOST_CAUSES = 3
_MOST_LINES = 20
_MOST_CHARACTERS = 400
_SELF_EVIDENT = frozenset({"TaskError", "WorkdirError", "DamagedError"})
"""Psyrun's own errors, of which the message says all that the name does."""


def announcement(plan: Plan) -> str:
    """Say what a plan is about to do."""
    name, jobs = plan.task.name, jobs_text(len(plan.shares))
    if plan.action is Action.EVALUATE:
        return f"{name}: {plan.reason}, {jobs}"
    if plan.action is Action.ADD_WORKERS:
        return f"{name}: {jobs} more for the {rows.text(rows.count(plan.todo))} left"
    return f"{name}: {plan.reason}"


def forecast(plan: Plan, *, held: bool) -> str:
    """Say what `psy run` would do now, `held` if another command is at the task."""
    name = plan.task.name
    if held:
        return f"{name}: would start nothing: another command holds the task; psy status {name}"
    work, where = jobs_text(len(plan.shares)), type(plan.task.scheduler).__name__
    words = {
        Action.EVALUATE: f"would evaluate {plan.reason}, {work}, {where}",
        Action.ADD_WORKERS: f"would add {work} to those that run, {where}",
        Action.MERGE: f"would evaluate nothing; {plan.reason}",
        Action.REFUSE_DIRTY: f"would start nothing: {plan.reason}; overwrite_dirty is off",
        Action.REFUSE_RUNNING: "would start nothing: jobs are queued or running; psy kill "
        f"{name}",
        Action.NOTHING: "up to date, would do nothing",
    }
    return f"{name}: {words[plan.action]}"


def success(outcome: Outcome, seconds: float) -> str:
    """Say what a run that left nothing to do came to; one record, for standard output."""
    plan, name = outcome.plan, outcome.plan.task.name
    accepted = accepted_text(plan.present)
    if outcome.submitted is not None:
        return f"{name}: {submitted_text(outcome.submitted, job_names(plan))}"
    if plan.action is Action.NOTHING:
        return f"{name}: up to date{accepted}, {rows.text(outcome.done)} in {outcome.result}"
    from psyrun.units import duration

    awaited = outcome.run is not None and bool(outcome.run.token)
    evaluated = plan.action is Action.EVALUATE or awaited
    took = f" in {duration(seconds)}" if evaluated else ""
    empty = " (the parameter space has no rows)" if not outcome.done else ""
    return f"{name}: done{took}, {rows.text(outcome.done)} in {outcome.result}{empty}{accepted}"


def accepted_text(present: Present) -> str:
    """Say how many rows are by earlier code that the user accepted."""
    by_code = present.state.rows_by_code()
    count = sum(by_code.get(code, 0) for code in present.run.accepted)
    return f" ({rows.text(count)} by earlier code, accepted)" if count else ""


def complaint(outcome: Outcome, workdir: Workdir) -> Iterator[str]:
    """Say, line by line, why a run has no whole result, and what to do about it."""
    name = outcome.plan.task.name
    if outcome.untried:
        reasons = sorted({in_a_line(failure.error) for failure in outcome.job_failures})
        first, *others = reasons or [_why_it_ended(outcome, workdir)]
        yield f"{name}: {rows.text(outcome.untried)} had no turn: {first}"
        yield from (f"  {reason}" for reason in others)
    if not outcome.failed and not outcome.missing:
        yield f"{name}: all rows are done, but there is no result; merge with: psy run {name}"
        if outcome.run is not None:
            log = workdir.merge_log(outcome.run.number)
            said = printable(last_line(log).removeprefix("ERROR "))
            yield f"  {said or 'the merge job has said nothing'} ({log})"
        return
    total = outcome.done + outcome.failed + outcome.missing
    parts = [
        f"{count:,} {word}"
        for count, word in (
            (outcome.failed, "failed"),
            (outcome.missing, "is missing" if outcome.missing == 1 else "are missing"),
        )
        if count
    ]
    yield f"{name}: of {rows.text(total)} {' and '.join(parts)}, so there is no new result"
    yield from most_frequent(outcome.causes)
    told = outcome.failed or outcome.job_failures
    yield f"  see them:        psy {'errors' if told else 'status -v'} {name}"
    yield f"  evaluate them:   psy run {name}"
    if outcome.done:
        yield f"  keep the done:   psy run -c {name}   (if you change the code)"
        yield f"  merge the done:  psy merge {workdir.root} FILE"


def _why_it_ended(outcome: Outcome, workdir: Workdir) -> str:
    """Say why the worker came to no end with all rows, as far as it could say so itself."""
    if outcome.run is not None and outcome.run.token:
        return f"jobs ended early, psy status {outcome.plan.task.name} tells why"
    log = workdir.worker_log(outcome.plan.present.run.number)
    said = outcome.last_words.split("\n")[-1] or last_line(log)
    return printable(said.removeprefix("ERROR ")) or f"the worker ended early; its log: {log}"


def most_frequent(causes: Sequence[Cause]) -> Iterator[str]:
    """Tell the most frequent causes of failures, a line with an example for each."""
    for cause in causes[:_MOST_CAUSES]:
        place = cause.example.error.get("place")
        where = f" ({Path(place).name})" if place else ""
        example = "" if cause.count == 1 else "for example "
        size = jobs_text(cause.count) if cause.of_jobs else rows.text(cause.count)
        yield f"  {size}: {example}{in_a_line(cause.example.error)}{where}"
    rest = len(causes) - _MOST_CAUSES
    if rest > 0:
        yield f"  and {rest:,} more kind{'' if rest == 1 else 's'} of errors"


def in_a_line(error: Mapping[str, Any]) -> str:
    r"""Tell an error's type and message, cut to a line that can be read.

    Examples
    --------
    >>> in_a_line({"type": "ValueError", "message": "no"})
    'ValueError: no'
    >>> in_a_line({"type": "ValueError", "message": "no\nreally"})
    'ValueError: no ...'
    >>> in_a_line({"type": "TaskError", "message": "file_dep changed"})
    'file_dep changed'
    """
    kind = printable(str(error.get("type", "an error of unknown type")))
    first, *others = str(error.get("message", "")).strip("\n").split("\n")
    message = shortened(first) + (" ..." if others else "")
    if not message:
        return kind
    return message if kind in _SELF_EVIDENT else f"{kind}: {message}"


def shortened(line: str) -> str:
    """Show a line that anybody may have written, and not all of it if it is very long."""
    if len(line) <= _MOST_CHARACTERS:
        return printable(line)
    return f"{printable(line[:_MOST_CHARACTERS])}... ({len(line):,} characters)"


def errors_line(name: str, errors: Errors | None) -> str:
    """Tell in one line what went wrong in the last run of a task; None is no run."""
    if errors is None:
        return f"{name}: not run"
    failed, jobs = (errors.count(of_jobs=of_jobs) for of_jobs in (False, True))
    parts = [f"{rows.text(failed)} failed"] if failed else []
    parts += [f"{jobs_text(jobs)} could not go on"] if jobs else []
    if parts:
        size = len(errors.causes)
        parts.append(f"{size:,} cause" + ("" if size == 1 else "s"))
    else:
        parts.append("no errors")
        if errors.missing:
            parts.append(f"{rows.text(errors.missing)} missing; psy status {name} tells more")
    return f"{name}: {', '.join(parts)}"


def cause_details(cause: Cause, log: Path | None = None) -> Iterator[str]:
    """Tell a cause, and all that is known of an example.

    Parameters
    ----------
    cause : Cause
        The cause.
    log : Path, optional
        The log of the example's job, if there is one.
    """
    failure, error = cause.example, cause.example.error
    size = jobs_text(cause.count) if cause.of_jobs else rows.text(cause.count)
    yield f"  {size}: {in_a_line(failure.error)}"
    if error.get("place"):
        yield f"    at {printable(_shorter(str(error['place'])))}"
    which = f"job {failure.job}"
    if failure.row is not None:
        which = _row_in_words(failure.row, error.get("assignment"))
    yield f"    {'' if cause.count == 1 else 'for example '}{which}"
    yield from _indented(str(error.get("traceback") or "").rstrip("\n").split("\n"))
    output = error.get("output")
    if isinstance(output, list) and output:
        yield "    the last lines printed before:"
        yield from _indented(map(str, output))
    if isinstance(memory := error.get("memory"), int):
        yield f"    its process used {size_text(memory)} of memory at most"
    if log is not None and not output:
        yield f"    what it printed is in {log}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"      {shortened(line)}" for line in lines if line)


def _shorter(path: str) -> str:
    """Return a path as it is, or from here, whichever is shorter."""
    try:
        return min(path, os.path.relpath(path), key=len)
    except ValueError:  # on Windows: another drive
        return path


class Mark(StrEnum):
    """How a task is, in a word."""

    UP_TO_DATE = "up to date"
    NOT_RUN = "not run"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    RUNNING = "running"
    STALE = "stale"
    TO_MERGE = "to merge"


def mark_of(plan: Plan, *, running: bool) -> Mark:
    """Tell how a task is from what `psy run` would do."""
    if running:
        return Mark.RUNNING
    if plan.action is Action.NOTHING:
        return Mark.UP_TO_DATE
    if plan.action is Action.MERGE:
        return Mark.TO_MERGE
    if plan.present.stale_codes or plan.file.result is not None:
        return Mark.STALE
    if plan.present.state.count(RowState.FAILED):
        return Mark.FAILED
    return Mark.NOT_RUN if plan.file.last is None else Mark.INCOMPLETE


def status_line(
    plan: Plan, state: TaskState, *, running: bool, held_by: Mapping[str, object] | None
) -> str:
    """Tell how a task is, in one line.

    Parameters
    ----------
    plan : Plan
        What `psy run` would do.
    state : TaskState
        How far the task is; while it runs, going by what was submitted.
    running : bool
        Whether a command or jobs are at it.
    held_by : dict or None
        Who is, where that is known.
    """
    mark = mark_of(plan, running=running)
    done, failed = state.count(RowState.DONE), state.count(RowState.FAILED)
    parts = [f"{plan.task.name}: {mark}{accepted_text(plan.present)}"]
    if mark is Mark.UP_TO_DATE:
        parts.append(f"{rows.text(done)} in {plan.resultfile}")
    else:
        parts.append(f"{done:,} of {rows.text(len(state.states))} done")
    if failed:
        parts.append(f"{failed:,} failed")
    if running:
        parts += _running_words(plan, held_by)
    elif mark is Mark.STALE and plan.present.stale_codes:
        parts.append(plan.reason)
    elif mark is Mark.STALE:
        parts.append(f"an older result stands in {plan.resultfile}")
    return ", ".join(parts)


def _running_words(plan: Plan, held_by: Mapping[str, object] | None) -> Iterator[str]:
    """Tell who is at a task, how its jobs are, and what was edited since."""
    if held_by:
        yield f"process {held_by['process']} on {held_by['host']} since {held_by['since']}"
    if counts := counts_text(plan.seen):
        yield counts
    last = plan.file.last
    if last is None:
        return
    if changes := plan.present.changes.get(last.code):
        yield f"{changes_text(changes)} since it was submitted"
    elif last.snapshot != plan.present.run.snapshot:
        yield "the parameter space changed since it was submitted"


def status_details(
    space: ParameterSpace, state: TaskState, *, every: bool = False
) -> Iterator[str]:
    """List failed rows with their errors, and missing ones; the first of each, or `every`."""
    most = None if every else _MOST_LINES
    failed = state.count(RowState.FAILED)
    shown = 0
    for failure in islice(failures(state), most):
        assert failure.row is not None
        shown += 1
        yield f"  failed  {_row_text(space, failure.row)}: {in_a_line(failure.error)}"
    if failed > shown:
        yield f"  and {failed - shown:,} more failed"
    missing = rows.of_state(state.states, RowState.MISSING)
    count = rows.count(missing)
    first = (row for start, stop in missing for row in range(start, stop))
    for row in islice(first, most):
        yield f"  missing {_row_text(space, row)}"
    if most is not None and count > most:
        yield f"  and {count - most:,} more missing"


def _row_text(space: ParameterSpace, row: int) -> str:
    return _row_in_words(row, describe_assignment(space[row]))


def _row_in_words(row: int, assignment: Any) -> str:
    """Name a row, with its assignment where that is known."""
    if not isinstance(assignment, Mapping) or not assignment:
        return f"row {row}"
    shown = ", ".join(f"{name}={text}" for name, text in assignment.items())
    return printable(f"row {row} ({shown})")
