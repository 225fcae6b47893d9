"""Own the check of every file of a work directory, byte by byte; tells what is wrong as data.

Writes nothing, takes no lock, unpickles nothing and imports nothing of the user's.
"""

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psyrun import jobs, journal, rows, runfile, snapshot
from psyrun.code import frozen_code
from psyrun.exceptions import WorkdirError
from psyrun.files import TEMPORARY, crc32, read_json, read_record
from psyrun.findings import Checked, Finding, Kind, Problem
from psyrun.inspection import Inspection, inspect
from psyrun.jobs import Job, read_job
from psyrun.locks import read_holder
from psyrun.resultfile import refers_to_files
from psyrun.rows import Ranges, RowState
from psyrun.runfile import Result, Run, RunFile, read_run_file
from psyrun.state import (
    PARTIAL_FORMAT,
    Source,
    TaskState,
    read_partial,
    read_sources,
    select_sources,
    task_state,
)
from psyrun.workdir import Workdir, job_of

_ATTEMPTS = 3
_PARTIAL = re.compile(r"\d+-\d+\..+")
_FORMATS = {
    Kind.RUN_FILE: runfile.FORMAT,
    Kind.JOB: jobs.FORMAT,
    Kind.NOTE: PARTIAL_FORMAT,
    Kind.SNAPSHOT: snapshot.FORMAT,
}


def verify(workdir: Workdir, name: str) -> Checked | None:
    """Check every file of a task's work directory; None if there is nothing yet.

    Parameters
    ----------
    workdir : Workdir
        The work directory.
    name : str
        The task's name.
    """
    if not workdir.run_file.exists() and not any(workdir.out_folder.glob("*-*.*")):
        return None
    for _ in range(_ATTEMPTS):
        before = _stamp(workdir.run_file)
        checked = _Check(workdir).run(name)
        if checked.sound or _stamp(workdir.run_file) == before:
            break  # else a new result made older files obsolete, which were removed meanwhile
    return checked


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tell versions of a file apart that is replaced when it changes."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


@dataclass(frozen=True)
class _Claim:
    """A finding about a file with rows, before it is known which of them stand elsewhere."""

    finding: Finding
    rows: Source | None


