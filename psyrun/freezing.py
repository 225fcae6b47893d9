"""Own what is written before anything is started: the space, the code and the jobs."""

from collections.abc import Iterator, Sequence

from psyrun import snapshot, submission
from psyrun.jobs import Job, write_jobs
from psyrun.plan import Plan
from psyrun.runfile import Run
from psyrun.workdir import Workdir


def freeze(plan: Plan, workdir: Workdir, run: Run) -> None:
    """Write the snapshot, the code and the jobs' specifications."""
    present = plan.present
    if present.encoded.digest() == run.snapshot:  # else an equal one stands under its name
        present.encoded.write(workdir.snapshot(run.snapshot))
    for old, moved in present.state.moves.items():
        if snapshot.read_moves(workdir.moves(old, run.snapshot)) is None:
            snapshot.write_moves(workdir.moves(old, run.snapshot), moved)
    present.image.freeze(workdir.code(run.code))
    write_jobs(workdir, specified(plan, run, list(run.jobs)))


def specified(plan: Plan, run: Run, names: Sequence[str]) -> Iterator[Job]:
    """Specify the jobs of a plan."""
    task = plan.task
    time_limit = submission.time_limit(task, run)
    for name, share in zip(names, plan.shares, strict=True):
        yield Job(
            name,
            task.name,
            str(task.taskdir),
            run.snapshot,
            run.code,
            share,
            timeout=task.timeout,
            max_failures=task.max_failures,
            time_limit=time_limit,
            requeue=task.requeue if task.scheduler.can_requeue else None,
            balanced=task.backend.balanced,
            flock=task.flock,
        )
