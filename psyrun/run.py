"""Own the carrying out of plans: what is written, submitted, followed and merged, in order.

Nothing here decides what has to be done; that is the plan.
"""

import contextlib
import dataclasses
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psyrun import locks, machine, rows, submission
from psyrun.causes import Cause, group
from psyrun.conclude import merge_if_complete
from psyrun.exceptions import (
    JobsRunningWarning,
    SchedulerError,
    TaskWarning,
    TaskWorkdirDirtyWarning,
    UnansweredError,
    WorkdirError,
)
from psyrun.files import remove_abandoned
from psyrun.follow import Follower
from psyrun.freezing import freeze, specified
from psyrun.jobs import write_jobs
from psyrun.plan import Action, Plan, changes_text, job_names, make_plan, within
from psyrun.resultfile import check_not_shared, check_parameters, check_target
from psyrun.rows import RowState
from psyrun.runfile import Run, RunFile, read_run_file, write_run_file
from psyrun.scheduler import ImmediateRun, qualified_name
from psyrun.state import Failure, TaskState, failures, job_failures
from psyrun.submitted import Queue, Seen
from psyrun.tasks import TaskDef
from psyrun.timing import Stopwatch
from psyrun.workdir import Workdir, run_of

_POLL_SECONDS = 0.02

OnProgress = Callable[[int, int], None]
"""Called now and then with the rows done and failed so far in this run."""


@dataclass
class Outcome:
    """What came of a plan.

    Attributes
    ----------
    plan : Plan
        The plan.
    done, failed, missing : int
        Rows of the whole space.
    result : Path or None
        The whole result, if it stands now.
    submitted : Run or None
        The run, where jobs run elsewhere.
    causes : list of Cause
        Why rows failed in this run.
    job_failures : list of Failure
        Jobs that could not go on.
    untried : int
        Rows of the plan that this run came to no end with.
    last_words : str
        What the worker on this machine said when it ended early.
    run : Run or None
        The run whose jobs have ended.
    """

    plan: Plan
    done: int
    failed: int
    missing: int
    result: Path | None = None
    submitted: Run | None = None
    causes: Sequence[Cause] = ()
    job_failures: Sequence[Failure] = ()
    untried: int = 0
    last_words: str = ""
    run: Run | None = None

    @property
    def ok(self) -> bool:
        """Whether there is nothing left to complain of."""
        return self.submitted is not None or self.result is not None


def holding(workdir: Workdir, name: str, patience: float = 0.0) -> locks.Hold:
    """Hold a task, so that no other command changes its work directory.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    name : str
        The task's name.
    patience : float
        For how many seconds to wait while another command holds it.
    """
    advice = f"; wait for it, or end it with: psy kill {name}"
    files = workdir.lock_file, workdir.holder_file
    return locks.locked(*files, f"task {name!r}", patience, advice)


def workdir_of(task: TaskDef) -> Workdir:
    """Return a task's work directory."""
    return Workdir(Path(task.workdir) / task.name)


def prepare(
    task: TaskDef,
    workdir: Workdir,
    *,
    keep: bool = False,
    force: bool = False,
    verify: bool = True,
    queue: Queue | None = None,
) -> Plan:
    """Make the plan for a task; call it while holding the task.

    Parameters
    ----------
    task : TaskDef
        The task.
    workdir : Workdir
        Its work directory.
    keep, force, verify : bool
        As for `make_plan`. With `verify`, the plan is one to carry out: the scheduler has to
        answer.
    queue : Queue, optional
        Where the scheduler was asked about several tasks. None asks about this one.

    Raises
    ------
    TaskError, StoreError, WorkdirError, SchedulerError
        If the task cannot be run.
    """
    file = read_run_file(workdir, task.name)
    queue = queue or Queue(task.taskdir)
    queue.know(task.scheduler)
    seen = _seen(task, file, queue, must_know=verify)
    if seen.run is not None:
        file = file.with_run(seen.run)
    plan = make_plan(task, workdir, file, keep=keep, force=force, seen=seen, verify=verify)
    submits = plan.action in (Action.EVALUATE, Action.ADD_WORKERS)
    if verify and submits and not is_local(task):
        submission.check(task)
        plan = within(plan, submission.limits(task))
    return plan


def is_local(task: TaskDef) -> bool:
    """Tell whether jobs of a task run on this machine, as part of the command."""
    return isinstance(task.scheduler, ImmediateRun)


