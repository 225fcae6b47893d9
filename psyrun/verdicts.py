"""Own what a supervisor journals itself: failures that no row process is there to tell of."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from psyrun.files import disk_errors
from psyrun.jobs import Job, origin
from psyrun.journalwriter import JournalWriter
from psyrun.remaining import left_to_do
from psyrun.workdir import Workdir


@dataclass
class Verdicts:
    """Journals of a supervisor's own, one for each job that it has something to say of.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    """

    workdir: Workdir
    _journals: dict[str, JournalWriter] = field(default_factory=dict, init=False)

    def row_failed(self, job: Job, row: int, error: dict[str, Any]) -> None:
        """Note that a row failed, and why."""
        writer = self._journal(job)
        with disk_errors(writer.path):
            writer.failed(row, 0.0, 0.0, error)

    def jobs_failed(self, jobs: Iterable[Job], error: dict[str, Any]) -> None:
        """Note why the jobs with rows left are not evaluated any further."""
        # it is said too; where nothing can be written, there is no more
        with suppress(OSError):
            for job in jobs:
                if left_to_do(self.workdir, job, retry=False):
                    self._journal(job).job_failed(error)

    def close(self) -> None:
        """Close the journals."""
        for writer in self._journals.values():
            writer.close()

    def _journal(self, job: Job) -> JournalWriter:
        if job.name not in self._journals:
            writer = JournalWriter(self.workdir.new_journal(job.name), origin(job))
            self._journals[job.name] = writer
        return self._journals[job.name]
