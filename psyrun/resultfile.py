"""Own the result file: whether it stands, what may be replaced, and its writing."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

from psyrun.exceptions import StoreError, TaskWarning, WorkdirError
from psyrun.files import crc32, disk_errors
from psyrun.merge import Merger, ParameterColumn, SpaceColumns
from psyrun.partial import save_whole
from psyrun.pspace import ParameterSpace
from psyrun.runfile import Result, RunFile, read_run_file
from psyrun.store import Store
from psyrun.store.arraystore import ArrayStore
from psyrun.store.base import Labelled
from psyrun.workdir import Workdir


def check_parameters(store: Store, space: ParameterSpace, exclude: Sequence[str]) -> None:
    """Make sure that a store can hold the parameters.

    A store of arrays is asked for whole columns, another for the first row.

    Raises
    ------
    StoreError
        If it cannot; the message says how to leave a parameter out.
    """
    names = [name for name in space.keys() if name not in exclude and space.size]
    try:
        if isinstance(store, ArrayStore):
            columns = SpaceColumns(space)
            for name in names:
                store.column(name, ParameterColumn(columns, name))
            return
        with tempfile.TemporaryDirectory() as folder:
            trial = Path(folder) / f"trial{store.ext}"
            save_whole(store, trial, {name: [space[0][name]] for name in names})
    except StoreError as err:
        raise StoreError(
            f"the parameters cannot be kept: {err}; exclude_from_result = ['its name'] leaves "
            "one out of the result"
        ) from err


def is_intact(result: Result, path: Path) -> bool:
    """Tell whether a file is still the result that was written.

    A file that nobody wrote to since is believed; one that was copied or touched is read.
    """
    if Path(result.file) != path or not path.is_file():
        return False
    stat = path.stat()
    if stat.st_size != result.size:
        return False
    return stat.st_mtime_ns == result.mtime_ns or crc32(path) == result.crc


def refers_to_files(result: Result, path: Path) -> bool:
    """Whether the files are there that hold the rows of a virtual result."""
    if not result.is_virtual:
        return True
    from psyrun.store.h5reader import H5Reader

    try:
        with H5Reader(path, "/psyrun") as reader:
            reader.check_sources()
    except (StoreError, FileNotFoundError):
        return False
    return True


def check_target(store: Store, path: Path, known: Result | None = None) -> None:
    """Make sure that a result may be written at a path.

    Parameters
    ----------
    store : Store
        The store that will write it.
    path : Path
        Where.
    known : Result, optional
        The result that stands; if it is this file, it may be replaced.

    Raises
    ------
    StoreError
        If something else is in the way.
    """
    if not path.exists() or (known and Path(known.file) == path and path.is_file()):
        return
    if not path.is_file() or not (path.stat().st_size == 0 or store.holds_result(path)):
        raise StoreError(
            f"{path} is in the way: it is no {store.ext} result of Psyrun, so it is not "
            "replaced; move it, or give the result another name"
        )


def check_not_shared(path: Path, file: RunFile, workdir: Workdir) -> None:
    """Make sure that what stands where a result goes is not the result of another task.

    Raises
    ------
    StoreError
        If a task with a work directory beside this one has its result there.
    """
    if not path.exists() or _is_known(path, file.result):
        return
    place = path.resolve()
    for other in workdir.root.parent.glob("*/run.json"):
        with contextlib.suppress(WorkdirError):  # it is told when that task has its turn
            found = read_run_file(Workdir(other.parent), other.parent.name)
            theirs = found.last and Path(found.last.folder, found.last.resultfile).resolve()
            if other.parent != workdir.root and theirs == place:
                raise StoreError(
                    f"{path} is the result of the task {found.task!r}; set another resultfile, "
                    f"or, if that task is gone: psy clean {found.task}"
                )


def keep_unknown(path: Path, known: Result | None) -> None:
    """Keep what a result is about to replace, unless it is known; warn of that.

    Results of psyrun 0.8 have the same place, and may be all that is left of long work.

    Parameters
    ----------
    path : Path
        Where the result goes.
    known : Result, optional
        The task's result that stands.
    """
    if not path.exists() or not path.stat().st_size or _is_known(path, known):
        return
    names = (path.with_name(f"{path.stem}.kept-{n}{path.suffix}") for n in count(1))
    kept = next(name for name in names if not name.exists())
    with disk_errors(path, "rename"):
        try:
            os.link(path, kept)  # so that what stands goes only when the new one is there
        except OSError:  # there are file systems without links
            path.rename(kept)
    warnings.warn(
        f"{path} was there, but by no run that is known of this task: it is kept as {kept}",
        TaskWarning,
        stacklevel=3,
    )


def _is_known(path: Path, known: Result | None) -> bool:
    """Tell whether a file is a result of the task, as far as its name and size tell."""
    if known is None or Path(known.file).absolute() != path.absolute():
        return False
    return path.stat().st_size == known.size


def write_result(merger: Merger, path: Path, attributes: Mapping[str, str]) -> Result:
    """Write the whole result of a run whose rows are all done.

    Parameters
    ----------
    merger : Merger
        The rows.
    path : Path
        Where the result goes.
    attributes : dict
        What a store that keeps attributes says of the whole.

    Raises
    ------
    StoreError
        If the store cannot hold a value.
    """
    run = merger.state.run
    labels = {**attributes, **merger.attributes}
    columns = Labelled(merger.columns(run.exclude), labels, run.units)
    size, crc = save_whole(merger.store, path, columns)
    return Result(
        snapshot=run.snapshot,
        codes=merger.state.rows_by_code(),
        store=merger.store.description,
        file=str(path),
        exclude=run.exclude,
        units=run.units,
        size=size,
        crc=crc,
        mtime_ns=path.stat().st_mtime_ns,
        since=run.since,
    )
