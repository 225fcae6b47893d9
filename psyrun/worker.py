"""Own the worker's program: its arguments and its exit code; the rest is the supervisor's.

Run as ``python -P -m psyrun.worker WORKDIR JOB...``, on a laptop and on a compute node alike.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from psyrun.exceptions import PsyrunError, WorkdirError
from psyrun.jobs import Job, RunJobs, job_names, read_job
from psyrun.jobtime import Terminated
from psyrun.lastwords import say
from psyrun.supervisor import Supervisor
from psyrun.workdir import Workdir, job_named, run_of

_TERMINATED = 143
_EARLY_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
"""What schedulers send some time before a job's end, where they are asked to or always."""


def main(argv: Sequence[str] | None = None) -> int:
    """Be a worker."""
    signal.signal(signal.SIGTERM, _terminate)
    early: list[int] = []
    _on_early_signals(lambda number, _: early.append(number))  # nobody is there to heed it yet
    parser = argparse.ArgumentParser(prog="python -m psyrun.worker", description=main.__doc__)
    parser.add_argument("workdir", type=Path, help="the task's work directory")
    parser.add_argument(
        "jobs", nargs="*", help="names of the jobs to evaluate, such as 1-7 or 1-5+2"
    )
    parser.add_argument("--run", type=int, help="evaluate all jobs of this run")
    parser.add_argument("--pool-size", type=int, default=1, help="number of row processes")
    parser.add_argument(
        "--lifeline", action="store_true", help="end when standard input ends; log by job"
    )
    parser.add_argument("--merge", type=int, help="merge the results of this run instead")
    parser.add_argument("--folder", type=Path, help="where the task was submitted")
    args = parser.parse_args(argv)
    workdir = Workdir(args.workdir.absolute())
    if args.merge is not None:
        from psyrun.mergejob import merge_job

        _on_early_signals(signal.SIG_IGN)
        return _told(lambda: merge_job(workdir, args.merge, args.folder))
    lifeline = 0 if args.lifeline else None

    def evaluate() -> int:
        names = [*map(job_named, args.jobs)] or job_names(workdir, args.run)
        jobs: Sequence[Job] = [read_job(workdir, name) for name in names]
        mine = None
        if not jobs:
            raise WorkdirError(f"run {args.run} has no jobs in {workdir.jobs_folder}")
        if len(args.jobs) == 1 and jobs[0].balanced:
            jobs = RunJobs(workdir, run_of(names[0]))
            mine = jobs.names.index(names[0])
        supervisor = Supervisor(workdir, jobs, args.pool_size, lifeline, mine)
        _on_early_signals(lambda *_: supervisor.end_early())
        if early:
            supervisor.end_early()
        return supervisor.run()

    return _told(evaluate, lifeline)


def _on_early_signals(action: Callable[[int, object], object] | signal.Handlers) -> None:
    for number in _EARLY_SIGNALS:
        signal.signal(number, action)


def _terminate(*_: object) -> NoReturn:
    raise Terminated(_TERMINATED)


def _told(action: Callable[[], int], lifeline: int | None = None) -> int:
    """Do something; an error becomes a message."""
    try:
        return action()
    except (PsyrunError, OSError) as err:
        say(f"ERROR {err}", lifeline)
        return 1


if __name__ == "__main__":
    sys.exit(main())
