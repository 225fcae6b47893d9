"""Own the following of jobs under way, from their files alone, as often as it is worth."""

import time

from psyrun import journal, rows
from psyrun.runfile import Run
from psyrun.state import read_partial
from psyrun.workdir import Workdir


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
        for job in self.run.jobs:
            if job in self._finished:
                continue
            partial = read_partial(self.workdir.partial_info(job))
            if partial is not None:
                self._finished[job] = rows.count(partial.done)
                continue
            for path in self.workdir.journals(job):
                journal_done, journal_failed = journal.counts(path)
                done += journal_done
                failed += journal_failed
        return done + sum(self._finished.values()), failed
