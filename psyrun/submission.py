"""Own how a run is handed to a scheduler: its submissions as values, and carrying them out.

What is about to be submitted is noted before, under names that no other job has, and the ids
after. So a submission whose answer got lost is found again by its name.
"""

import dataclasses
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psyrun.exceptions import SchedulerError, TaskWarning, UnansweredError
from psyrun.runfile import MERGE, Run
from psyrun.scheduler import Limits, Scheduler, scheduler_errors
from psyrun.tasks import TaskDef
from psyrun.workdir import Workdir, array_element, index_of

_INDEX = "%a"
_MOST_CHARACTERS = 100

Note = Callable[[Run], None]
"""Called with the run each time that more of its ids are known."""


@dataclass(frozen=True)
class Submission:
    """One job or one array, as it is handed to the scheduler.

    Attributes
    ----------
    name : str
        The name by which the scheduler knows it.
    jobs : tuple of str
        The jobs of the run that it is.
    args : tuple of str
        The command; in an array, `%a` stands for the index.
    log : str
        Where the output goes; likewise.
    asked : dict
        What is asked of the scheduler.
    is_array : bool
        Whether it is an array.
    """

    name: str
    jobs: tuple[str, ...]
    args: tuple[str, ...]
    log: str
    asked: Mapping[str, Any]
    is_array: bool = False


def limits(task: TaskDef) -> Limits:
    """Ask the task's scheduler how much may be submitted; what is not known is no limit.

    Warns
    -----
    TaskWarning
        If the scheduler does not answer.
    """
    try:
        with scheduler_errors(task.scheduler):
            return task.scheduler.limits(_asked(task))
    except SchedulerError as err:
        warnings.warn(
            f"{task.name}: how many jobs may be submitted is not known: {err}",
            TaskWarning,
            stacklevel=2,
        )
        return Limits()


def named(task: TaskDef, workdir: Workdir, run: Run, most: int | None) -> Run:
    """Note with a run how it will be submitted: under which names, and in which arrays.

    Parameters
    ----------
    task : TaskDef
        The task.
    workdir : Workdir
        Its work directory.
    run : Run
        The run, with its jobs.
    most : int or None
        How many jobs the scheduler takes in an array.
    """
    size = max(1, min(len(run.jobs), most or len(run.jobs)))
    arrays = _has_arrays(task.scheduler) and _INDEX not in str(workdir.root.absolute())
    return dataclasses.replace(
        run, token=secrets.token_hex(4), array_size=size if arrays else None
    )


def _has_arrays(scheduler: Scheduler) -> bool:
    from psyrun.scheduler.batch import BatchScheduler

    if isinstance(scheduler, BatchScheduler):
        return scheduler.has_arrays
    return type(scheduler).submit_array is not Scheduler.submit_array


def submissions(task: TaskDef, workdir: Workdir, run: Run) -> list[Submission]:
    """Say how those jobs of a run that have no id yet are handed to the scheduler."""
    return [
        _array(task, workdir, run, jobs)
        if run.array_size
        else _alone(task, workdir, run, *jobs)
        for jobs in _parts(run)
    ]


def _parts(run: Run) -> Iterator[list[str]]:
    """Divide the jobs without an id among submissions."""
    jobs = [job for job, jobid in run.jobs.items() if jobid is None]
    size = run.array_size or 1
    return (jobs[low : low + size] for low in range(0, len(jobs), size))


def _name(task: str, run: Run, jobs: Sequence[str]) -> str:
    """Name a submission; a job with a submission of its own, and the merge job, as they are.

    It ends with the run's token, also where a scheduler would cut the name.
    """
    task = task[:_MOST_CHARACTERS]
    if jobs[0] == MERGE:  # one for each number of jobs: workers may be added to a run
        return f"{task}-{run.number}-{MERGE}-{len(run.jobs)}.{run.token}"
    if not run.array_size:
        return f"{task}-{jobs[0]}.{run.token}"
    first = index_of(jobs[0])
    return f"{task}-{run.number}{f'-{first}' if first else ''}.{run.token}"


def _array(task: TaskDef, workdir: Workdir, run: Run, jobs: Sequence[str]) -> Submission:
    element = array_element(run.number, index_of(jobs[0]), _INDEX)
    return Submission(
        name=_name(task.name, run, jobs),
        jobs=tuple(jobs),
        args=(*_command(task, workdir), element),
        log=_log(workdir, element),
        asked=_asked(task),
        is_array=True,
    )


def _alone(task: TaskDef, workdir: Workdir, run: Run, job: str) -> Submission:
    return Submission(
        name=_name(task.name, run, [job]),
        jobs=(job,),
        args=(*_command(task, workdir), job),
        log=_log(workdir, job),
        asked=_asked(task),
    )


def merge_submission(task: TaskDef, workdir: Workdir, run: Run) -> Submission:
    """Say how the merge job of a run is handed to the scheduler."""
    where = ("--merge", str(run.number), "--folder", str(Path.cwd()))
    folder = str(workdir.root.absolute())
    asked = _asked(task)
    for of_jobs in ("requeue", "signal", "throttle"):
        asked.pop(of_jobs, None)
    return Submission(
        name=_name(task.name, run, [MERGE]),
        jobs=(MERGE,),
        args=(task.python, "-P", "-m", "psyrun.worker", folder, *where),
        log=str(workdir.merge_log(run.number).absolute()),
        asked={**asked, **task.merge_args},
    )


