"""Own every path below a task's work directory; know nothing of what is in the files.

The layout is documented in the reference (work directory and file formats).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from psyrun.files import TEMPORARY, disk_errors, remove_temporary

_JOB = re.compile(r"\d+-\d+")
_ROWS = re.compile(r"\d+-\d+(\.rows)?(\.\d+)?\.\w+")
_JOURNAL = re.compile(r"\d+-\d+\.\d+\.part")
_OWN = re.compile(r"\d+-.+|[0-9a-f]{32}")
"""How files of runs and jobs, snapshots and codes are called."""
_MOST_GAP = 4
"""So many journals in a row may have been removed by hand and those behind are found still."""


def job_name(run: int, index: int) -> str:
    """Name a job by its run and its place in it; such a name is never used again."""
    return f"{run}-{index}"


def index_of(job: str) -> int:
    """Tell the place of a job in its run."""
    return int(job.partition("-")[2])


def array_element(run: int, first: int, index: str) -> str:
    """Name a job as an element of an array that begins with a run's job `first`.

    Examples
    --------
    >>> array_element(1, 0, "5"), array_element(1, 1001, "5")
    ('1-5', '1-1001+5')
    """
    return f"{run}-{first}+{index}" if first else f"{run}-{index}"


def job_named(text: str) -> str:
    """Tell which job a worker's argument means: a job's name, or that of an array's element.

    Schedulers limit the size of an array, so a run may have several. An array whose first job
    is not 0 counts from there, as its elements all have one command.

    Examples
    --------
    >>> job_named("1-7"), job_named("1-1001+5")
    ('1-7', '1-1006')
    """
    first, plus, element = text.partition("+")
    run, _, index = first.partition("-")
    if not (plus and run.isdecimal() and index.isdecimal() and element.isdecimal()):
        return text
    return job_name(int(run), int(index) + int(element))


def run_of(job: str) -> int:
    """Tell the run a job belongs to."""
    return int(job.partition("-")[0])


@dataclass(frozen=True)
class Workdir:
    """The work directory of one task.

    Parameters
    ----------
    root : Path
        `psy-work/<task>`. It need not exist yet.
    """

    root: Path

    @property
    def run_file(self) -> Path:
        """What was submitted, when, and what came of it."""
        return self.root / "run.json"

    @property
    def lock_file(self) -> Path:
        """Locked while a command changes this directory."""
        return self.root / "lock"

    @property
    def holder_file(self) -> Path:
        """Who holds the lock."""
        return self.root / "lock.json"

    @property
    def file_digests(self) -> Path:
        """What is known of large files that results depend on."""
        return self.root / "file_dep.json"

    @property
    def jobs_folder(self) -> Path:
        """The job specifications."""
        return self.root / "in"

    @property
    def out_folder(self) -> Path:
        """Journals and partial results."""
        return self.root / "out"

    @property
    def log_folder(self) -> Path:
        """What jobs printed."""
        return self.root / "log"

    @property
    def snapshots_folder(self) -> Path:
        """All snapshots."""
        return self.root / "pspace"

    @property
    def codes_folder(self) -> Path:
        """All frozen codes."""
        return self.root / "code"

    @property
    def claims_folder(self) -> Path:
        """What the workers of a run have taken on; only there if they share its rows."""
        return self.root / "claims"

    def claims(self, job: str) -> Path:
        """Return the file that tells which rows of a job are free, and who holds others."""
        return self.claims_folder / f"{job}.json"

    def claims_lock(self, job: str) -> Path:
        """Return what is locked while that file is changed."""
        return self.claims_folder / f"{job}.lock"

    def claims_holder(self, job: str) -> Path:
        """Return the note of who holds that lock, where it is a lease."""
        return self.claims_folder / f"{job}.lock.json"

    def alive(self, worker: str) -> Path:
        """Return the file that a worker touches while it lives; names begin with its job's."""
        return self.claims_folder / f"{worker}.alive"

    def snapshot(self, digest: str) -> Path:
        """Return the folder of a snapshot."""
        return self.snapshots_folder / digest

    def moves(self, old: str, new: str) -> Path:
        """Return the file that tells where the rows of an older snapshot stand in a newer."""
        return self.snapshot(new) / f"from-{old}.npy"

    def code(self, digest: str) -> Path:
        """Return the folder of a frozen code."""
        return self.codes_folder / digest

    def job(self, job: str) -> Path:
        """Return a job's specification."""
        return self.jobs_folder / f"{job}.json"

    def starts(self, job: str) -> Path:
        """Return the file that has a byte for each start of a job, where that is counted."""
        return self.jobs_folder / f"{job}.starts"

    def new_partial(self, job: str, ext: str) -> Iterator[Path]:
        """Yield names for a partial result of a job; the first that does not exist is it."""
        stem = f"{job}.rows" if ext == self.partial_info(job).suffix else job
        yield self.out_folder / f"{stem}{ext}"
        for number in count(1):
            yield self.out_folder / f"{stem}.{number}{ext}"

    def partial_info(self, job: str) -> Path:
        """Return what is known about a job's partial result."""
        return self.out_folder / f"{job}.json"

    def log(self, job: str) -> Path:
        """Return a job's log."""
        return self.log_folder / f"{job}.log"

    def worker_log(self, run: int) -> Path:
        """Return the log of the worker of a run on this machine."""
        return self.log(f"{run}-worker")

    def merge_log(self, run: int) -> Path:
        """Return the log of the merge job of a run."""
        return self.log(f"{run}-merge")

    def git_diff(self, run: int) -> Path:
        """Return what differed from the commit when a run was submitted; pruned as logs are."""
        return self.log_folder / f"{run}-git.diff"

    def result(self, ext: str) -> Path:
        """Return the whole result, where no `resultfile` is set."""
        return self.root / f"result{ext}"

    def journals(self, job: str | None = None) -> list[Path]:
        """List the journals of one job, or of all."""
        if job is not None:
            return self._journals_of(job)
        found = self.out_folder.glob("*.part")
        return sorted(path for path in found if _JOURNAL.fullmatch(path.name))

    def _journals_of(self, job: str) -> list[Path]:
        """Find the journals of one job by their names.

        To list the folder costs as much as there are jobs, and each job would do it.
        """
        found, gap = [], 0
        for path in self.new_journal(job):
            if path.exists():
                found.append(path)
                gap = 0
            elif (gap := gap + 1) > _MOST_GAP:
                break
        return found

    def new_journal(self, job: str) -> Iterator[Path]:
        """Yield names for a new journal of a job; the first that does not exist is it."""
        for number in count():
            yield self.out_folder / f"{job}.{number}.part"

    def partial_infos(self) -> list[Path]:
        """List what is known about all partial results."""
        return sorted(p for p in self.out_folder.glob("*.json") if _JOB.fullmatch(p.stem))

    def row_files(self) -> list[Path]:
        """List all that jobs left in `out/`: journals, partial results and their notes."""
        return [path for path in self.out_folder.iterdir() if _ROWS.fullmatch(path.name)]

    def make(self) -> None:
        """Make the folders.

        Raises
        ------
        WorkdirError
            If that is not possible.
        """
        with disk_errors(self.root, "write into"):
            for folder in self.folders():
                folder.mkdir(parents=True, exist_ok=True)

    def folders(self) -> tuple[Path, ...]:
        """List the folders that `make` makes."""
        return (
            self.snapshots_folder,
            self.codes_folder,
            self.jobs_folder,
            self.out_folder,
            self.log_folder,
        )

    def own(self) -> Iterator[Path]:
        """Find what Psyrun has made below the folder, but for results; each folder is the last.

        What has a name that Psyrun gives nothing is another's, and so is what a link leads to.
        """
        for file in (self.run_file, self.lock_file, self.holder_file, self.file_digests):
            if file.exists():
                yield file
        for folder in (*self.folders(), self.claims_folder):
            if folder.is_dir() and not folder.is_symlink():
                yield from (path for path in sorted(folder.iterdir()) if _is_own(path))
            if folder.exists():
                yield folder
        yield from sorted(self.root.glob(f"{TEMPORARY}*"))

    def tidy(self) -> None:
        """Remove unfinished files; only for who holds the lock while no job runs."""
        for folder in (self.root, *self.folders(), self.claims_folder):
            remove_temporary(folder)


def job_of(path: Path) -> str:
    """Tell the job to which a file below `in/`, `out/` or `log/` belongs."""
    return path.name.partition(".")[0]


def _is_own(path: Path) -> bool:
    return _OWN.fullmatch(path.name) is not None or path.name.startswith(TEMPORARY)
