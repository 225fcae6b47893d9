"""Own job specifications: data in `in/<job>.json`, written at submission, read by workers."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psyrun import machine
from psyrun.exceptions import WorkdirError
from psyrun.files import read_record, sync, write_record
from psyrun.locks import now
from psyrun.rows import Ranges
from psyrun.workdir import Workdir, job_name, run_of

FORMAT = 1
_WRITERS = 8
_WORTH_THREADS = 100


@dataclass(frozen=True)
class Job:
    """A job's specification.

    Attributes
    ----------
    name : str
        The job's name.
    task, taskdir : str
        The task's name, and the folder of its task file.
    snapshot, code : str
        Digests of the parameter space and of the frozen code.
    rows : ranges
        The rows of the snapshot that the job has.
    timeout : float or None
        How many seconds a row may take; None is no limit.
    max_failures : int or None
        How many rows of the run may fail before it is stopped; None is no limit.
    time_limit : float or None
        How many seconds the job may run, as asked of the scheduler; None is no limit.
    requeue : int or None
        How often the job may come back when its time has run out; None is never.
    balanced : bool
        Whether its worker takes part in the whole run.
    flock : bool or None
        Whether the work directory's file system knows flock(2); None if that is to be tried.
    """

    name: str
    task: str
    taskdir: str
    snapshot: str
    code: str
    rows: Ranges
    timeout: float | None = None
    max_failures: int | None = None
    time_limit: float | None = None
    requeue: int | None = None
    balanced: bool = False
    flock: bool | None = None


def write_jobs(workdir: Workdir, jobs: Iterable[Job]) -> None:
    """Write some jobs' specifications; many at a time, as it is the disk that is slow."""

    def write(job: Job) -> None:
        write_record(workdir.job(job.name), FORMAT, vars(job), settle=False)

    several = list(jobs)
    if len(several) < _WORTH_THREADS:
        for job in several:
            write(job)
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(write, several))
    sync(workdir.jobs_folder)


def read_job(workdir: Workdir, name: str) -> Job:
    """Read a job's specification.

    Raises
    ------
    WorkdirError
        If there is none, or it is damaged or of a later format.
    """
    path = workdir.job(name)
    try:
        data = read_record(path, FORMAT)
        data["rows"] = tuple((start, stop) for start, stop in data["rows"])
        return Job(**data)
    except FileNotFoundError as err:
        raise WorkdirError(f"there is no job {name!r} in {workdir.jobs_folder}") from err
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise WorkdirError(f"{path} is damaged ({err!r}); run the task again") from err


class RunJobs(Sequence[Job]):
    """The jobs of a run, each read when it is asked for.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    run : int
        The run.
    """

    def __init__(self, workdir: Workdir, run: int) -> None:
        self._workdir = workdir
        self.names = job_names(workdir, run)
        self._read: dict[int, Job] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        if index not in self._read:
            self._read[index] = read_job(self._workdir, self.names[index])
        return self._read[index]


def job_names(workdir: Workdir, run: int) -> list[str]:
    """List the jobs of a run, in their order."""
    names = [path.stem.partition("-")[2] for path in workdir.jobs_folder.glob(f"{run}-*.json")]
    return [job_name(run, index) for index in sorted(int(n) for n in names if n.isdecimal())]


def origin(job: Job) -> dict[str, Any]:
    """Say what a journal of a job belongs to, and who writes it."""
    return {
        "job": job.name,
        "run": run_of(job.name),
        "snapshot": job.snapshot,
        "code": job.code,
        "host": machine.host(),
        "process": os.getpid(),
        "since": now(),
    }