def _seen(task: TaskDef, file: RunFile, queue: Queue, *, must_know: bool) -> Seen:
    """Ask what became of the jobs of the last run; nothing may be started in ignorance.

    Raises
    ------
    SchedulerError
        If that has to be known, and the task's scheduler, which had the jobs, does not answer.
    """
    try:
        return queue.look(task.name, file.last, workdir_of(task))
    except SchedulerError as err:
        had_them = file.last.scheduler if file.last else ""
        if must_know and had_them == qualified_name(task.scheduler):
            raise SchedulerError(
                f"{task.name}: whether jobs of the last run are still there is not known, so "
                f"nothing was started: {err}"
            ) from err
        warnings.warn(
            f"{task.name}: whether jobs of the last run are there is not known: {err}",
            TaskWarning,
            stacklevel=2,
        )
        return Seen(file.last)


def carry_out(
    plan: Plan,
    workdir: Workdir,
    on_progress: OnProgress | None = None,
    command: Sequence[str] | None = None,
    watch: Stopwatch | None = None,
) -> Outcome:
    """Carry a plan out; call it while holding the task.

    Parameters
    ----------
    plan : Plan
        What to do.
    workdir : Workdir
        The task's work directory.
    on_progress : callable, optional
        Told about rows while they are evaluated here, and once when that is over; an error
        that it raises ends the run.
    command : sequence of str, optional
        The command that this is done for, to note it. None notes the script that runs.
    watch : Stopwatch, optional
        Where the command's phases are noted.
    """
    watch = watch or Stopwatch()
    if plan.action is not Action.REFUSE_RUNNING:  # jobs may rely on what is remembered now
        plan.task.digests.write(workdir.file_digests)
    if plan.action in (Action.NOTHING, Action.REFUSE_DIRTY, Action.REFUSE_RUNNING):
        _warn_of_refusal(plan)
        if plan.action is not Action.NOTHING:
            return _outcome(plan, plan.present.state, None)
        frozen = workdir.code(plan.present.image.digest())
        if frozen.exists():
            plan.present.image.freeze(frozen)  # a copy that is damaged is written anew
        return _outcome(plan, plan.present.state, plan.resultfile)
    if plan.action is Action.ADD_WORKERS:
        return _add_workers(plan, workdir)
    check_writable(plan)
    workdir.make()
    workdir.tidy()
    remove_abandoned(plan.resultfile)
    from psyrun.provenance import record  # which what is up to date can do without

    run = record(plan, workdir, sys.argv if command is None else command)
    if plan.action is Action.EVALUATE and not is_local(plan.task):
        run = submission.named(plan.task, workdir, run, plan.limits.array)
    freeze(plan, workdir, run)
    watch.lap("submit")
    run = dataclasses.replace(run, timing=dict(watch.laps))
    file = plan.file.with_run(run)
    write_run_file(workdir, file)
    if plan.action is Action.EVALUATE:
        if not is_local(plan.task):
            return _submit(plan, workdir, file, run)
        words = _run_here(plan, workdir, run, on_progress)
        watch.lap("work")
        run = dataclasses.replace(run, timing=dict(watch.laps))
        file = file.with_run(run)
        return dataclasses.replace(_conclude(plan, workdir, file, run), last_words=words)
    return _conclude(plan, workdir, file, run)


def check_writable(plan: Plan) -> None:
    """Raise a `StoreError` if the result of a plan cannot be written where it should be."""
    if plan.action in (Action.EVALUATE, Action.MERGE):
        check_target(plan.task.store, plan.resultfile, plan.file.result)
        check_not_shared(plan.resultfile, plan.file, workdir_of(plan.task))
    if plan.action is Action.EVALUATE:
        check_parameters(plan.task.store, plan.task.pspace, plan.task.exclude_from_result)


def _warn_of_refusal(plan: Plan) -> None:
    name = plan.task.name
    if plan.action is Action.REFUSE_RUNNING:
        last = plan.file.last
        changes = plan.present.changes.get(last.code) if last else None
        code = f" of the code before {changes_text(changes)}" if changes else ""
        warnings.warn(
            f"{name}: jobs{code} are queued or running, so nothing was started; "
            f"wait for them, or end them with: psy kill {name}",
            JobsRunningWarning,
            stacklevel=3,
        )
    elif plan.action is Action.REFUSE_DIRTY:
        warnings.warn(
            f"{name}: {plan.reason}; overwrite_dirty is off, so nothing was started; "
            f"evaluate all with: psy run --force {name}",
            TaskWorkdirDirtyWarning,
            stacklevel=3,
        )


