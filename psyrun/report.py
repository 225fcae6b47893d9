"""Own the words in which outcomes and states are told; pure text, nothing is printed here."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path

from psyrun import rows
from psyrun.failures import describe_assignment
from psyrun.plan import Action, Plan
from psyrun.present import Present
from psyrun.pspace import ParameterSpace
from psyrun.rows import RowState
from psyrun.run import Outcome
from psyrun.state import Failure, failures
from psyrun.workdir import Workdir

_MOST_CAUSES = 3
_MOST_LINES = 20


def announcement(plan: Plan) -> str:
    """Say what a plan is about to do."""
    name = plan.task.name
    if plan.action is Action.EVALUATE:
        jobs = len(plan.shares)
        return f"{name}: {plan.reason}, {jobs:,} job" + ("" if jobs == 1 else "s")
    return f"{name}: {plan.reason}"


def success(outcome: Outcome, seconds: float) -> str:
    """Say what a run that left nothing to do came to; one record, for standard output."""
    plan, name = outcome.plan, outcome.plan.task.name
    accepted = accepted_text(plan.present)
    if outcome.submitted:
        return f"{name}: submitted {', '.join(outcome.submitted)}"
    if plan.action is Action.NOTHING:
        return f"{name}: up to date{accepted}, {rows.text(outcome.done)} in {outcome.result}"
    from psyrun.units import duration

    took = f" in {duration(seconds)}" if plan.action is Action.EVALUATE else ""
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
        reasons = sorted({_cause(failure) for failure in outcome.job_failures})
        for reason in reasons or [_why_it_ended(outcome, workdir)]:
            yield f"{name}: {rows.text(outcome.untried)} had no turn: {reason}"
    total = outcome.done + outcome.failed + outcome.missing
    parts = [
        f"{count:,} {word}"
        for count, word in ((outcome.failed, "failed"), (outcome.missing, "are missing"))
        if count
    ]
    yield f"{name}: of {rows.text(total)} {' and '.join(parts)}, so there is no new result"
    yield from causes(outcome.errors)
    yield f"  see them:        psy status -v {name}"
    yield f"  evaluate them:   psy run {name}"
    if outcome.done:
        yield f"  keep the done:   psy run -c {name}   (if you change the code)"
        yield f"  merge the done:  psy merge {workdir.root} FILE"


def _why_it_ended(outcome: Outcome, workdir: Workdir) -> str:
    """Say why the worker came to no end with all rows, as far as it could say so itself."""
    log = workdir.worker_log(outcome.plan.present.run.number)
    said = outcome.last_words.split("\n")[-1] or last_line(log)
    return printable(said.removeprefix("ERROR ")) or f"the worker ended early; its log: {log}"


def causes(errors: Sequence[Failure]) -> Iterator[str]:
    """Count errors by type and place, the most frequent first, with an example of each."""
    groups: dict[tuple[str, str], list[Failure]] = {}
    for failure in errors:
        key = (str(failure.error.get("type")), str(failure.error.get("place", "")))
        groups.setdefault(key, []).append(failure)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    for (_, place), found in ordered[:_MOST_CAUSES]:
        where = f" ({Path(place).name})" if place else ""
        example = "" if len(found) == 1 else "for example "
        yield f"  {rows.text(len(found))}: {example}{_cause(found[0])}{where}"
    rest = len(groups) - _MOST_CAUSES
    if rest > 0:
        yield f"  and {rest:,} more kinds of errors"


def _cause(failure: Failure) -> str:
    message = printable(str(failure.error.get("message", "")).split("\n")[0])
    return f"{failure.error.get('type', 'an error of unknown type')}: {message}"


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


def status_line(plan: Plan, *, running: bool, held_by: Mapping[str, object] | None) -> str:
    """Tell how a task is, in one line."""
    state = plan.present.state
    mark = mark_of(plan, running=running)
    done, failed = state.count(RowState.DONE), state.count(RowState.FAILED)
    parts = [f"{plan.task.name}: {mark}{accepted_text(plan.present)}"]
    if mark is Mark.UP_TO_DATE:
        parts.append(f"{rows.text(done)} in {plan.resultfile}")
    else:
        parts.append(f"{done:,} of {rows.text(len(state.states))} done")
    if failed:
        parts.append(f"{failed:,} failed")
    if running and held_by:
        parts.append(
            f"process {held_by['process']} on {held_by['host']} since {held_by['since']}"
        )
    elif mark is Mark.STALE and plan.present.stale_codes:
        parts.append(plan.reason)
    elif mark is Mark.STALE:
        parts.append(f"an older result stands in {plan.resultfile}")
    return ", ".join(parts)


def status_details(plan: Plan) -> Iterator[str]:
    """List failed rows with their errors, and missing ones; the first of each."""
    present, space = plan.present, plan.task.pspace
    failed = present.state.count(RowState.FAILED)
    shown = 0
    for failure in islice(failures(present.state), _MOST_LINES):
        assert failure.row is not None
        shown += 1
        yield f"  failed  {_row_text(space, failure.row)}: {_cause(failure)}"
    if failed > shown:
        yield f"  and {failed - shown:,} more failed"
    missing = rows.of_state(present.state.states, RowState.MISSING)
    count = rows.count(missing)
    first = (row for start, stop in missing for row in range(start, stop))
    for row in islice(first, _MOST_LINES):
        yield f"  missing {_row_text(space, row)}"
    if count > _MOST_LINES:
        yield f"  and {count - _MOST_LINES:,} more missing"


def printable(text: str) -> str:
    r"""Show control characters as escapes, so that they do nothing to a terminal.

    Examples
    --------
    >>> printable("clear\x1b[2J, λ")
    'clear\\x1b[2J, λ'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _row_text(space: ParameterSpace, row: int) -> str:
    values = describe_assignment(space[row])
    shown = ", ".join(f"{name}={text}" for name, text in values.items())
    return printable(f"row {row} ({shown})")


def last_line(path: Path) -> str:
    """Return the last line of a log that says something."""
    try:
        lines = path.read_text(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")
