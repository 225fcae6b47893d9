"""Own the decision: what has to be done to bring a task up to date? A plan is a value.

The table in the explanation "what makes a row stale" is implemented here and nowhere else.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from psyrun import rows
from psyrun.exceptions import TaskError, WorkdirError
from psyrun.fingerprint import Change
from psyrun.jobs import read_job
from psyrun.partial import verified
from psyrun.present import Present, accepting, forgetting, look
from psyrun.resultfile import is_intact, refers_to_files
from psyrun.rows import Ranges, RowState
from psyrun.runfile import RunFile
from psyrun.scheduler import Limits, qualified_name
from psyrun.submitted import Seen
from psyrun.tasks import TaskDef
from psyrun.workdir import Workdir, index_of, job_name

_MOST_ROWS = 10**10
_MOST_CHANGES = 3


class Action(Enum):
    """What a plan comes to."""

    NOTHING = auto()
    MERGE = auto()
    EVALUATE = auto()
    ADD_WORKERS = auto()
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
    seen : Seen
        What is known of the jobs of the last run.
    limits : Limits
        How much the scheduler takes.
    """

    task: TaskDef
    action: Action
    reason: str
    present: Present
    file: RunFile
    todo: Ranges
    shares: Sequence[Ranges]
    resultfile: Path
    seen: Seen = field(default_factory=lambda: Seen(None))
    limits: Limits = field(default_factory=Limits)


def within(plan: Plan, limits: Limits) -> Plan:
    """Make of a plan one with fewer, larger jobs, where the scheduler takes no more."""
    if limits.jobs is None or len(plan.shares) <= limits.jobs:
        return dataclasses.replace(plan, limits=limits)
    if plan.action is Action.ADD_WORKERS:
        return dataclasses.replace(plan, limits=limits, shares=plan.shares[: limits.jobs])
    shares = plan.task.backend(plan.task).deal(plan.todo, limits.jobs)
    return dataclasses.replace(plan, shares=shares, limits=limits)


def job_names(plan: Plan) -> list[str]:
    """Name the jobs that a plan comes to; workers that join a run follow its jobs."""
    run, first = plan.present.run, 0
    if plan.action is Action.ADD_WORKERS and plan.file.last is not None:
        run = plan.file.last
        first = 1 + max(map(index_of, run.jobs))
    return [job_name(run.number, first + index) for index in range(len(plan.shares))]


