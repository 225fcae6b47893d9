"""Own `psy merge`."""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from psyrun import rows
from psyrun.commands.messages import show_note, show_warning
from psyrun.commands.turns import find_workdirs
from psyrun.conclude import while_rows_move
from psyrun.exceptions import StoreError, WorkdirError
from psyrun.files import remove_abandoned
from psyrun.locks import Hold
from psyrun.partial import save_whole
from psyrun.resultfile import check_target
from psyrun.run import holding
from psyrun.runfile import read_run_file, write_run_file
from psyrun.salvage import Found, classes_known, find_rows, workdir_at
from psyrun.store import H5Store, Store, store_for
from psyrun.workdir import Workdir


def merge_folder(folder: Path, file: Path, taskdir: Path, *, virtual: bool = False) -> int:
    """Merge the rows of a folder that are done into a file.

    Parameters
    ----------
    folder : Path
        A work directory, a part or a copy of it; nothing is written there.
    file : Path
        Where the rows go. If that is a task's result, or lies in its work directory, the task
        is held meanwhile.
    taskdir : Path
        The folder with the task files.
    virtual : bool
        Whether the file shall refer to the rows where they are, instead of holding them.
    """
    _check_named(folder, file, taskdir)
    store = _store_of(file, virtual=virtual)
    owner = _owner_of(file, folder, taskdir)
    with owner.held() if owner else contextlib.nullcontext():
        check_target(store, file)
        remove_abandoned(file)
        found = while_rows_move(lambda: _merge(folder, store, file, owner))
    for note in found.notes:
        show_warning(note)
    click.echo(f"{rows.text(found.done)} in {file}")
    if found.missing:
        show_note(f"{rows.text(found.missing)} failed or missing")
    return 0


def _check_named(folder: Path, file: Path, taskdir: Path) -> None:
    """Make sure that folder and file are what they should be, if only by what is there."""
    if file.is_dir():
        if not folder.is_dir():
            raise WorkdirError(f"the folder comes first: psy merge {file} {folder}")
        raise WorkdirError(f"{file} is a folder; name a file in it, such as {file / 'all.pkl'}")
    if folder.is_dir():
        return
    if folder.exists():
        raise WorkdirError(
            f"{folder} is a file; psy merge takes a folder, such as psy-work/fit"
        )
    tasks = find_workdirs(taskdir, ()) if taskdir.is_dir() else ()
    for name, workdir in tasks:
        if name == str(folder) and workdir.root.is_dir():
            raise WorkdirError(
                f"there is no folder {folder}, but the work directory of the task: "
                f"psy merge {workdir.root} {file}"
            )


def _store_of(file: Path, *, virtual: bool) -> Store:
    store = store_for(file)
    if not virtual:
        return store
    if not isinstance(store, H5Store):
        raise StoreError(f"only HDF5 can be virtual; name a file such as {file.stem}.h5")
    return H5Store(virtual=True)


def _merge(folder: Path, store: Store, file: Path, owner: "_Owner | None") -> Found:
    """Find rows and write them."""
    with classes_known(folder):
        found = find_rows(folder, store)
        if owner:
            owner.check(file, folder, found)
        size, crc = save_whole(store, file, found.columns)
        if owner and owner.is_result:
            owner.note(file, store, size, crc)
    return found


@dataclass(frozen=True)
class _Owner:
    """The task that a file belongs to."""

    workdir: Workdir
    is_result: bool

    def held(self) -> Hold:
        """Hold the task."""
        return holding(self.workdir, self.workdir.root.name)

    def check(self, file: Path, folder: Path, found: Found) -> None:
        """Make sure that rows may be written to a file of the task.

        Raises
        ------
        StoreError
            If its result would not be whole, or the file is one of those that hold its rows.
        """
        name = self.workdir.root.name
        if file.resolve().parent != self.workdir.root.resolve() and not self.is_result:
            raise StoreError(
                f"{file} lies among the files that Psyrun keeps of task {name!r}; "
                "name another file"
            )
        if self.is_result and (reason := self._why_not_whole(folder, found)):
            raise StoreError(
                f"{file} is the result of task {name!r}, which is always whole, and {reason}; "
                "name another file"
            )

    def note(self, file: Path, store: Store, size: int, crc: int) -> None:
        """Write down that its result was written anew."""
        known = read_run_file(self.workdir, self.workdir.root.name)
        if known.result is not None and Path(known.result.file).resolve() == file.resolve():
            result = dataclasses.replace(
                known.result,
                store=store.description,
                size=size,
                crc=crc,
                mtime_ns=file.stat().st_mtime_ns,
            )
            write_run_file(self.workdir, dataclasses.replace(known, result=result))

    def _why_not_whole(self, folder: Path, found: Found) -> str | None:
        source = workdir_at(folder)
        if source is None or source.root.resolve() != self.workdir.root.resolve():
            return f"{folder} is not its work directory"
        if found.missing:
            verb = "is" if found.missing == 1 else "are"
            return f"{rows.text(found.missing)} failed or {verb} missing"
        return None if found.whole else "not all rows are by the code of its last run"


def _owner_of(file: Path, folder: Path, taskdir: Path) -> _Owner | None:
    """Find the task in whose work directory a file lies, or whose result it is."""
    place = file.resolve()
    for parent in place.parents:
        workdir = workdir_at(parent)
        if workdir is not None and workdir.root == parent:
            named = {path.name for path in _results_of(workdir)}
            return _Owner(workdir, place.parent == parent and place.name in named)
    tasks = find_workdirs(taskdir, ()) if taskdir.is_dir() else ()
    known = [workdir for _, workdir in tasks]
    for candidate in (*known, workdir_at(folder)):
        if candidate and place in {path.resolve() for path in _results_of(candidate)}:
            return _Owner(candidate, is_result=True)
    return None


def _results_of(workdir: Workdir) -> Iterator[Path]:
    """Yield where the result of a task is, and where it will be."""
    try:
        file = read_run_file(workdir, workdir.root.name)
    except WorkdirError:
        return  # who merges its rows is told
    if file.last and file.last.resultfile:
        yield Path(file.last.resultfile)
    if file.result:
        yield Path(file.result.file)
