"""Own `load_result`: what a name or path means, and where its rows are."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psyrun.exceptions import PsyrunError, ResultsError, StoreError, TaskError, WorkdirError
from psyrun.files import crc32
from psyrun.merge import ORDER
from psyrun.partial import verified
from psyrun.pspace.base import blocks
from psyrun.pspace.keys import column_keys
from psyrun.resultfile import is_intact, refers_to_files
from psyrun.results.base import About, Results
from psyrun.results.columns import FileColumn, HeldColumn, PickedColumn
from psyrun.results.gathering import gather
from psyrun.rows import RowState
from psyrun.runfile import read_run_file
from psyrun.salvage import classes_known, workdir_at
from psyrun.snapshot import load
from psyrun.state import read_partial, read_sources
from psyrun.store import ENTRY_POINTS, H5Store, NpzStore, PickleStore, store_for
from psyrun.store.arrays import to_array, values_of
from psyrun.store.forms import UnholdableError
from psyrun.store.h5reader import H5Reader
from psyrun.store.known import extensions
from psyrun.taskfiles import find_task_files, suggestion, workdir_root
from psyrun.workdir import Workdir

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from psyrun.pspace import ParameterSpace
    from psyrun.runfile import Result, RunFile
    from psyrun.store import Store
    from psyrun.store.base import Column

__all__ = ["load_result"]

TASKDIR = "psy-tasks"


def load_result(
    task: str | os.PathLike[str], *, taskdir: str | os.PathLike[str] = TASKDIR
) -> Results:
    """Load the results of a task, whole or not, or those in a result file.

    The rows are those of the task's last run. If all are done they are read from its result
    file; if not, those that are done by now are gathered from what its jobs have left. No task
    file is run, and nothing is unpickled that a checksum did not prove to be as it was written.

    Parameters
    ----------
    task : str or path
        The name of a task; or its work directory, or that one's ``out/``; or a result file. A
        file that is no task's result has columns, but no parameter space.
    taskdir : path
        The folder with the task files.

    Returns
    -------
    Results
        A mapping of columns that knows what is missing.

    Raises
    ------
    TaskError
        If there is no such task or file.
    WorkdirError
        If the task was never run, or its files are damaged.
    """
    taskdir = Path(taskdir)
    named = _task_named(task, taskdir) if isinstance(task, str) else None
    if named is not None:
        return _of_task(named)
    path = Path(task)
    if path.is_dir():
        workdir = workdir_at(path)
        if workdir is None:
            raise WorkdirError(
                f"{path} is no task's work directory; name a task, its folder below psy-work, "
                f"or a result file (psy merge {path} FILE makes one of partial results)"
            )
        return _of_task(workdir)
    if path.is_file():
        owner = _owner_of(path, taskdir)
        return _of_file(path) if owner is None else _of_named_result(path, *owner)
    raise TaskError(_unknown(task, taskdir))


def _unknown(task: str | os.PathLike[str], taskdir: Path) -> str:
    if not taskdir.is_dir():
        return (
            f"there is no file {str(task)!r}, and no folder {taskdir} with tasks; go to the "
            "project's folder, or name another folder with tasks"
        )
    hint = suggestion(str(task), list(find_task_files(taskdir)))
    return f"there is no task {str(task)!r} in {taskdir}, and no file of that name{hint}"


def _task_named(name: str, taskdir: Path) -> Workdir | None:
    """Find the work directory of a task; one that was never run counts if its file is there."""
    if not name or Path(name).name != name:
        return None
    files = find_task_files(taskdir) if taskdir.is_dir() else {}
    workdir = Workdir(workdir_root(taskdir, name, files.get(name)))
    return workdir if name in files or workdir.run_file.exists() else None


def _of_task(workdir: Workdir) -> Results:
    """Load the rows of a task's last run."""
    file = read_run_file(workdir, workdir.root.name)
    name, run = file.task, file.last
    if run is None:
        raise WorkdirError(
            f"the task {name!r} was never run; run it with: psy run {name} (there is nothing "
            f"in {workdir.root.absolute()})"
        )
    path = _standing(workdir, file)
    if path is not None and file.result is not None:
        return _of_result(path, workdir, file.result, name)
    with classes_known(workdir.root):
        space = load(workdir.snapshot(run.snapshot), verify=True)
    return gather(workdir, run, space, name)


def _standing(workdir: Workdir, file: RunFile) -> Path | None:
    """Find the whole result of a task's last run, if it stands and is as it was written."""
    run, result = file.last, file.result
    if run is None or result is None or result.snapshot != run.snapshot:
        return None
    if not set(result.codes) <= set(run.codes) or result.since != run.since:
        return None
    places = _places(workdir, file.task, result)
    if result.is_virtual and not _are_sound(workdir):
        return None  # what it refers to is damaged in part: the rest can be gathered
    whole = (path for path in places if _intact(result, path) and refers_to_files(result, path))
    return next(whole, None)


def _are_sound(workdir: Workdir) -> bool:
    """Whether all partial results are as they were written."""
    partials = [source for source in read_sources(workdir) if not source.is_journal]
    return len(verified(partials)[0]) == len(partials)


