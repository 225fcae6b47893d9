"""Own the carrying out of plans: what is written, submitted, followed and merged, in this order.

Nothing here decides what has to be done; that is the plan.
"""

import dataclasses
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from psyrun import journal, locks, machine, rows, snapshot
from psyrun.exceptions import JobsRunningWarning, PsyrunError
from psyrun.files import read_json
from psyrun.jobs import Job, write_job
from psyrun.merge import Merger, check_target, write_result
from psyrun.plan import Action, Plan, make_plan
from psyrun.rows import RowState
from psyrun.runfile import Run, RunFile, read_run_file, write_run_file
from psyrun.scheduler import ImmediateRun
from psyrun.state import Failure, Source, TaskState, failures, job_failures, task_state
from psyrun.tasks import TaskDef
from psyrun.version import __version__
from psyrun.workdir import Workdir, job_name

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
    submitted : list of str
        The scheduler's ids, where jobs run elsewhere.
    examples : list of Failure
        The failed rows' errors, one for each type and message, most frequent first.
    job_failures : list of Failure
        Jobs that could not begin.
    """

    plan: Plan
    done: int
    failed: int
    missing: int
    result: Path | None = None
    submitted: Sequence[str] = ()
    errors: Sequence[Failure] = ()
    job_failures: Sequence[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether there is nothing left to complain of."""
        return bool(self.submitted) or self.result is not None


@contextmanager
def holding(workdir: Workdir, name: str) -> Iterator[None]:
    """Hold a task, so that no other command changes its work directory."""
    with locks.locked(workdir.lock_file, workdir.holder_file, f"task {name!r}"):
        yield


def workdir_of(task: TaskDef) -> Workdir:
    """Return a task's work directory."""
    return Workdir(Path(task.workdir) / task.name)


def prepare(
    task: TaskDef, workdir: Workdir, *, keep: bool = False, force: bool = False
) -> Plan:
    """Make the plan for a task; call it while holding the task.

    Raises
    ------
    TaskError, StoreError, WorkdirError
        If the task cannot be run.
    JobsRunningWarning
        If jobs of the task are still queued or running.
    """
    file = read_run_file(workdir, task.name)
    running = jobs_running(task, file)
    if running:
        raise JobsRunningWarning(
            f"task {task.name!r}: {len(running)} jobs are queued or running; "
            f"wait for them, or end them with: psy kill {task.name}"
        )
    return make_plan(task, workdir, file, keep=keep, force=force)


def jobs_running(task: TaskDef, file: RunFile) -> list[str]:
    """Name the jobs of the last run that its scheduler still has."""
    if file.last is None or isinstance(task.scheduler, ImmediateRun):
        return []
    known = {str(jobid) for jobid in task.scheduler.get_jobs()}
    return [job for job, jobid in file.last.jobs.items() if jobid in known]


def carry_out(plan: Plan, workdir: Workdir, on_progress: OnProgress | None = None) -> Outcome:
    """Carry a plan out; call it while holding the task.

    Parameters
    ----------
    plan : Plan
        What to do.
    workdir : Workdir
        The task's work directory.
    on_progress : callable, optional
        Told about rows while they are evaluated here.
    """
    if plan.action in (Action.NOTHING, Action.REFUSE_DIRTY):
        result = plan.resultfile if plan.action is Action.NOTHING else None
        return _outcome(plan, plan.present.state, result)
    workdir.make()
    workdir.tidy()
    check_target(plan.task.store, plan.resultfile, plan.file.result)
    run = _record(plan)
    _freeze(plan, workdir, run)
    file = plan.file.with_run(run)
    write_run_file(workdir, file)
    if plan.action is Action.EVALUATE:
        if not isinstance(plan.task.scheduler, ImmediateRun):
            raise NotImplementedError
        _run_here(plan, workdir, run, on_progress)
    return _conclude(plan, workdir, file, run)


