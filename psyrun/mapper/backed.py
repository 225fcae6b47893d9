"""Own the map that keeps each row on disk as it finishes, and goes on where it was ended.

Beside the result stands a folder `<file>.psyrun`, laid out as a task's work directory. There is
no fingerprint: that the function is still the same is the caller's word.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyrun import locks, machine, rows
from psyrun.exceptions import PsyrunError, StoreError, TaskWarning
from psyrun.files import disk_errors
from psyrun.jobs import Job, origin, write_jobs
from psyrun.journalwriter import JournalWriter
from psyrun.mapper.arguments import (
    check_callable,
    check_processes,
    check_store,
    names_of,
    path_of,
)
from psyrun.mapper.memory import as_row, schedule, where
from psyrun.mapper.workers import end_outdated_workers
from psyrun.merge import Merger, warn_of_ineffective
from psyrun.partial import label, save_whole, verified
from psyrun.payloads import MAKES_OBJECTS, PROTOCOL, Pickler, has_objects, kept
from psyrun.present import next_number, state_for
from psyrun.pspace.sharding import shard
from psyrun.resultfile import check_target, is_intact
from psyrun.rows import RowState
from psyrun.runfile import Result, Run, read_run_file, write_run_file
from psyrun.signature import bind
from psyrun.snapshot import encode, write_moves
from psyrun.state import TaskState, read_sources, task_state
from psyrun.store import DefaultStore, Store
from psyrun.store.base import as_list
from psyrun.version import __version__
from psyrun.workdir import Workdir, job_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from psyrun.columns import Columns
    from psyrun.pspace import ParameterSpace
    from psyrun.store.base import Column

_CODE = "the caller's"
_BLOCK_ROWS = 10_000


def map_pspace_hdd_backed(  # noqa: PLR0913, PLR0917 - the arguments of 0.8
    fn: Callable[..., Any],
    pspace: ParameterSpace,
    filename: str | os.PathLike[str],
    store: Store | type[Store] | None = None,
    return_data: bool = True,  # noqa: FBT001, FBT002 - as in 0.8
    pool_size: int = 1,
    exclude: Iterable[str] | None = None,
) -> Columns | None:
    """Evaluate a function for each assignment, and keep each row on disk as it finishes.

    Called again after an interruption, or with a space that grew or was reordered, it
    evaluates only the assignments that are not done yet. Beside the file it keeps a folder
    `<filename>.psyrun`; without that folder the file is not continued.

    Parameters
    ----------
    fn : callable
        Takes the parameters as keywords and returns a mapping, or one plain value. Rows that
        are done are kept even if it has changed since: delete file and folder to begin anew.
    pspace : ParameterSpace
        The assignments.
    filename : path
        Where the whole result goes.
    store : Store, optional
        The format; None is `DefaultStore`.
    return_data : bool
        Whether to return the result too.
    pool_size : int
        How many processes evaluate rows; with more than one, `fn` is pickled.
    exclude : iterable of str, optional
        Names to leave out of the result; None leaves out nothing.

    Returns
    -------
    dict of str to list, or None
        The columns, as from `map_pspace`; None without `return_data`.

    Raises
    ------
    ArgumentError
        If an argument is not what it should be.
    StoreError
        If something that is not such a result stands at `filename`.
    LockedError
        If another process is at it.
    Exception
        Whatever `fn` raises, with a note that names the assignment; rows finished before are
        kept.

    Warns
    -----
    TaskWarning
        If rows on disk were damaged; they are evaluated again.

    Examples
    --------
    >>> import tempfile
    >>> from psyrun import Param
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     map_pspace_hdd_backed(lambda a: {"b": a + 1}, Param(a=[1, 2]), folder + "/r.pkl")
    {'a': [1, 2], 'b': [2, 3]}
    """
    check_callable(fn, pspace, "map_pspace_hdd_backed(function, space, filename)")
    path, excluded = path_of(filename), sorted(names_of(exclude))
    check_processes("pool_size", pool_size)
    made = check_store(store or DefaultStore)
    workdir = Workdir(path.with_name(f"{path.name}.psyrun"))
    with locks.locked(workdir.lock_file, workdir.holder_file, str(path)):
        target = _Target(path, made, workdir, excluded)
        columns = _bring_up(fn, pspace, target, pool_size)
        return {n: as_list(c) for n, c in columns.items()} if return_data else None


@dataclass(frozen=True)
class _Target:
    """Where the rows and the result go."""

    path: Path
    store: Store
    workdir: Workdir
    exclude: list[str]


def _bring_up(
    fn: Callable[..., Any], space: ParameterSpace, target: _Target, pool_size: int
) -> Mapping[str, Column]:
    """Evaluate what is not done, write the result if it does not stand, and return it."""
    file = read_run_file(target.workdir, target.path.name)
    check_target(target.store, target.path, file.result)
    if target.path.exists() and not file.runs:
        raise StoreError(
            f"{target.path} exists, but not the folder {target.workdir.root} that tells which "
            "rows it holds; move the file away to evaluate all rows"
        )
    encoded = encode(space)
    sources = read_sources(target.workdir)
    number = next_number(file.last, sources)
    run = _new_run(number, encoded.digest(), space.size, target)
    state, _ = state_for(target.workdir, run, space, sources)
    if state.complete and file.result is not None and _stands(file.result, run, target):
        return target.store.load(target.path)
    sources, notes = verified(sources)
    for note in notes:
        warnings.warn(note, TaskWarning, stacklevel=4)
    state, _ = state_for(target.workdir, run, space, sources)
    target.workdir.make()
    target.workdir.tidy()
    encoded.write(target.workdir.snapshot(run.snapshot))
    for old, moved in state.moves.items():
        write_moves(target.workdir.moves(old, run.snapshot), moved)
    file = file.with_run(run)
    write_run_file(target.workdir, file)
    with contextlib.ExitStack() as stack:
        kept = _evaluate_missing(fn, space, state, target, pool_size, stack)
        columns = _columns(space, kept, run, target)
        size, crc = save_whole(target.store, target.path, columns)
    result = Result(
        snapshot=run.snapshot,
        codes={_CODE: run.size},
        store=target.store.description,
        file=str(target.path),
        exclude=run.exclude,
        size=size,
        crc=crc,
        mtime_ns=target.path.stat().st_mtime_ns,
    )
    write_run_file(target.workdir, replace(file, result=result))
    return columns


def _new_run(number: int, digest: str, size: int, target: _Target) -> Run:
    return Run(
        number=number,
        snapshot=digest,
        code=_CODE,
        size=size,
        store=target.store.description,
        resultfile=str(target.path),
        exclude=tuple(target.exclude),
        when=locks.now(),
        host=machine.host(),
        user=machine.user(),
        versions={"python": sys.version.split()[0], "psyrun": __version__},
        command=tuple(sys.argv),
        folder=str(Path.cwd()),
    )


def _stands(result: Result, run: Run, target: _Target) -> bool:
    """Tell whether the file is what would be written now."""
    return (
        is_intact(result, target.path)
        and result.snapshot == run.snapshot
        and result.exclude == run.exclude
        and result.store == run.store
    )


def _evaluate_missing(
    fn: Callable[..., Any],
    space: ParameterSpace,
    state: TaskState,
    target: _Target,
    pool_size: int,
    stack: contextlib.ExitStack,
) -> list[dict[str, Any]] | None:
    """Evaluate the rows that are not done; return all results if that were all rows.

    The journal is closed with the stack: the disk may take it while the result is written.
    """
    todo = rows.of_state(state.states, RowState.MISSING, RowState.FAILED)
    job = Job(job_name(state.run.number, 0), "", "", state.run.snapshot, _CODE, todo)
    count = rows.count(todo)
    if count:
        write_jobs(target.workdir, [job])
    if pool_size > 1 and count > 1:
        _evaluate_in_pool(fn, space, job, target.workdir, pool_size)
        return None
    kept: list[dict[str, Any]] = []
    if count:
        journal = JournalWriter(target.workdir.new_journal(job.name), origin(job))
        stack.callback(journal.close)
        for start, stop in todo:
            _evaluate(fn, space.columns, (start, stop), start, journal, kept.append)
        journal.sync_aside(time.perf_counter())
    return kept if count == state.run.size else None


def _evaluate(
    fn: Callable[..., Any],
    columns_of: Callable[[int, int], Columns],
    bounds: tuple[int, int],
    first: int,
    journal: JournalWriter,
    keep: Callable[[dict[str, Any]], object] | None,
) -> None:
    """Evaluate rows that follow each other, and journal each as it finishes.

    Parameters
    ----------
    fn : callable
        The function.
    columns_of : callable
        Decodes a block of rows.
    bounds : tuple of int
        The rows, as `columns_of` counts them.
    first : int
        The number of the first of them in the snapshot.
    journal : JournalWriter
        Where each row goes.
    keep : callable or None
        What is given each result too.
    """
    done, clock, getpid = journal.done, time.perf_counter, os.getpid
    mine = getpid()
    dumps: Callable[[Any, int], bytes] = pickle.dumps
    row, began = first - 1, clock()
    for low in range(*bounds, _BLOCK_ROWS):
        columns = columns_of(low, min(low + _BLOCK_ROWS, bounds[1]))
        call = bind(fn, list(columns))
        for values in zip(*columns.values(), strict=True):
            row += 1
            try:
                result = call(*values)
                if getpid() != mine:  # it would write over the rows of its parent
                    raise PsyrunError("the function forked, and the child came back")  # noqa: TRY301
                if type(result) is not dict:
                    result = as_row(result)
                payload = dumps(result, PROTOCOL)
                if MAKES_OBJECTS in payload and dumps is pickle.dumps and has_objects(result):
                    dumps = Pickler().dumps
                    payload = dumps(result, PROTOCOL)
            except Exception as error:
                error.add_note(where(columns, row - first - (low - bounds[0])))
                raise
            ended = clock()
            try:  # costs a row nothing, unlike a context
                done(row, began, ended, payload)
            except OSError:
                with disk_errors(journal.path):
                    raise
            began = ended
            if keep is not None:
                keep(kept(result, payload))


def _evaluate_in_pool(
    fn: Callable[..., Any], space: ParameterSpace, job: Job, workdir: Workdir, pool_size: int
) -> None:
    """Deal blocks of rows to processes, each of which keeps journals of its own."""
    import cloudpickle
    import joblib

    cargo = cloudpickle.dumps(fn)
    sizes = [stop - start for start, stop in schedule(rows.count(job.rows), pool_size)]
    calls = (
        joblib.delayed(_evaluate_ranges)(
            cargo, [(start, shard(space, start, stop)) for start, stop in block], job, workdir
        )
        for block in rows.split(job.rows, sizes)
    )
    end_outdated_workers()
    joblib.Parallel(n_jobs=pool_size, backend="loky", batch_size=1)(calls)


def _evaluate_ranges(
    cargo: bytes, parts: Sequence[tuple[int, ParameterSpace]], job: Job, workdir: Workdir
) -> None:
    fn = pickle.loads(cargo)
    journal = JournalWriter(workdir.new_journal(job.name), origin(job))
    try:
        for first, space in parts:
            _evaluate(fn, space.columns, (0, space.size), first, journal, None)
    finally:
        journal.close()


def _columns(
    space: ParameterSpace, kept: list[dict[str, Any]] | None, run: Run, target: _Target
) -> Mapping[str, Column]:
    """Join parameters and results; from memory where all are there, else from the journals."""
    if kept is None:
        state = task_state(target.workdir, run, verified(read_sources(target.workdir))[0])
        return Merger(state, space, target.store).columns(target.exclude)
    found = label(kept, ((0, space.size),), space)
    columns = dict(space.build()) | found
    warn_of_ineffective(target.exclude, list(columns))
    return {name: columns[name] for name in columns if name not in target.exclude}