class _Check:
    """Goes through a work directory, and gathers what is sound and what is not."""

    def __init__(self, workdir: Workdir) -> None:
        self.workdir = workdir
        self.checked = Checked()
        self.sound: list[Source] = []
        self.claims: list[_Claim] = []
        self.jobs: dict[str, Job] = {}
        self.named: set[Path] = set()

    def run(self, name: str) -> Checked:
        """Check everything, the rows before what they refer to: jobs may end meanwhile."""
        written = [path for path in self._files(self.workdir.out_folder) if _is_partial(path)]
        file = self._run_file(name)
        self._check_jobs(file.last.jobs if file.last else ())
        for path in self.workdir.journals():
            self._check_journal(path)
        for path in self.workdir.partial_infos():
            self._check_partial(path)
        for path in written:
            if path.exists() and path not in self.named:
                self._see(path)
                self._claim(path, Kind.PARTIAL, Problem.NO_NOTE)
        self.checked.findings += _settled(self.workdir, file.last, self.sound, self.claims)
        used = [(run.snapshot, run.code) for run in file.runs]
        used += [(source.snapshot, source.code) for source in self.sound]
        present = (file.last.snapshot, file.last.code) if file.last else (None, None)
        self._check_snapshots({digest for digest, _ in used}, present[0])
        self._check_codes({digest for _, digest in used}, present[1])
        if file.result is not None:
            self._check_result(file.result, present[0])
        return self.checked

    def _files(self, folder: Path) -> list[Path]:
        """List what is in a folder, but for what is being written."""
        try:
            found = sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [path for path in found if not path.name.startswith(TEMPORARY)]

    def _see(self, *paths: Path) -> None:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    self.checked.size += path.stat().st_size
                    self.checked.files += 1

    def _find(
        self, path: Path, kind: Kind, problem: Problem = Problem.DAMAGED, *, counts: bool = True
    ) -> None:
        problem = _really(path, kind, problem)
        self.checked.findings.append(Finding(path, kind, problem, counts=counts))

    def _claim(
        self,
        path: Path,
        kind: Kind,
        problem: Problem,
        *,
        known: Source | None = None,
        unreadable: int | None = None,
    ) -> None:
        """Note that rows cannot be read: those known, or else some that the job has."""
        job = self.jobs.get(job_of(path))
        if known is None and job is not None:
            known = Source(path, job.name, job.snapshot, job.code, job.rows)
        problem = _really(path, kind, problem)
        self.claims.append(_Claim(Finding(path, kind, problem, unreadable=unreadable), known))

    def _run_file(self, name: str) -> RunFile:
        path = self.workdir.run_file
        self._see(path)
        try:
            file = read_run_file(self.workdir, name)
        except WorkdirError:
            file = None
        if file is None or not path.exists():
            self._find(path, Kind.RUN_FILE)
        return file or RunFile(name)

    def _check_jobs(self, names: Iterable[str]) -> None:
        there = [p for p in self._files(self.workdir.jobs_folder) if p.suffix == ".json"]
        self._see(*there)
        for path in there:
            try:
                self.jobs[path.stem] = read_job(self.workdir, path.stem)
            except WorkdirError:
                if path.exists():
                    self._find(path, Kind.JOB)
        expected = {self.workdir.job(name) for name in names}
        for path in sorted(expected.difference(there)):
            self._find(path, Kind.JOB)

    def _check_journal(self, path: Path) -> None:
        self._see(path)
        try:
            found = inspect(path.read_bytes())
        except FileNotFoundError:  # its rows stand in a partial result by now
            return
        except OSError:
            found = Inspection(damaged=1, lost=None)
        if found.torn:
            self._find(path, Kind.JOURNAL, Problem.TORN)
        origin, unreadable, problem = found.origin, found.lost, Problem.DAMAGED
        if origin.get("format", journal.FORMAT) != journal.FORMAT:
            found, problem = Inspection(damaged=1), Problem.OTHER_FORMAT
        elif found.done or found.failed:
            belongs = _belongs_to(self.workdir, path, origin)
            if belongs is None:
                unreadable = rows.count(rows.joined((*found.done, *found.failed)))
                found = Inspection(damaged=1)
            else:
                name = job_of(path)
                self.sound.append(Source(path, name, *belongs, found.done, found.failed))
        if found.damaged:
            self._claim(path, Kind.JOURNAL, problem, unreadable=unreadable)

    def _check_partial(self, note: Path) -> None:
        """Check a partial result and the note beside it."""
        self._see(note)
        try:
            info = read_record(note, PARTIAL_FORMAT)
            path = note.parent / info["file"]
            done = tuple((int(start), int(stop)) for start, stop in info["rows"])
            known = Source(path, info["job"], info["snapshot"], info["code"], done, info=info)
            size, crc = info["size"], info["crc"]
        except FileNotFoundError:  # a newer result stands by now
            return
        except (OSError, KeyError, TypeError, ValueError):
            perhaps = [p for p in self._files(note.parent) if _is_partial_of(p, note.stem)]
            self._see(*perhaps)
            self.named.update(perhaps)
            self._claim(note, Kind.NOTE, Problem.DAMAGED)
            return
        self._see(path)
        self.named.add(path)
        if not _is_as_known(path, size, crc):
            if note.exists():  # else a newer result stands by now
                self._claim(path, Kind.PARTIAL, Problem.DAMAGED, known=known)
        elif source := read_partial(note):
            self.sound.append(source)

    def _check_snapshots(self, expected: set[str], present: str | None) -> None:
        folders = [p for p in self._files(self.workdir.snapshots_folder) if p.is_dir()]
        for folder in folders:
            files = self._files(folder)
            self._see(*files)
            damaged = snapshot.damaged_files(folder)
            for path in damaged if folder.exists() else ():
                self._find(path, Kind.SNAPSHOT, counts=present in (folder.name, None))
            for path in files:
                moved = not path.match("from-*.npy") or snapshot.read_moves(path)
                if moved is None and path.exists():
                    self._find(path, Kind.MOVES)
        for digest in sorted(expected - {folder.name for folder in folders}):
            folder = self.workdir.snapshot(digest)
            self._find(folder, Kind.SNAPSHOT, counts=present in (digest, None))

    def _check_codes(self, expected: set[str], present: str | None) -> None:
        folders = [p for p in self._files(self.workdir.codes_folder) if p.is_dir()]
        for folder in folders:
            self._see(*(Path(base, f) for base, _, names in os.walk(folder) for f in names))
            try:
                frozen_code(folder)
            except WorkdirError:
                if folder.exists():
                    self._find(folder, Kind.CODE, counts=present in (folder.name, None))
        for digest in sorted(expected - {folder.name for folder in folders}):
            self._find(self.workdir.code(digest), Kind.CODE, counts=present in (digest, None))

    def _check_result(self, result: Result, present: str | None) -> None:
        path = Path(result.file)
        self._see(path)
        if _is_as_known(path, result.size, result.crc):
            self.checked.whole = result.snapshot == present and refers_to_files(result, path)
        elif not self._is_being_replaced(path):
            self._find(path, Kind.RESULT)

    def _is_being_replaced(self, path: Path) -> bool:
        """Tell whether a command put a new result there, and has yet to write that down."""
        holder = read_holder(self.workdir.lock_file, self.workdir.holder_file)
        if holder is None or not path.exists():
            return False
        return path.stat().st_mtime_ns > self.workdir.run_file.stat().st_mtime_ns