def _record(plan: Plan) -> Run:
    task = plan.task
    names = [job_name(plan.present.run.number, index) for index in range(len(plan.shares))]
    return dataclasses.replace(
        plan.present.run,
        jobs=dict.fromkeys(names),
        scheduler=type(task.scheduler).__name__,
        store=type(task.store).__name__,
        resultfile=str(plan.resultfile),
        exclude=tuple(task.exclude_from_result),
        when=locks.now(),
        host=machine.host(),
        user=machine.user(),
        versions={"python": platform.python_version(), "psyrun": __version__},
    )


def _freeze(plan: Plan, workdir: Workdir, run: Run) -> None:
    """Write the snapshot, the code and the jobs' specifications."""
    present = plan.present
    present.encoded.write(workdir.snapshot(run.snapshot))
    for old, moved in present.state.moves.items():
        if not workdir.moves(old, run.snapshot).exists():
            snapshot.write_moves(workdir.moves(old, run.snapshot), moved)
    present.image.freeze(workdir.code(run.code))
    for name, share in zip(run.jobs, plan.shares, strict=True):
        job = Job(
            name, plan.task.name, str(plan.task.taskdir), run.snapshot, run.code, share
        )
        write_job(workdir, job)


def _run_here(
    plan: Plan, workdir: Workdir, run: Run, on_progress: OnProgress | None
) -> None:
    """Start one worker for all jobs, and follow its files until it ends."""
    task, scheduler = plan.task, plan.task.scheduler
    size = task.pool_size or machine.usable_cores()
    command = [task.python, "-P", "-m", "psyrun.worker", str(workdir.root)]
    command += ["--run", str(run.number), "--pool-size", str(size), "--lifeline"]
    worker = scheduler.submit(command, workdir.log(f"{run.number}-worker"))
    follower = Follower(workdir, run)
    try:
        while scheduler.wait(worker, _POLL_SECONDS) is None:
            if on_progress is not None and follower.due():
                on_progress(*follower.counts())
    finally:
        scheduler.kill(worker)
        scheduler.wait(worker)
    if on_progress is not None:
        on_progress(*follower.counts())


class Follower:
    """Reads now and then how far the jobs of a run are, from their files alone.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    run : Run
        The run to follow.
    """

    def __init__(self, workdir: Workdir, run: Run) -> None:
        self.workdir = workdir
        self.run = run
        self._finished: dict[str, int] = {}
        self._next = 0.0

    def due(self) -> bool:
        """Tell whether it is time to look again: often at first, then twice a second."""
        import time

        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + (0.1 if not self._next else 0.5)
        return True

    def counts(self) -> tuple[int, int]:
        """Return the rows done and failed so far."""
        done = failed = 0
        for job in self.run.jobs:
            if job in self._finished:
                continue
            try:
                info = read_json(self.workdir.partial_info(job))
                self._finished[job] = rows.count(info["rows"])
            except (FileNotFoundError, PsyrunError, KeyError, TypeError):
                for path in self.workdir.journals(job):
                    journal_done, journal_failed = journal.counts(path)
                    done += journal_done
                    failed += journal_failed
        return done + sum(self._finished.values()), failed


def _conclude(plan: Plan, workdir: Workdir, file: RunFile, run: Run) -> Outcome:
    """Merge if all rows are done, and say what came of the run."""
    state = task_state(workdir, run)
    result = None
    if state.complete:
        merger = Merger(workdir, state, plan.task.pspace, plan.task.store)
        made = write_result(merger, plan.resultfile, plan.task.exclude_from_result)
        write_run_file(workdir, dataclasses.replace(file, result=made))
        result = plan.resultfile
    return _outcome(plan, state, result, list(job_failures(workdir, list(run.jobs))))


def _outcome(
    plan: Plan, state: TaskState, result: Path | None, broken: Sequence[Failure] = ()
) -> Outcome:
    failed = state.count(RowState.FAILED)
    return Outcome(
        plan=plan,
        done=state.count(RowState.DONE),
        failed=failed,
        missing=state.count(RowState.MISSING),
        result=result,
        errors=list(failures(state)) if failed else [],
        job_failures=broken,
    )


def unused_sources(state: TaskState, sources: Sequence[Source]) -> list[Source]:
    """List the sources that add nothing to a state."""
    used = {source.path for source in state.sources}
    return [source for source in sources if source.path not in used]