def _add_workers(plan: Plan, workdir: Workdir) -> Outcome:
    """Add jobs without rows of their own to the last run; its merge job waits for them too."""
    run = plan.file.last
    assert run is not None
    names, former_merge = job_names(plan), run.merge_job
    write_jobs(workdir, specified(plan, run, names))
    jobs = {**run.jobs, **dict.fromkeys(names)}
    size = min(len(names), plan.limits.array or len(names)) if run.array_size else None
    run = dataclasses.replace(run, jobs=jobs, array_size=size)
    write_run_file(workdir, plan.file.with_run(run))
    outcome = _submit(plan, workdir, plan.file, run)
    new_merge = outcome.submitted.merge_job if outcome.submitted else None
    if former_merge not in (None, new_merge):
        plan.task.scheduler.kill(str(former_merge))
    return outcome


def _submit(plan: Plan, workdir: Workdir, file: RunFile, run: Run) -> Outcome:
    """Hand the jobs to the scheduler, and a merge job that waits for them."""
    noted = [run]

    def note(run: Run) -> None:
        noted.append(run)
        write_run_file(workdir, file.with_run(run))

    try:
        run = submission.submit(plan.task, workdir, run, note)
    except UnansweredError as err:
        raise UnansweredError(f"{plan.task.name}: {err}") from err
    except SchedulerError as err:
        if not any(noted[-1].jobs.values()):  # nothing was accepted, so there is no such run
            write_run_file(workdir, plan.file)
            for job in run.jobs:
                workdir.job(job).unlink(missing_ok=True)
        raise SchedulerError(f"{plan.task.name}: {err}") from err
    outcome = _outcome(plan, plan.present.state, None)
    outcome.submitted = run
    return outcome


def _run_here(plan: Plan, workdir: Workdir, run: Run, on_progress: OnProgress | None) -> str:
    """Start one worker for all jobs, follow its files until it ends; return its last words."""
    task, scheduler = plan.task, plan.task.scheduler
    assert isinstance(scheduler, ImmediateRun)
    size = task.pool_size or machine.usable_cores()
    command = [task.python, "-P", "-m", "psyrun.worker", str(workdir.root)]
    command += ["--run", str(run.number), "--pool-size", str(size), "--lifeline"]
    worker = scheduler.submit(command, workdir.worker_log(run.number))
    follower = Follower(workdir, run)
    try:
        while scheduler.wait(worker, _POLL_SECONDS) is None:
            if on_progress is not None and follower.due():
                on_progress(*follower.counts())
        if on_progress is not None:
            on_progress(*follower.counts())
    finally:
        scheduler.kill(worker)
        code = scheduler.wait(worker)
    words = scheduler.last_words(worker)
    if not words and code is not None and code < 0:
        return f"the worker was ended by signal {-code}"
    return words


def note_found(plan: Plan, workdir: Workdir) -> None:
    """Note the ids of jobs that were found by name; call it while holding the task.

    If only the merge job had not been submitted, it is now.
    """
    run = plan.seen.run
    if run is None or not plan.seen.live:
        return
    if read_run_file(workdir, plan.task.name) != plan.file:
        write_run_file(workdir, plan.file)
    mine = run.scheduler == qualified_name(plan.task.scheduler)
    if mine and run.merge_job is None and None not in run.jobs.values():
        submission.submit(
            plan.task,
            workdir,
            run,
            lambda run: write_run_file(workdir, plan.file.with_run(run)),
        )


def _conclude(plan: Plan, workdir: Workdir, file: RunFile, run: Run) -> Outcome:
    """Merge if all rows are done, and say what came of the run."""
    state = merge_if_complete(workdir, file, run, plan.task)
    if not state.complete:  # else that wrote it
        with contextlib.suppress(WorkdirError):  # what is told of failed rows matters more
            write_run_file(workdir, file)
    return come_of(plan, workdir, state, plan.resultfile if state.complete else None)


def come_of(plan: Plan, workdir: Workdir, state: TaskState, result: Path | None) -> Outcome:
    """Say what came of a plan whose jobs have ended.

    Parameters
    ----------
    plan : Plan
        The plan.
    workdir : Workdir
        The task's work directory.
    state : TaskState
        How far its run is.
    result : Path or None
        The whole result, if it stands.
    """
    run = state.run
    outcome = _outcome(plan, state, result)
    outcome.run = run
    outcome.causes = group(f for f in failures(state) if run_of(f.job) == run.number)
    outcome.job_failures = list(job_failures(workdir, list(run.jobs)))
    mine = [source for source in state.sources if run_of(source.job) == run.number]
    settled = rows.joined(pair for source in mine for pair in (*source.done, *source.failed))
    outcome.untried = rows.count(rows.without(plan.todo, settled))
    return outcome


def _outcome(plan: Plan, state: TaskState, result: Path | None) -> Outcome:
    return Outcome(
        plan=plan,
        done=state.count(RowState.DONE),
        failed=state.count(RowState.FAILED),
        missing=state.count(RowState.MISSING),
        result=result,
    )