def make_plan(  # noqa: PLR0913 - what is there, and three flags
    task: TaskDef,
    workdir: Workdir,
    file: RunFile,
    *,
    keep: bool = False,
    force: bool = False,
    seen: Seen | None = None,
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
    seen : Seen, optional
        What is known of the jobs of the last run. None: there are none elsewhere.
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
    present = look(workdir, file, task.pspace, task.code(), depends_on=task.depends_on)
    plan = _plan(task, workdir, file, present, keep=keep, force=force)
    seen = seen or Seen(file.last)
    if seen.live:
        joining = _workers_to_add(plan, workdir) if keep else 0
        action = Action.ADD_WORKERS if joining else Action.REFUSE_RUNNING
        return dataclasses.replace(plan, action=action, seen=seen, shares=[()] * joining)
    # a virtual result is as sound as the partial results that it refers to
    virtual = file.result is not None and file.result.is_virtual
    if verify and (virtual or plan.action is not Action.NOTHING):
        sound, notes = verified(present.sources)
        if notes:
            image, needs = present.image, task.depends_on
            present = look(workdir, file, task.pspace, image, sound, depends_on=needs)
            present = dataclasses.replace(present, lost=[*present.lost, *notes])
            plan = _plan(task, workdir, file, present, keep=keep, force=force)
    return dataclasses.replace(plan, seen=seen)


def _workers_to_add(plan: Plan, workdir: Workdir) -> int:
    """Count the workers that may join those of the last run; 0 if none may.

    They join where rows are shared, and evaluate what was submitted.
    """
    last = plan.file.last
    mine = last is not None and last.scheduler == qualified_name(plan.task.scheduler)
    if last is None or not mine or not is_as_submitted(plan):
        return 0
    try:
        balanced = read_job(workdir, next(iter(last.jobs))).balanced
    except (WorkdirError, StopIteration):
        return 0
    left = rows.count(plan.todo)
    return min(plan.task.max_jobs or left, left) if balanced else 0


def is_as_submitted(plan: Plan) -> bool:
    """Tell whether the last run is of the present space and code."""
    last, present = plan.file.last, plan.present
    return (
        last is not None
        and last.snapshot == present.run.snapshot
        and not present.changes.get(last.code)
    )


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
        reason = _why_evaluate(action, file, present, stale if dirty else {}, by_earlier, todo)
    else:
        obsolete = why_merge(file, present, task, target)
        if keep and stale:
            obsolete = "the rows by earlier code are accepted"
        else:
            obsolete = obsolete or _gone(workdir, present)
        action = Action.MERGE if obsolete else Action.NOTHING
        reason = f"all rows are done, merging: {obsolete}" if obsolete else "up to date"
    return Plan(
        task=task,
        action=action,
        reason=reason,
        present=present,
        file=file,
        todo=todo,
        shares=backend.deal(todo) if action is Action.EVALUATE else [],
        resultfile=target,
    )


def why_merge(file: RunFile, present: Present, task: TaskDef, target: Path) -> str | None:
    """Say why the result that stands is not what merging the rows would give; None if it is."""
    result, run = file.result, present.run
    if result is None:
        return "there is no result yet"
    store = task.store.description
    units = dict(task.units) if task.store.labels_kept else result.units
    state = "not as it was written" if target.exists() else "gone"
    same_rows = set(result.codes) <= set(run.codes) and result.since == run.since
    differences = (
        (Path(result.file) != target, f"resultfile was {result.file}"),
        (result.store != store, f"store was {result.store}, is {store}"),
        (list(result.exclude) != list(task.exclude_from_result), "exclude_from_result changed"),
        (result.units != units, "units changed"),
        (not is_intact(result, target), f"{target} is {state}"),
        (not refers_to_files(result, target), "files that the virtual result needs are gone"),
        (result.snapshot != run.snapshot, "the parameter space changed"),
        (not same_rows, "the result is of other rows"),
    )
    return next((words for differs, words in differences if differs), None)


def _gone(workdir: Workdir, present: Present) -> str | None:
    """Say what is gone of that which rows were evaluated with; merging writes it anew."""
    run = present.run
    if not workdir.snapshot(run.snapshot).exists():
        return "the snapshot of the parameter space is gone"
    by_it = any(source.code == run.code for source in present.sources)
    if by_it and not workdir.code(run.code).exists():
        return "the frozen code is gone"
    return None


def _why_evaluate(
    action: Action,
    file: RunFile,
    present: Present,
    stale: Mapping[str, Sequence[Change]],
    by_earlier: int,
    todo: Ranges,
) -> str:
    size, count = present.run.size, rows.count(todo)
    if file.last is not None and present.run.since == present.run.number:
        return f"{'all ' if size > 1 else ''}{rows.text(size)} again, by --force"
    if stale:
        changed = next(iter(sorted(stale.values(), key=len)))
        what = changes_text(changed)
        keeps = f"`psy run -c` keeps the {by_earlier:,} done"
        if action is Action.REFUSE_DIRTY:
            return f"{what}; {keeps}"
        everything = f"{'all ' if size > 1 else ''}{rows.text(size)} again"
        again = everything if count == size else f"{count:,} of {size:,} rows"
        return f"{again}: {what}; {keeps}"
    if count == size:
        return rows.text(size)
    failed = present.state.count(RowState.FAILED)
    words = f"{count:,} of {size:,} rows"
    if failed:
        words += f", {failed:,} of them failed before"
    if file.last is not None and present.run.snapshot != file.last.snapshot:
        words += " (the parameter space changed)"
    return words


def changes_text(changes: Sequence[Change]) -> str:
    """Say what changed: the first few things; imports only where nothing else did."""
    telling = [change for change in changes if change.kind != "import"] or changes
    if telling[0].kind == "code":
        return str(telling[0])
    more = " and more" if len(telling) > _MOST_CHANGES else ""
    return f"{', '.join(map(str, telling[:_MOST_CHANGES]))}{more} changed"