def _places(workdir: Workdir, task: str, result: Result) -> Iterator[Path]:
    """Yield where a result may be; one in the work directory moves with that."""
    path = Path(result.file)
    if path.parent.name == task:
        yield workdir.root / path.name
    yield path


def _intact(result: Result, path: Path) -> bool:
    return is_intact(dataclasses.replace(result, file=str(path)), path)


def _owner_of(path: Path, taskdir: Path) -> tuple[Workdir, Result, str] | None:
    """Find the task whose result a file is."""
    place = path.resolve()
    for workdir in _candidates(place, taskdir):
        try:
            file = read_run_file(workdir, workdir.root.name)
        except PsyrunError:
            continue  # a file by itself can be read without
        result = file.result
        if result and place in {p.resolve() for p in _places(workdir, file.task, result)}:
            return workdir, result, file.task
    return None


def _candidates(place: Path, taskdir: Path) -> Iterator[Workdir]:
    beside = Workdir(place.parent)
    if beside.run_file.exists():
        yield beside
    if taskdir.is_dir():
        for name, file in find_task_files(taskdir).items():
            yield Workdir(workdir_root(taskdir, name, file))


def _of_named_result(path: Path, workdir: Workdir, result: Result, name: str) -> Results:
    """Load a result that was asked for by its file, if all that it refers to is sound."""
    if result.is_virtual and not _are_sound(workdir):
        raise StoreError(
            f"{path} is virtual, and a partial result that holds some of its rows is damaged; "
            f"evaluate these again with: psy run {name}"
        )
    return _of_result(path, workdir, result, name)


def _of_result(path: Path, workdir: Workdir, result: Result, name: str) -> Results:
    """Load the whole result of a task."""
    if not _intact(result, path) or (_unpickles(result) and crc32(path) != result.crc):
        raise StoreError(
            f"{path} is not as it was written, so it is not read; write it anew with: "
            f"psy run {name}"
        )
    within = partial(classes_known, workdir.root)
    with within():
        space = load(workdir.snapshot(result.snapshot), verify=True)
        reader = _store_of(result, path).open(path)
    if isinstance(reader, H5Reader):
        reader.check_sources()
    if reader.names and reader.size != space.size:
        raise ResultsError(f"{path} has not as many rows as the parameter space of {name!r}")
    columns: dict[str, FileColumn | PickedColumn] = {
        name: FileColumn(reader, name, within) for name in reader.names
    }
    if order := getattr(reader, "attributes", {}).get(ORDER):
        positions = np.argsort(columns.pop(order).array(0, reader.size))
        columns = {n: PickedColumn(HeldColumn(c), positions) for n, c in columns.items()}
    overridden = list(_overridden(workdir, result, space, columns))
    states = bytes([RowState.DONE]) * space.size
    return Results(columns, About(name, space, states, overridden, result.units))


def _store_of(result: Result, path: Path) -> Store:
    """Make the store of a result: of Psyrun's own by name, another by the extension."""
    name = result.store.partition("(")[0]
    own = {store.__name__: store.ext for store in (H5Store, NpzStore, PickleStore)}
    return store_for(own.get(name, path), trusted=True)


def _unpickles(result: Result) -> bool:
    """Whether reading a result may unpickle something, so that its CRC has to be right."""
    return not result.store.startswith("H5Store") or "layout='table'" in result.store


def _of_file(path: Path) -> Results:
    """Load a file that is no task's result."""
    known = extensions()
    if path.suffix.lower() not in known:
        *some, last = known
        raise StoreError(
            f"{path} is no result file of Psyrun, which ends in {', '.join(some)} or {last}; "
            "give such a file, a task or its work directory (a package adds formats by the "
            f"entry point group {ENTRY_POINTS})"
        )
    reader = store_for(path).open(path)
    columns = {name: FileColumn(reader, name) for name in reader.names}
    return Results(columns, About(path.name, units=getattr(reader, "units", None)))


def _overridden(
    workdir: Workdir,
    result: Result,
    space: ParameterSpace,
    columns: Mapping[str, Column],
) -> Iterator[str]:
    """Yield the parameters that results have the name of.

    The notes beside partial results name the results in them. Journals that are still there do
    not, so then the values tell.
    """
    noted: set[str] = set()
    for path in workdir.partial_infos():
        source = read_partial(path)
        if source and source.snapshot == result.snapshot and source.code in result.codes:
            noted.update((source.info or {})["results"])
    differ = _differs if workdir.journals() else _never
    for name in space.keys():
        if name in columns and (name in noted or differ(columns[name], space, name)):
            yield name


def _never(*_: object) -> bool:
    return False


def _differs(column: Column, space: ParameterSpace, name: str) -> bool:
    """Tell whether a column is not that of the space."""
    held = HeldColumn(column)
    form = held.form
    if form.dtype.kind not in "biuV":  # a file does not tell that it has gaps
        form = dataclasses.replace(form, fills=True)
    for start, stop in blocks(space.size):
        try:
            given = to_array(space.block(start, stop)[name], form)
        except (UnholdableError, TypeError, ValueError):
            return True
        found = values_of(held.array(start, stop))
        if column_keys(found) != column_keys(values_of(given)):
            return True
    return False
