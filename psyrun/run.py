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
from typing import Any

from psyrun import locks, machine, rows, snapshot
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
from psyrun.plan import Action, Plan, changes_text, make_plan
from psyrun.resultfile import check_parameters, check_target
from psyrun.rows import RowState
from psyrun.runfile import Run, RunFile, read_run_file, write_run_file
from psyrun.scheduler import ImmediateRun
from psyrun.state import Failure, TaskState, failures, job_failures
from psyrun.submitted import running_jobs
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
    submitted : list of str
        The scheduler's ids, where jobs run elsewhere.
    causes : list of Cause
        Why rows failed in this run.
    job_failures : list of Failure
        Jobs that could not go on.
    untried : int
        Rows of the plan that this run came to no end with.
    last_words : str
        What the worker on this machine said when it ended early.
    """

    plan: Plan
    done: int
    failed: int
    missing: int
    result: Path | None = None
    submitted: Sequence[str] = ()
    causes: Sequence[Cause] = ()
    job_failures: Sequence[Failure] = ()
    untried: int = 0
    last_words: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is nothing left to complain of."""
        return bool(self.submitted) or self.result is not None


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
) -> Plan:
    """Make the plan for a task; call it while holding the task.

    Parameters
    ----------
    task : TaskDef
        The task.
    workdir : Workdir
        Its work directory.
    keep, force, verify : bool
        As for `make_plan`.

    Raises
    ------
    TaskError, StoreError, WorkdirError
        If the task cannot be run.
    """
    file = read_run_file(workdir, task.name)
    running = jobs_running(task, file)
    return make_plan(
        task, workdir, file, keep=keep, force=force, running=running, verify=verify
    )


def jobs_running(task: TaskDef, file: RunFile) -> list[str]:
    """Name the jobs of the last run that its scheduler still has, the merge job too."""
    try:
        return list(running_jobs(file.last, task.taskdir, task.scheduler))
    except SchedulerError as err:
        warnings.warn(
            f"{task.name}: whether jobs of the last run are still there is not known: {err}",
            TaskWarning,
            stacklevel=2,
        )
        return []


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
    _freeze(plan, workdir, run)
    file = plan.file.with_run(run)
    write_run_file(workdir, file)
    if plan.action is Action.EVALUATE:
        if not isinstance(plan.task.scheduler, ImmediateRun):
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
            )
            for name, share in zip(run.jobs, plan.shares, strict=True)
        ),
    )


def _submit(plan: Plan, workdir: Workdir, file: RunFile, run: Run) -> Outcome:
    """Hand the jobs to the scheduler, and a merge job that waits for them."""
    task = plan.task
    python, folder = [task.python, "-P", "-m", "psyrun.worker"], str(workdir.root.absolute())
    pool = ["--pool-size", str(task.pool_size or 1)]
    run = _submit_jobs(plan, workdir, file, run, [*python, *pool, folder])
    ids = sorted({str(jobid) for jobid in run.jobs.values()})
    merge = [*python, folder, "--merge", str(run.number), "--folder", str(Path.cwd())]
    merge_id = task.scheduler.submit(
        merge,
        str(workdir.log(f"{run.number}-merge")),
        name=f"{task.name}-{run.number}-merge",
        depends_on=ids,
        scheduler_args=_scheduler_args(task),
    )
    run = dataclasses.replace(run, merge_job=str(merge_id))
    write_run_file(workdir, file.with_run(run))
    outcome = _outcome(plan, plan.present.state, None)
    outcome.submitted = [*ids, str(merge_id)]
    return outcome


def _scheduler_args(task: TaskDef) -> dict[str, Any]:
    """Return what to ask of the scheduler: its own defaults, and what the task sets."""
    return {**task.scheduler.USER_DEFAULT_ARGS, **task.scheduler_args}


def _submit_jobs(
    plan: Plan, workdir: Workdir, file: RunFile, run: Run, command: Sequence[str]
) -> Run:
    """Submit an array, or job by job where the scheduler has none; note each id at once."""
    scheduler, name = plan.task.scheduler, f"{plan.task.name}-{run.number}"
    asked = _scheduler_args(plan.task)
    index_name = f"{run.number}-%a"
    try:
        array = scheduler.submit_array(
            len(run.jobs),
            [*command, index_name],
            str(workdir.log(index_name)),
            name=name,
            scheduler_args=asked,
        )
    except NotImplementedError:
        array = None
    if array is not None:
        run = dataclasses.replace(run, jobs=dict.fromkeys(run.jobs, str(array)))
        write_run_file(workdir, file.with_run(run))
        return run
    for job in run.jobs:
        jobid = scheduler.submit(
            [*command, job],
            str(workdir.log(job)),
            name=f"{plan.task.name}-{job}",
            scheduler_args=asked,
        )
        run = dataclasses.replace(run, jobs={**run.jobs, job: str(jobid)})
        write_run_file(workdir, file.with_run(run))
    return run


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


def _conclude(plan: Plan, workdir: Workdir, file: RunFile, run: Run) -> Outcome:
    """Merge if all rows are done, and say what came of the run."""
    state = merge_if_complete(workdir, file, run, plan.task)
    outcome = _outcome(plan, state, plan.resultfile if state.complete else None)
    outcome.causes = group(f for f in failures(state) if run_of(f.job) == run.number)
    outcome.job_failures = list(job_failures(workdir, list(run.jobs)))
    mine = [source for source in state.sources if run_of(source.job) == run.number]
    settled = rows.joined(pair for source in mine for pair in (*source.done, *source.failed))
    outcome.untried = rows.count(plan.todo) - rows.count(settled)
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
        check_held()
        state = merge_if_complete(workdir, file, run, task)
        if not state.complete:
            left = run.size - state.count(RowState.DONE)
            raise WorkdirError(
                f"{left:,} of {run.size:,} rows failed or are missing: no result"
            )
    return 0


def _outcome(plan: Plan, state: TaskState, result: Path | None) -> Outcome:
    return Outcome(
        plan=plan,
        done=state.count(RowState.DONE),
        failed=state.count(RowState.FAILED),
        missing=state.count(RowState.MISSING),
        result=result,
    )