def _command(task: TaskDef, workdir: Workdir) -> tuple[str, ...]:
    pool = ("--pool-size", str(task.pool_size or 1))
    return (task.python, "-P", "-m", "psyrun.worker", *pool, str(workdir.root.absolute()))


def _log(workdir: Workdir, job: str) -> str:
    return str(workdir.log(job).absolute())


def _asked(task: TaskDef) -> dict[str, Any]:
    """Return what to ask of the scheduler: its own defaults, and what the task sets."""
    asked = {**task.scheduler.USER_DEFAULT_ARGS, **task.scheduler_args}
    if task.requeue is not None and task.scheduler.can_requeue:
        asked["requeue"] = True
    return asked


def time_limit(task: TaskDef, run: Run) -> float | None:
    """Tell for how many seconds each job of a run may run; None if that is not known."""
    if not run.jobs:
        return None
    return task.scheduler.time_limit(_asked(task), _name(task.name, run, list(run.jobs)))


def check(task: TaskDef) -> None:
    """Make sure that a task asks for nothing that its scheduler does not have.

    Raises
    ------
    SchedulerError
        If it does.

    Warns
    -----
    TaskWarning
        If jobs are to come back and cannot.
    """
    _check(task, _asked(task), task.name)
    _check(task, {**_asked(task), **task.merge_args}, f"{task.name}: with merge_args")
    if task.requeue is not None and not task.scheduler.can_requeue:
        warnings.warn(
            f"{task.name}: requeue is set, but jobs of {type(task.scheduler).__name__} cannot "
            "come back by themselves; run the task again where rows are left",
            TaskWarning,
            stacklevel=2,
        )


def _check(task: TaskDef, asked: Mapping[str, Any], title: str) -> None:
    try:
        with scheduler_errors(task.scheduler):
            task.scheduler.check(asked)
    except SchedulerError as err:
        raise SchedulerError(f"{title}: {err}") from err


def scripts(scheduler: Scheduler, planned: Sequence[Submission]) -> Iterator[tuple[Path, str]]:
    """Show the job scripts of submissions, where the scheduler has such a thing."""
    from psyrun.scheduler.batch import BatchScheduler

    if isinstance(scheduler, BatchScheduler):
        for submission in planned:
            size = len(submission.jobs) if submission.is_array else None
            request = scheduler.request(
                submission.args,
                submission.log,
                submission.name,
                size,
                depends_on=["JOBS"] if submission.jobs == (MERGE,) else [],
                asked=submission.asked,
            )
            yield request.script, scheduler.render(request)


def submit(task: TaskDef, workdir: Workdir, run: Run, note: Note) -> Run:
    """Submit the jobs of a run that have no id yet, and a merge job that waits for them all.

    Parameters
    ----------
    task : TaskDef
        The task.
    workdir : Workdir
        Its work directory.
    run : Run
        The run, which has been noted.
    note : callable
        Keeps what is known after each submission.

    Raises
    ------
    SchedulerError
        If the scheduler refuses. Jobs that it took before stay.
    """
    for submission in submissions(task, workdir, run):
        run = _submit_jobs(task, workdir, run, submission, note)
    ids = list(dict.fromkeys(jobid for jobid in run.jobs.values() if jobid))
    merge = merge_submission(task, workdir, run)
    run = dataclasses.replace(run, merge_job=_submit(task.scheduler, merge, ids))
    note(run)
    return run


def _submit_jobs(
    task: TaskDef, workdir: Workdir, run: Run, submission: Submission, note: Note
) -> Run:
    try:
        jobid = _submit(task.scheduler, submission)
    except NotImplementedError:  # a scheduler may find out only now that it has no arrays
        if not submission.is_array:
            raise
        run = dataclasses.replace(run, array_size=None)
        note(run)
        for job in submission.jobs:
            run = _submit_jobs(task, workdir, run, _alone(task, workdir, run, job), note)
        return run
    run = dataclasses.replace(run, jobs={**run.jobs, **dict.fromkeys(submission.jobs, jobid)})
    note(run)
    return run


def _submit(
    scheduler: Scheduler, submission: Submission, depends_on: Sequence[str] = ()
) -> str:
    """Submit; where the answer was an error, look whether it was accepted all the same."""
    try:
        with scheduler_errors(scheduler):
            return _handed_over(scheduler, submission, depends_on)
    except SchedulerError as err:
        if isinstance(err.__cause__, FileNotFoundError):  # nobody was there to submit to
            raise
        try:
            with scheduler_errors(scheduler):
                found = scheduler.find([submission.name])
        except SchedulerError:
            raise UnansweredError(
                f"{err}; whether the jobs were accepted is not known: psy run looks for them "
                "first, once the scheduler answers"
            ) from err
        if submission.name not in found:
            raise
        return found[submission.name]


def _handed_over(
    scheduler: Scheduler, submission: Submission, depends_on: Sequence[str]
) -> str:
    args, log, name = list(submission.args), submission.log, submission.name
    asked = submission.asked
    if submission.is_array:
        size = len(submission.jobs)
        return str(scheduler.submit_array(size, args, log, name=name, scheduler_args=asked))
    return str(
        scheduler.submit(
            args, log, name=name, depends_on=list(depends_on), scheduler_args=asked
        )
    )


def names(task: str, run: Run) -> dict[str, list[str]]:
    """Name the submissions of which no id is known; with the jobs that each is."""
    parts = list(_parts(run))
    if run.merge_job is None:
        parts.append([MERGE])
    return {_name(task, run, jobs): jobs for jobs in parts}
