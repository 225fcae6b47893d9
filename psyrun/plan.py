"""Own the decision: what has to be done to bring a task up to date? A plan is a value.

The table in the explanation "what makes a row stale" is implemented here and nowhere else.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from psyrun import rows
from psyrun.exceptions import TaskError
from psyrun.fingerprint import Change
from psyrun.merge import is_intact
from psyrun.partial import verified
from psyrun.present import Present, accepting, forgetting, look
from psyrun.rows import Ranges, RowState
from psyrun.runfile import Result, RunFile
from psyrun.tasks import TaskDef
from psyrun.workdir import Workdir

_MOST_ROWS = 10**10


class Action(Enum):
    """What a plan comes to."""

    NOTHING = auto()
    MERGE = auto()
    EVALUATE = auto()
    REFUSE_DIRTY = auto()
    REFUSE_RUNNING = auto()


@dataclass(frozen=True)
class Plan:
    """What `psy run` will do for a task.

    Attributes
    ----------
    task : TaskDef
        The task.
    action : Action
        What it comes to.
    reason : str
        Why, in words.
    present : Present
        What is there.
    file : RunFile
        The runs before.
    todo : ranges
        The rows to evaluate.
    shares : list of ranges
        Which of them each job gets.
    resultfile : Path
        Where the result goes.
    """

    task: TaskDef
    action: Action
    reason: str
    present: Present
    file: RunFile
    todo: Ranges
    shares: Sequence[Ranges]
    resultfile: Path


def make_plan(  # noqa: PLR0913 - what is there, and three flags
    task: TaskDef,
    workdir: Workdir,
    file: RunFile,
    *,
    keep: bool = False,
    force: bool = False,
    running: Sequence[str] = (),
    verify: bool = True,
) -> Plan:
    """Decide what has to be done.

    Parameters
    ----------
    task : TaskDef
        The task.
    workdir : Workdir
        Its work directory.
    file : RunFile
        Its runs.
    keep : bool
        Whether to keep rows by earlier code (`psy run --continue`).
    force : bool
        Whether to evaluate everything again.
    running : sequence of str
        Jobs of the task that its scheduler still has.
    verify : bool
        Whether to read all rows before they are relied on: those damaged count as missing.

    Raises
    ------
    TaskError
        If the task cannot be evaluated.
    """
    task.check()
    if task.pspace.size > _MOST_ROWS:
        raise TaskError(
            f"{task.path}: the parameter space has {task.pspace.size:,} rows, more than "
            f"{_MOST_ROWS:,}; take a part of it, such as Param.random(...) or pspace[:1000]"
        )
    present = look(workdir, file, task.pspace, task.code())
    plan = _plan(task, workdir, file, present, keep=keep, force=force)
    if running:
        return dataclasses.replace(plan, action=Action.REFUSE_RUNNING)
    if verify and plan.action is not Action.NOTHING:
        sound, notes = verified(present.sources)
        if notes:
            present = look(workdir, file, task.pspace, present.image, sound)
            present = dataclasses.replace(present, lost=[*present.lost, *notes])
            plan = _plan(task, workdir, file, present, keep=keep, force=force)
    return plan


def _plan(
    task: TaskDef, workdir: Workdir, file: RunFile, present: Present, *, keep: bool, force: bool
) -> Plan:
    """Decide what has to be done, going by what is there."""
    stale, notes = present.stale_codes, present.lost
    by_earlier = 0
    if force:
        present = forgetting(workdir, present, task.pspace)
    elif stale:
        kept = accepting(workdir, present, task.pspace)
        by_earlier = kept.state.count(RowState.DONE) - present.state.count(RowState.DONE)
        if keep:
            present = kept
    present = dataclasses.replace(present, lost=notes)
    backend = task.backend(task)
    target = backend.resultfile
    todo = rows.of_state(present.state.states, RowState.MISSING, RowState.FAILED)
    dirty = bool(stale and by_earlier and not keep and not force)
    if todo:
        refused = dirty and not task.overwrite_dirty
        action = Action.REFUSE_DIRTY if refused else Action.EVALUATE
    elif keep and stale:
        action = Action.MERGE  # what is accepted has to be written down
    else:
        there = workdir.snapshot(present.run.snapshot).exists()
        whole = file.result is not None and stands(file.result, present, task, target)
        action = Action.NOTHING if whole and there else Action.MERGE
    return Plan(
        task=task,
        action=action,
        reason=_reason(action, file, present, stale if dirty else {}, by_earlier, todo),
        present=present,
        file=file,
        todo=todo,
        shares=backend.deal(todo) if action is Action.EVALUATE else [],
        resultfile=target,
    )


def stands(result: Result, present: Present, task: TaskDef, target: Path) -> bool:
    """Tell whether a result is what merging the present rows would give."""
    run = present.run
    return (
        is_intact(result, target)
        and result.snapshot == run.snapshot
        and set(result.codes) <= set(run.codes)
        and result.since == run.since
        and result.store == type(task.store).__name__
        and list(result.exclude) == list(task.exclude_from_result)
    )


def _reason(
    action: Action,
    file: RunFile,
    present: Present,
    stale: Mapping[str, Sequence[Change]],
    by_earlier: int,
    todo: Ranges,
) -> str:
    size, count = present.run.size, rows.count(todo)
    if action is Action.NOTHING:
        return "up to date"
    if action is Action.MERGE:
        return "all rows are done, merging" if size else "the parameter space has no rows"
    if stale:
        changed = next(iter(sorted(stale.values(), key=len)))
        what = ", ".join(map(str, changed[:3])) + (" and more" if len(changed) > 3 else "")
        keeps = f"`psy run -c` keeps the {by_earlier:,} done"
        if action is Action.REFUSE_DIRTY:
            return f"{what} changed; {keeps}"
        again = (
            f"all {rows.text(size)} again" if count == size else f"{count:,} of {size:,} rows"
        )
        return f"{again}: {what} changed; {keeps}"
    if count == size:
        return rows.text(size)
    failed = present.state.count(RowState.FAILED)
    words = f"{count:,} of {size:,} rows"
    if failed:
        words += f", {failed:,} of them failed before"
    if file.last is not None and present.run.snapshot != file.last.snapshot:
        words += " (the parameter space changed)"
    return words
