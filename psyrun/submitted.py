"""Own the questions to the schedulers that have, or had, the jobs of earlier runs."""

import contextlib
import dataclasses
import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psyrun.code import frozen_code
from psyrun.exceptions import PsyrunError, SchedulerError
from psyrun.jobstates import by_job
from psyrun.loading import working_in
from psyrun.runfile import MERGE, Run
from psyrun.scheduler import (
    ImmediateRun,
    JobInfo,
    JobState,
    Scheduler,
    qualified_name,
    scheduler_errors,
)
from psyrun.submission import names
from psyrun.tasks import load_frozen
from psyrun.workdir import Workdir


@dataclass(frozen=True)
class Seen:
    """What is known of the jobs of a run.

    Attributes
    ----------
    run : Run or None
        The run; with the ids of jobs whose submission was accepted without an answer.
    jobs : dict
        What the scheduler tells, or told the merge job, by the jobs' names. A job that it has
        forgotten is left out.
    """

    run: Run | None
    jobs: Mapping[str, JobInfo] = field(default_factory=dict)

    @property
    def live(self) -> dict[str, JobInfo]:
        """The jobs that have not ended, by name."""
        return {name: job for name, job in self.jobs.items() if not job.state.final}

    @property
    def live_ids(self) -> list[str]:
        """The ids of jobs and arrays that have not ended."""
        live = {job.id for job in self.live.values()}
        ids = self.run.ids.values() if self.run else ()
        return [jobid for jobid in dict.fromkeys(ids) if jobid in live and jobid]

    def count(self, state: JobState) -> int:
        """Count the jobs in a state, without the merge job."""
        return sum(job.state is state for name, job in self.jobs.items() if name != MERGE)


class Queue:
    """Asks schedulers about runs, each scheduler once however many runs there are.

    Parameters
    ----------
    taskdir : Path
        The folder with the task files; a scheduler's module may lie there.
    present : Scheduler, optional
        A scheduler that is at hand, used for the runs that were submitted to its class.
    """

    def __init__(self, taskdir: Path, present: Scheduler | None = None) -> None:
        self._taskdir = taskdir
        self._made: dict[str, Scheduler] = {}
        self._told: dict[str, list[JobInfo] | SchedulerError] = {}
        self._asked: dict[str, set[str]] = {}
        if present is not None:
            self._made[qualified_name(present)] = present

    def know(self, present: Scheduler) -> None:
        """Use a scheduler that is at hand, where none could be made by its name."""
        name = qualified_name(present)
        if self._made.setdefault(name, present) is present:
            self._asked.pop(name, None)
            self._told.pop(name, None)

    def scheduler(self, name: str) -> Scheduler:
        """Return the scheduler of that class, `module:Class`."""
        if name not in self._made:
            self._made[name] = scheduler_named(name, self._taskdir)
        return self._made[name]

    def ask(self, runs: Iterable[Run | None]) -> None:
        """Ask about several runs at once, so that `look` has the answers."""
        wanted: dict[str, set[str]] = {}
        for run in runs:
            if run is not None and is_open(run):
                wanted.setdefault(run.scheduler, set()).update(_ids(run))
        for name, ids in wanted.items():
            asked = self._asked.setdefault(name, set())
            if not ids <= asked:
                asked |= ids
                try:
                    scheduler = self.scheduler(name)
                    with scheduler_errors(scheduler):
                        self._told[name] = scheduler.query(asked)
                except SchedulerError as err:
                    self._told[name] = err

    def look(self, task: str, run: Run | None, workdir: Workdir) -> Seen:
        """Tell what is known of the jobs of a task's run.

        In a copy of a work directory there are none: they are those of the original.

        Raises
        ------
        SchedulerError
            If its scheduler does not answer.
        """
        if run is None or not is_open(run) or is_copied(run, workdir):
            return Seen(run, _ended(run) if run else {})
        run = self._adopted(task, run)
        self.ask([run])
        told = self._told.get(run.scheduler, [])
        if isinstance(told, SchedulerError):
            raise told
        return Seen(run, {**_ended(run), **by_job(run, told)})

    def _adopted(self, task: str, run: Run) -> Run:
        """Look for the jobs of a run that may have been submitted though no id is known."""
        if not run.token or None not in run.ids.values():
            return run
        open_names = names(task, run)
        scheduler = self.scheduler(run.scheduler)
        with scheduler_errors(scheduler):
            found = scheduler.find(open_names)
        ids = {job: jobid for name, jobid in found.items() for job in open_names[name]}
        merge = ids.pop(MERGE, run.merge_job)
        return dataclasses.replace(run, jobs={**run.jobs, **ids}, merge_job=merge)


def queue_for(workdir: Workdir, run: Run | None, taskdir: Path) -> Queue:
    """Make what asks about a run without its task file, if that is possible.

    A scheduler that cannot be made by its class' name alone is taken from the frozen code.
    """
    queue = Queue(taskdir)
    if run is not None and is_open(run):
        try:
            queue.scheduler(run.scheduler)
        except SchedulerError:
            with contextlib.suppress(PsyrunError):
                image = frozen_code(workdir.code(run.code))
                queue.know(load_frozen(image, taskdir.absolute()).scheduler)
    return queue


def is_open(run: Run) -> bool:
    """Tell whether a run has jobs that its scheduler may still have."""
    has_jobs = bool(run.token or any(run.ids.values()))
    return (
        has_jobs and run.scheduler != qualified_name(ImmediateRun()) and MERGE not in run.ends
    )


def is_copied(run: Run, workdir: Workdir) -> bool:
    """Tell whether a run was submitted in another work directory, which is still there."""
    place = Path(run.place)
    elsewhere = bool(run.place) and place.resolve() != workdir.root.resolve()
    return elsewhere and Workdir(place).run_file.exists()


def _ids(run: Run) -> set[str]:
    return {jobid for jobid in run.ids.values() if jobid}


def _ended(run: Run) -> dict[str, JobInfo]:
    """Return what was noted of a run's jobs while the scheduler knew."""
    ids = run.ids
    return {
        job: JobInfo(ids.get(job) or "", JobState(state))
        for job, state in run.ends.items()
        if state in JobState.__members__
    }


def ends_of(seen: Seen) -> dict[str, str]:
    """Return how the jobs of a run ended, to note it: the merge job is not among them."""
    return {
        job: info.state.value
        for job, info in seen.jobs.items()
        if info.state.final and job != MERGE
    }


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