def _belongs_to(
    workdir: Workdir, path: Path, origin: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Tell the snapshot and the code of a journal; where it cannot say so, as readers do."""
    if {"snapshot", "code"} <= origin.keys():
        return str(origin["snapshot"]), str(origin["code"])
    sources = read_sources(workdir, job_of(path))
    return next(((s.snapshot, s.code) for s in sources if not origin and s.path == path), None)


def _is_partial(path: Path) -> bool:
    note = path.suffix == ".json" and path.stem == job_of(path)
    return bool(_PARTIAL.fullmatch(path.name)) and path.suffix != ".part" and not note


def _is_partial_of(path: Path, job: str) -> bool:
    return _is_partial(path) and job_of(path) == job


def _is_as_known(path: Path, size: int, crc: int) -> bool:
    try:
        return path.stat().st_size == size and crc32(path) == crc
    except OSError:
        return False


def _really(path: Path, kind: Kind, problem: Problem) -> Problem:
    """Tell damage from what only looks like it."""
    if problem is not Problem.DAMAGED:
        return problem
    if not path.exists():
        return Problem.GONE
    if not os.access(path, os.R_OK):
        return Problem.UNREADABLE
    try:
        record = read_json(path) if path.suffix == ".json" else None
    except (WorkdirError, FileNotFoundError):
        record = None
    found = record.get("format") if isinstance(record, dict) else None
    other = isinstance(found, int) and found != _FORMATS.get(kind, found)
    return Problem.OTHER_FORMAT if other else Problem.DAMAGED


def _settled(
    workdir: Workdir, last: Run | None, sound: list[Source], claims: Iterable[_Claim]
) -> Iterator[Finding]:
    """Find out which of the rows that cannot be read stand elsewhere."""
    state = task_state(workdir, last, sound) if last is not None else None
    for finding, known in ((claim.finding, claim.rows) for claim in claims):
        if state is None or known is None:
            yield dataclasses.replace(finding, lost=None)
        elif not select_sources(state.run, [known]):
            yield dataclasses.replace(finding, counts=False)
        else:
            lost = _missing(workdir, state, known, finding.kind)
            yield dataclasses.replace(finding, lost=lost)


def _missing(workdir: Workdir, state: TaskState, known: Source, kind: Kind) -> Ranges | None:
    """Name the rows of the last run that were in a file, and are not done by another."""
    if known.snapshot != state.run.snapshot:
        moved = snapshot.read_moves(workdir.moves(known.snapshot, state.run.snapshot))
        if moved is None:
            return None
        state = dataclasses.replace(state, moves={known.snapshot: moved})
    # what failed stays in journals, so that only what is missing can have been in a damaged one
    there = (RowState.DONE, RowState.FAILED)[: 2 if kind is Kind.JOURNAL else 1]
    found = (
        number
        for _, row, length in state.targets(known, known.done)
        for number in range(row, row + length)
        if state.states[number] not in there
    )
    return rows.of_sorted(sorted(set(found)))
