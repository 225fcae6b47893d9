"""Own the carrying out of plans: what is written, submitted, followed and merged, in order.

Nothing here decides what has to be done; that is the plan.
"""

import dataclasses
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psyrun import locks, machine, rows, snapshot, submission
from psyrun.causes import Cause, group
from psyrun.code import frozen_code
from psyrun.conclude import merge_if_complete
from psyrun.exceptions import (
    JobsRunningWarning,
    SchedulerError,
    TaskWarning,
    TaskWorkdirDirtyWarning,
    WorkdirError,
)
from psyrun.files import remove_abandoned
from psyrun.follow import Follower
from psyrun.jobs import Job, read_job, write_jobs
from psyrun.plan import Action, Plan, changes_text, make_plan, within
from psyrun.resultfile import check_parameters, check_target
from psyrun.rows import RowState
from psyrun.runfile import MERGE, Run, RunFile, read_run_file, write_run_file
from psyrun.scheduler import ImmediateRun, JobState, qualified_name
from psyrun.state import Failure, TaskState, failures, job_failures
from psyrun.submitted import Queue, Seen, ends_of
from psyrun.tasks import TaskDef, load_frozen
from psyrun.workdir import Workdir, run_of

_POLL_SECONDS = 0.02
_MERGE_PATIENCE_SECONDS = 60.0

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
    return locks.locked(workdir.lock_file, workdir.holder_file, f"task {name!r}", patience)


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
    seen = _seen(task, file, queue or Queue(task.taskdir, task.scheduler), must_know=verify)
    if seen.run is not None:
        file = file.with_run(seen.run)
    plan = make_plan(task, workdir, file, keep=keep, force=force, seen=seen, verify=verify)
    if verify and plan.action is Action.EVALUATE and not is_local(task):
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
        return queue.look(task.name, file.last)
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
    """
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
    check_writable(plan)
    workdir.make()
    workdir.tidy()
    remove_abandoned(plan.resultfile)
    from psyrun.provenance import record  # which what is up to date can do without

    run = record(plan, workdir, sys.argv if command is None else command)
    if plan.action is Action.EVALUATE and not is_local(plan.task):
        run = submission.named(plan.task, workdir, run, plan.limits.array)
    _freeze(plan, workdir, run)
    file = plan.file.with_run(run)
    write_run_file(workdir, file)
    if plan.action is Action.EVALUATE:
        if not is_local(plan.task):
            return _submit(plan, workdir, file, run)
        words = _run_here(plan, workdir, run, on_progress)
        return dataclasses.replace(_conclude(plan, workdir, file, run), last_words=words)
    return _conclude(plan, workdir, file, run)


def check_writable(plan: Plan) -> None:
    """Raise a `StoreError` if the result of a plan cannot be written where it should be."""
    if plan.action in (Action.EVALUATE, Action.MERGE):
        check_target(plan.task.store, plan.resultfile, plan.file.result)
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


def _freeze(plan: Plan, workdir: Workdir, run: Run) -> None:
    """Write the snapshot, the code and the jobs' specifications."""
    present = plan.present
    if present.encoded.digest() == run.snapshot:  # else an equal one stands under its name
        present.encoded.write(workdir.snapshot(run.snapshot))
    for old, moved in present.state.moves.items():
        if snapshot.read_moves(workdir.moves(old, run.snapshot)) is None:
            snapshot.write_moves(workdir.moves(old, run.snapshot), moved)
    present.image.freeze(workdir.code(run.code))
    task = plan.task
    time_limit = submission.time_limit(task, run)
    write_jobs(
        workdir,
        (
            Job(
                name,
                task.name,
                str(task.taskdir),
                run.snapshot,
                run.code,
                share,
                timeout=task.timeout,
                max_failures=task.max_failures,
                time_limit=time_limit,
                requeue=task.requeue,
            )
            for name, share in zip(run.jobs, plan.shares, strict=True)
        ),
    )


def _submit(plan: Plan, workdir: Workdir, file: RunFile, run: Run) -> Outcome:
    """Hand the jobs to the scheduler, and a merge job that waits for them."""
    run = submission.submit(
        plan.task, workdir, run, lambda run: write_run_file(workdir, file.with_run(run))
    )
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
    if run.merge_job is None and None not in run.jobs.values():
        submission.submit(
            plan.task,
            workdir,
            run,
            lambda run: write_run_file(workdir, plan.file.with_run(run)),
        )


def _conclude(plan: Plan, workdir: Workdir, file: RunFile, run: Run) -> Outcome:
    """Merge if all rows are done, and say what came of the run."""
    state = merge_if_complete(workdir, file, run, plan.task)
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
    outcome.untried = max(0, rows.count(plan.todo) - rows.count(settled))
    return outcome


def merge_job(workdir: Workdir, number: int, folder: Path) -> int:
    """Be the merge job of a run whose jobs have ended; return the exit code.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    number : int
        The run.
    folder : Path
        Where the task was submitted; relative paths start there.

    Raises
    ------
    WorkdirError
        If rows failed or are missing, or the run is no longer known.
    """
    os.chdir(folder)
    with holding(workdir, workdir.root.name, _MERGE_PATIENCE_SECONDS) as check_held:
        file = read_run_file(workdir, workdir.root.name)
        run = next((run for run in file.runs if run.number == number), None)
        if run is None or not run.jobs:
            raise WorkdirError(f"run {number} is no longer known in {workdir.run_file}")
        job = read_job(workdir, next(iter(run.jobs)))
        task = load_frozen(frozen_code(workdir.code(run.code)), Path(job.taskdir))
        run = dataclasses.replace(run, ends=_ends(task, workdir.root.name, run))
        file = file.with_run(run)
        check_held()
        write_run_file(workdir, file)
        done = dataclasses.replace(run, ends={**run.ends, MERGE: JobState.COMPLETED.value})
        state = merge_if_complete(workdir, file.with_run(done), done, task)
        if not state.complete:
            left = run.size - state.count(RowState.DONE)
            raise WorkdirError(
                f"{left:,} of {run.size:,} rows failed or are missing: no result"
            )
    return 0


def _ends(task: TaskDef, name: str, run: Run) -> dict[str, str]:
    """Ask how the jobs of a run ended, while the scheduler knows; it may not know any more."""
    try:
        return ends_of(Queue(task.taskdir, task.scheduler).look(name, run))
    except SchedulerError:
        return dict(run.ends)


def _outcome(plan: Plan, state: TaskState, result: Path | None) -> Outcome:
    return Outcome(
        plan=plan,
        done=state.count(RowState.DONE),
        failed=state.count(RowState.FAILED),
        missing=state.count(RowState.MISSING),
        result=result,
    )
