"""A work directory to fill by hand: jobs, journals and partial results."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from psyrun import snapshot
from psyrun.jobs import Job, write_jobs
from psyrun.journalwriter import JournalWriter
from psyrun.merge import Merger
from psyrun.partial import write_partial
from psyrun.pspace import ParameterSpace
from psyrun.rows import Ranges
from psyrun.runfile import Run
from psyrun.state import TaskState, read_sources, task_state
from psyrun.store import PickleStore, Store
from psyrun.workdir import Workdir, run_of


@dataclass
class Desk:
    """Writes what jobs leave behind, without running any.

    `done` maps rows to results, `failed` rows to messages.
    """

    workdir: Workdir
    store: Store = field(default_factory=PickleStore)
    spaces: dict[str, ParameterSpace] = field(default_factory=dict)

    def space(self, space: ParameterSpace) -> str:
        encoded = snapshot.encode(space)
        encoded.write(self.workdir.snapshot(encoded.digest()))
        self.spaces[encoded.digest()] = space
        return encoded.digest()

    def job(self, name: str, space: str, rows: Ranges, code: str = "code") -> Job:
        job = Job(name, "task", "/nowhere", space, code, rows)
        write_jobs(self.workdir, [job])
        return job

    def journal(
        self,
        job: Job,
        done: Mapping[int, Any] | None = None,
        failed: Mapping[int, str] | None = None,
    ) -> Path:
        origin = {"job": job.name, "run": run_of(job.name)}
        origin |= {"snapshot": job.snapshot, "code": job.code}
        writer = JournalWriter(self.workdir.new_journal(job.name), origin)
        for row, result in (done or {}).items():
            writer.done(row, 0.0, 1.0, pickle.dumps(result))
        for row, message in (failed or {}).items():
            writer.failed(row, 0.0, 1.0, {"type": "ValueError", "message": message})
        writer.close()
        return writer.path

    def partial(self, job: Job, done: Mapping[int, Any], exclude: tuple[str, ...] = ()) -> Path:
        """Write a journal and turn it into a partial result."""
        self.journal(job, done)
        assert write_partial(self.workdir, job, self.spaces[job.snapshot], self.store, exclude)
        (source,) = (s for s in read_sources(self.workdir, job.name) if not s.is_journal)
        return source.path

    def run(self, space: str, code: str = "code", **others: Any) -> Run:
        run = Run(number=9, snapshot=space, code=code, size=self.spaces[space].size)
        return replace(run, **others)

    def state(self, run: Run) -> TaskState:
        return task_state(self.workdir, run, read_sources(self.workdir))

    def merged(self, run: Run, exclude: tuple[str, ...] = ()) -> dict[str, list[Any]]:
        state = self.state(run)
        merger = Merger(state, self.spaces[run.snapshot], self.store)
        return {name: list(column) for name, column in merger.columns(exclude).items()}
