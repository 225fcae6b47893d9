"""Own the merging of what is there in a folder, whole or not, in its place or copied away.

Runs no task file, except where values can't be loaded without a class that one defines.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psyrun import rows
from psyrun.code import frozen_code, frozen_modules
from psyrun.exceptions import PsyrunError, StoreError, WorkdirError
from psyrun.jobs import read_job
from psyrun.loading import FrozenFinder, FrozenModule
from psyrun.merge import Merger
from psyrun.partial import verified
from psyrun.pspace import Param
from psyrun.rows import RowState
from psyrun.runfile import Run, read_run_file
from psyrun.snapshot import load
from psyrun.state import Source, TaskState, mark_rows, read_sources, task_state
from psyrun.store import Store, store_for
from psyrun.store.arraycolumns import ChainedColumn, ReaderColumn
from psyrun.store.base import Labelled, Reader
from psyrun.workdir import Workdir, run_of


@dataclass(frozen=True)
class Found:
    """The rows found in a folder.

    Attributes
    ----------
    columns : dict
        Their columns.
    done, missing : int
        How many rows they are, and how many more there should be, as far as is known.
    notes : list of str
        What the user should know about how they were found.
    whole : bool
        Whether these are all rows of a task's last run, by codes that count for it.
    """

    columns: Mapping[str, Any]
    done: int
    missing: int = 0
    notes: Sequence[str] = ()
    whole: bool = False


def find_rows(folder: Path, store: Store) -> Found:
    """Gather the rows that are done from a task's work directory, or a part or copy of it.

    Parameters
    ----------
    folder : Path
        A work directory, its `out/`, or any folder of partial results.
    store : Store
        What the rows will be written with.

    Raises
    ------
    WorkdirError
        If there is nothing to merge.
    """
    if not folder.is_dir():
        raise WorkdirError(f"there is no folder {folder}")
    workdir = workdir_at(folder)
    if workdir is not None:
        return _of_task(workdir, store)
    sources = read_sources(_Loose(folder))
    partials = [source for source in sources if not source.is_journal]
    if partials:
        return _of_partials(partials, len(sources) - len(partials), store)
    return _of_files(folder)


def workdir_at(folder: Path) -> Workdir | None:
    """Find the work directory that a folder is, or whose `out/` it is."""
    place = folder.absolute()
    for workdir in (Workdir(place), Workdir(place.parent)):
        mine = place in (workdir.root, workdir.out_folder)
        if mine and workdir.run_file.exists() and workdir.out_folder.is_dir():
            return workdir
    return None


class _Loose(Workdir):
    """A folder of partial results without the work directory around it."""

    @property
    def out_folder(self) -> Path:
        """The folder itself."""
        return self.root


def _of_task(workdir: Workdir, store: Store) -> Found:
    """Merge a task's rows: those of the last run, and what older ones have besides."""
    file = read_run_file(workdir, workdir.root.name)
    if file.last is None:
        raise WorkdirError(f"{workdir.root} has no rows: the task was never run")
    sources, notes = verified(read_sources(workdir))
    others = {source.code for source in sources} - set(file.last.codes)
    accepted = tuple(sorted({*file.last.accepted, *others}))
    run = dataclasses.replace(file.last, accepted=accepted, since=1)
    state = task_state(workdir, run, sources)
    merger = Merger(state, load(workdir.snapshot(run.snapshot), verify=True), store)
    done = state.count(RowState.DONE)
    if run.size and not done:
        raise WorkdirError(f"no row of {workdir.root} is done, so there is nothing to merge")
    notes += [*merger.notes, *_copied(merger)]
    whole = state.complete and (
        run == file.last or task_state(workdir, file.last, sources).complete
    )
    columns = Labelled(merger.columns(run.exclude), merger.attributes, run.units)
    return Found(columns, done, run.size - done, notes, whole)


def _copied(merger: Merger) -> list[str]:
    """Say that rows were copied into a virtual result, as it cannot refer to them."""
    if not merger.store.virtual:
        return []
    sources = merger.state.sources
    size = sum(
        len(places)
        for number in merger.layout.sources()
        if sources[number].path.suffix not in {".h5", ".hdf5"}
        for places in merger.layout.places(number, max(merger.size, 1))
    )
    return (
        [f"copied {rows.text(size)}: only those in HDF5 files can be referred to"]
        if size
        else []
    )


@contextlib.contextmanager
def classes_known(folder: Path) -> Iterator[None]:
    """Let classes that a task's frozen code defines be found while its rows are merged.

    Parameters
    ----------
    folder : Path
        As for `find_rows`.
    """
    workdir = workdir_at(folder)
    finder = workdir and _finder(workdir)
    if not finder:
        yield
        return
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _finder(workdir: Workdir) -> FrozenFinder | None:
    try:
        run = read_run_file(workdir, workdir.root.name).last
        if run is None:
            return None
        image = frozen_code(workdir.code(run.code))
        taskdir = Path(read_job(workdir, next(iter(run.jobs))).taskdir)
    except (PsyrunError, FileNotFoundError, StopIteration):
        return None  # values of plain classes can be loaded without
    modules = frozen_modules(image, taskdir)
    path = taskdir / image.task_file
    task = FrozenModule(path, image.task_source, is_package=False)
    return FrozenFinder({**modules, path.stem: task})


def _of_partials(partials: Sequence[Source], journals: int, store: Store) -> Found:
    """Join partial results by the notes beside them, in the order of their space."""
    sources, notes = verified(partials)
    if not sources:
        raise WorkdirError(f"all partial results here are damaged: {'; '.join(notes)}")
    newest = max(sources, key=lambda s: run_of(s.job)).snapshot
    mine = [source for source in sources if source.snapshot == newest]
    if len(mine) < len(sources):
        notes.append("rows of older parameter spaces are left out")
    if journals:
        notes.append(
            f"{journals} journals are left out: their parameters are in the task's work "
            "directory; merge that"
        )
    whole = [
        dataclasses.replace(
            source, info={**info, "results": [*info["parameters"], *info["results"]]}
        )
        for source in sorted(mine, key=lambda s: run_of(s.job))
        if (info := source.info)
    ]
    size = max((stop for source in whole for _, stop in source.done), default=0)
    run = Run(number=0, snapshot=newest, code="", size=size)
    merger = Merger(mark_rows(TaskState(run, bytearray(size), whole, {})), Param(), store)
    notes += [*merger.notes, *_copied(merger)]
    return Found(Labelled(merger.columns(), merger.attributes), merger.size, notes=notes)


def _of_files(folder: Path) -> Found:
    """Join result files one after the other."""
    readers: list[Reader] = []
    left_out = []
    for path in sorted(folder.iterdir()):
        try:
            store = store_for(path)
        except StoreError:
            continue
        try:
            readers.append(store.open(path))
        except (StoreError, OSError) as err:
            left_out.append(f"{path} is left out: {err}")
    if not readers:
        raise WorkdirError(f"{folder} holds no rows of Psyrun")
    note = (
        "nothing tells how these files belong together, so they were joined in the order of "
        "their names"
    )
    parts = [(r.size, {name: ReaderColumn(r, name) for name in r.names}) for r in readers]
    names = dict.fromkeys(name for _, found in parts for name in found)
    columns = {
        name: ChainedColumn([(size, found.get(name)) for size, found in parts])
        for name in names
    }
    return Found(columns, sum(size for size, _ in parts), notes=[note, *left_out])
