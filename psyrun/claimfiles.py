"""Own the claims on disk: a file for each share, changed under a lock of that share alone."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from psyrun import rows
from psyrun.claims import Share, share_of
from psyrun.exceptions import DamagedError
from psyrun.exclusive import exclusive, flock_works
from psyrun.files import clock_at, read_record, write_record
from psyrun.jobs import Job
from psyrun.pulse import Pulse
from psyrun.remaining import left_to_do
from psyrun.rows import Ranges
from psyrun.workdir import Workdir, run_of

FORMAT = 1


@dataclass
class ClaimFiles:
    """The shares of a run, as one of its workers sees and changes them.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    jobs : sequence of Job
        All jobs of the run; each has a share.
    mine : Job
        The worker's own job.
    """

    workdir: Workdir
    jobs: Sequence[Job]
    mine: Job
    pulse: Pulse = field(init=False)
    _flock: bool = field(init=False)
    _out: dict[int, Ranges] = field(default_factory=dict, init=False)

    def open(self) -> None:
        """Make what has to be there; begin to live."""
        self.workdir.claims_folder.mkdir(exist_ok=True)
        flock = self.mine.flock
        self._flock = flock_works(self.workdir.claims_folder) if flock is None else flock
        self.pulse = Pulse(self.workdir, self.mine.name)
        self.pulse.beat()

    def close(self) -> None:
        """Live no more; whatever this worker still holds can be taken by others."""
        if self._watcher() == self.pulse.worker:
            self._watch_file.unlink(missing_ok=True)
        self.pulse.end()

    def look(self, index: int) -> Share:
        """Read a share, without a lock; that of a job that nobody has begun is all free."""
        job = self.jobs[index]
        return self._read(job) or Share(rows.joined(job.rows))

    def is_begun(self, index: int) -> bool:
        """Tell whether anybody has taken rows of a share."""
        return self.workdir.claims(self.jobs[index].name).exists()

    def orphaning(self, index: int, share: Share) -> set[str]:
        """List who holds rows of a share and is not at them: the dead.

        This worker may be one: where a lock does not lock, another's change of the share may
        have undone that it let go of its rows.
        """
        own = self.pulse.worker
        dead = {worker for worker in share.held if self.pulse.is_dead(worker)}
        return dead | ({own} & share.held.keys() if not self._out.get(index) else set())

    def take(self, index: int, processes: int, bounds: tuple[int, int]) -> tuple[Share, Ranges]:
        """Take a block of a share, also from the dead; return the share and the block.

        See `Share.take`.
        """

        def action(share: Share) -> tuple[Share, Ranges]:
            if not share.free and (dead := self.orphaning(index, share)):
                share = share.bury(dead, self._unsettled(index))
            return share.take(self.pulse.worker, processes, bounds)

        share, block = self._change(index, action)
        self._out[index] = rows.joined((*self._out.get(index, ()), *block))
        return share, block

    def end(self, index: int, block: Ranges, left: Ranges) -> Share:
        """Let go of a block, of which some rows are left; return the share.

        Where that was the last, the journals are asked whether it is true: a lock that does
        not lock may have lost what another worker gave back.
        """

        def action(share: Share) -> tuple[Share, Ranges]:
            share = share.end(self.pulse.worker, block, left)
            if share.is_over:
                share = Share(self._unsettled(index))
            return share, ()

        share, _ = self._change(index, action)
        self._out[index] = rows.without(self._out.get(index, ()), block)
        return share

    def become_watch(self) -> bool:
        """Become the one worker that waits for others' rows, unless one lives that is it."""
        watcher = self._watcher()
        if watcher == self.pulse.worker:
            return True
        if watcher is not None and not self.pulse.is_dead(watcher):
            return False
        with self._locked(self._watch_name):
            watcher = self._watcher()
            if watcher is not None and not self.pulse.is_dead(watcher):
                return False
            write_record(self._watch_file, FORMAT, {"worker": self.pulse.worker}, flush=False)
        return True

    @property
    def _watch_name(self) -> str:
        return f"{run_of(self.mine.name)}-watch"

    @property
    def _watch_file(self) -> Path:
        return self.workdir.claims(self._watch_name)

    def _watcher(self) -> str | None:
        with suppress(FileNotFoundError, DamagedError):
            return str(read_record(self._watch_file, FORMAT)["worker"])
        return None

    def _locked(self, name: str) -> AbstractContextManager[None]:
        lock, note = self.workdir.claims_lock(name), self.workdir.claims_holder(name)
        return exclusive(lock, note, flock=self._flock)

    def _change(
        self, index: int, action: Callable[[Share], tuple[Share, Ranges]]
    ) -> tuple[Share, Ranges]:
        job = self.jobs[index]
        with self._locked(job.name):
            found = self._read(job)
            before = found or Share(self._unsettled(index))
            after, block = action(before)
            if after != found:
                path = self.workdir.claims(job.name)
                write_record(path, FORMAT, after.record(), flush=False)
        return after, block

    def _read(self, job: Job) -> Share | None:
        """Read a share; None if there is no file, or one that a power failure damaged."""
        with suppress(
            FileNotFoundError, DamagedError, KeyError, TypeError, ValueError, AttributeError
        ):
            return share_of(read_record(self.workdir.claims(job.name), FORMAT))
        return None

    def _unsettled(self, index: int) -> Ranges:
        """Find the rows of a job that its files do not tell of."""
        job = self.jobs[index]
        left = left_to_do(self.workdir, job, retry=False)
        # on a network, a folder may be newer than it looks until something is made there
        if left:
            clock_at(self.workdir.out_folder)
            left = left_to_do(self.workdir, job, retry=False)
        return left
