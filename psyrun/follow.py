"""Own the following of jobs under way, from their files alone, as often as it is worth."""

import time

from psyrun import journal, rows
from psyrun.runfile import Run
from psyrun.state import read_partial
from psyrun.workdir import Workdir, job_of


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
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + (0.1 if not self._next else 0.5)
        return True

    def counts(self) -> tuple[int, int]:
        """Return the rows done and failed so far."""
        done = failed = 0
        infos = {job_of(path): path for path in self.workdir.partial_infos()}
        for job, path in infos.items():
            if job in self.run.jobs and job not in self._finished:
                partial = read_partial(path)
                if partial is not None:
                    self._finished[job] = rows.count(partial.done)
        for path in self.workdir.journals():
            job = job_of(path)
            if job in self.run.jobs and job not in self._finished:
                journal_done, journal_failed = journal.counts(path)
                done += journal_done
                failed += journal_failed
        return done + sum(self._finished.values()), failed
