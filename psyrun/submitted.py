"""Own the questions to the scheduler that has, or had, the jobs of an earlier run."""

import contextlib
import importlib
from pathlib import Path

from psyrun.exceptions import SchedulerError
from psyrun.loading import working_in
from psyrun.runfile import Run
from psyrun.scheduler import Scheduler, qualified_name


def running_jobs(
    run: Run | None, taskdir: Path, present: Scheduler | None = None
) -> dict[str, str]:
    """Name the jobs of a run that its scheduler still has, the merge job too, with their ids.

    Parameters
    ----------
    run : Run or None
        The run; None has no jobs.
    taskdir : Path
        The folder with the task files; the scheduler's module may lie there.
    present : Scheduler, optional
        The task's scheduler now, which may be another one than the run was submitted to.

    Raises
    ------
    SchedulerError
        If the run's scheduler cannot be asked.
    """
    ids = {job: jobid for job, jobid in (run.ids if run else {}).items() if jobid}
    if run is None or not ids:
        return {}
    if present is None or qualified_name(present) != run.scheduler:
        present = scheduler_named(run.scheduler, taskdir)
    there = {job.id for job in present.query(set(ids.values())) if not job.state.final}
    return {job: jobid for job, jobid in ids.items() if jobid in there}


def scheduler_named(name: str, taskdir: Path) -> Scheduler:
    """Make a scheduler from its class' name, `module:Class`.

    Parameters
    ----------
    name : str
        The name; a module may lie beside the task files.
    taskdir : Path
        The folder with the task files.

    Raises
    ------
    SchedulerError
        If there is no such class.
    """
    module, _, cls = name.partition(":")
    place = working_in(taskdir) if taskdir.is_dir() else contextlib.nullcontext()
    try:
        with place:
            made = getattr(importlib.import_module(module), cls)()
    except (ImportError, AttributeError, TypeError, ValueError) as err:
        raise SchedulerError(f"the scheduler {name} cannot be made ({err})") from err
    if not isinstance(made, Scheduler):
        raise SchedulerError(f"{name} is no scheduler")
    return made
