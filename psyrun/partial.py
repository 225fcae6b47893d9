"""Own partial results: a job's journals turned into one file of the task's store, and back.

Knows which rows a job has; nothing of plans and schedulers. Unpickles only what a CRC proved
whole.
"""

import dataclasses
import os
import pickle
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from psyrun import columns, journal, rows
from psyrun.columns import Columns
from psyrun.exceptions import PsyrunError, StoreError
from psyrun.files import (
    Later,
    crc32,
    crc32_of_all,
    flushed_later,
    new_file,
    replacing,
    write_record,
)
from psyrun.jobs import Job
from psyrun.merge import Merger, ResultColumn
from psyrun.pspace import ParameterSpace
from psyrun.pspace.selection import rows_of
from psyrun.rows import Ranges
from psyrun.runfile import Run
from psyrun.state import (
    PARTIAL_FORMAT,
    Source,
    TaskState,
    mark_rows,
    read_partial,
    read_sources,
)
from psyrun.store import Store
from psyrun.store.arraystore import ArrayStore
from psyrun.store.base import as_list
from psyrun.workdir import Workdir, run_of

_PART_ROWS = 500


def _at_once(files: Later, then: Callable[[], object]) -> None:
    files.settle()
    then()


class AtHand(NamedTuple):
    """What a worker knows when it makes a partial result, besides its files.

    Attributes
    ----------
    payloads : dict or None
        The pickled results by row; None where the journals have to be read.
    spent : dict
        How many seconds its phases took so far; see `psyrun.timing.Tally`.
    settle : callable
        What flushes the files and removes the journals then: at once, or beside the rows.
    """

    payloads: Mapping[int, bytes] | None = None
    spent: Mapping[str, float] = {}
    settle: Callable[[Later, Callable[[], object]], object] = _at_once


def write_partial(
    workdir: Workdir,
    job: Job,
    space: ParameterSpace,
    store: Store,
    exclude: Sequence[str] = (),
    at_hand: "AtHand | None" = None,
) -> bool:
    """Turn the journals of a job whose rows are all done into its partial result.

    Another self of this job may do the same at the same time: each writes a file of its own,
    and the one that the note names counts. The journals go once the note stands. While a row is
    failed or missing they stay and nothing is written: they are as good a source, and the
    failed rows' errors are there.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    job : Job
        The job.
    space : ParameterSpace
        The job's snapshot.
    store : Store
        The format to write.
    exclude : sequence of str
        Parameters to leave out. (A result to leave out is left out by merge only, so that
        another choice needs no evaluation.)
    at_hand : AtHand, optional
        What the worker knows besides its files.

    Returns
    -------
    bool
        Whether all rows of the job stand in a partial result now.
    """
    began = time.monotonic()
    payloads, spent, settle = at_hand or AtHand()
    journals = workdir.journals(job.name)
    there = read_partial(workdir.partial_info(job.name))
    if there and verified([there])[0]:  # of a former self of this job, or of a second one
        known = Later([there.path, workdir.partial_info(job.name)])  # which may not be flushed
        settle(known, lambda: _remove(reversed(journals)))
        return True
    if payloads is None:
        found = _from_journals(workdir, job, space, store)
    else:
        found = _from_memory(job, space, payloads)
    if found is None:
        return False
    data, results = found
    names = [name for name in space.keys() if name not in exclude or name in results]
    order = dict.fromkeys([*names, *results])
    path = new_file(workdir.new_partial(job.name, store.ext))
    with flushed_later() as later:
        try:
            check = save_whole(store, path, {name: data[name] for name in order})
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if spent:
            writing = spent.get("write", 0.0) + time.monotonic() - began
            spent = {**spent, "write": writing, "ended": time.time()}
        write_note(workdir, job, path, check, names, results, timing=spent)

    # those that are left, should it not come to an end, have the first names
    settle(later, lambda: _remove(reversed(journals)))
    return True


_Data: TypeAlias = tuple[Mapping[str, Any], list[str]]
"""The columns of a job, and which of them are results."""


def _from_memory(
    job: Job, space: ParameterSpace, payloads: Mapping[int, bytes]
) -> _Data | None:
    """Make a job's columns of what was pickled for its journals; None if rows are missing."""
    wanted = [row for start, stop in rows.joined(job.rows) for row in range(start, stop)]
    if sorted(payloads) != wanted:
        return None
    ordered = [payloads[row] for row in wanted]
    # part by part: a million dicts at once would cost more than what they hold
    parts = (ordered[low : low + _PART_ROWS] for low in range(0, len(ordered), _PART_ROWS))
    found = columns.concat((len(part), columns.from_rows(unpickled(part))) for part in parts)
    if not {*found}.isdisjoint(space.keys()):
        found = label(unpickled(ordered), job.rows, space)
    return rows_of(job.rows, space).build() | found, list(found)


def _from_journals(
    workdir: Workdir, job: Job, space: ParameterSpace, store: Store
) -> _Data | None:
    """Make a job's columns of its journals, part by part; None if rows are missing.

    The job's rows are merged as those of a run whose space they are.
    """
    journals = [source for source in read_sources(workdir, job.name) if source.is_journal]
    mine = rows_of(rows.joined(job.rows), space)
    run = Run(number=0, snapshot="", code=job.code, size=mine.size)
    moves = {job.snapshot: _Places(rows.joined(job.rows))}
    state = TaskState(run, bytearray(mine.size), verified(journals)[0], moves)
    if not mark_rows(state).complete:
        return None
    merger = Merger(state, mine, store)
    columns = merger.columns()
    return columns, [name for name, c in columns.items() if isinstance(c, ResultColumn)]


class _Places(Sequence[int]):
    """Where rows of a space stand among some of them; -1 where nowhere.

    Parameters
    ----------
    ranges : ranges
        The rows that it is about.
    """

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges

    def __len__(self) -> int:
        return self.ranges[-1][1] if self.ranges else 0

    def __getitem__(self, index: Any) -> Any:
        start, stop = index.start, index.stop
        places = [-1] * (stop - start)
        first = 0
        for low, high in self.ranges:
            begin, end = max(low, start), min(high, stop)
            if begin < end:
                known = range(first + begin - low, first + end - low)
                places[begin - start : end - start] = known
            first += high - low
        return places


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _declared(store: Store) -> dict[str, bool]:
    """Say what the class that defines `save` declares of it; what it inherits is of another."""
    owner = next(cls for cls in type(store).__mro__ if "save" in vars(cls))
    return {name: bool(vars(owner).get(name, False)) for name in ("streams", "atomic")}


def save_whole(store: Store, path: Path, data: Mapping[str, Any]) -> tuple[int, int]:
    """Write a file of a store's format that appears whole.

    Returns
    -------
    size, crc : int
        The file's bytes, and their CRC-32.

    Raises
    ------
    StoreError
        If the store cannot hold the data, whatever it raises itself.
    """
    own = _declared(store)
    if not own["streams"]:
        data = {name: as_list(column) for name, column in data.items()}
    crc = None
    try:
        if isinstance(store, ArrayStore) and own["atomic"]:
            crc = store.save_with_crc(path, data)
        elif own["atomic"]:
            store.save(path, data)
        else:
            with replacing(path) as temporary:
                store.save(temporary, data)
    except (PsyrunError, OSError):
        raise
    except Exception as err:  # a user's store may raise anything
        raise StoreError(
            f"{type(store).__name__} cannot write {path}: {type(err).__name__}: {err}"
        ) from err
    return path.stat().st_size, crc32(path) if crc is None else crc


def write_note(  # noqa: PLR0913, PLR0917 - all that a note tells
    workdir: Workdir,
    job: Job,
    path: Path,
    check: tuple[int, int],
    names: Sequence[str],
    results: Sequence[str],
    timing: Mapping[str, float] | None = None,
) -> None:
    """Write the note beside a partial result, which makes its rows count.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    job : Job
        The job; the file holds its rows in their order.
    path : Path
        The partial result.
    check : tuple of int
        Its size in bytes and CRC-32.
    names, results : sequence of str
        The parameters and the results that are columns of it.
    timing : dict, optional
        What the worker spent until then; see `psyrun.timing.Tally`.
    """
    note = {
        "job": job.name,
        "run": run_of(job.name),
        "snapshot": job.snapshot,
        "code": job.code,
        "file": os.path.relpath(path, workdir.out_folder),
        "rows": job.rows,
        "size": check[0],
        "crc": check[1],
        "parameters": names,
        "results": results,
        "timing": timing or {},
    }
    write_record(workdir.partial_info(job.name), PARTIAL_FORMAT, note)


def verified(sources: Sequence[Source]) -> tuple[list[Source], list[str]]:
    """Read all rows of some sources, leave out those damaged, and say so, a line each."""
    kept, notes = [], []
    partials = [source.path for source in sources if source.info is not None]
    crcs = dict(zip(partials, crc32_of_all(partials), strict=True))
    for source in sources:
        if source.info is not None:
            if crcs[source.path] != source.info["crc"]:
                notes.append(f"{source.path} is damaged and left out")
                continue
        else:
            sound = rows.of_sorted(journal.sound_rows(source.path))
            if source.damaged or rows.common(sound, source.done) != source.done:
                notes.append(f"{source.path} is damaged in places; those rows are left out")
            if source.torn:
                notes.append(
                    f"{source.path} ends within a row, which is left out: its process ended "
                    "while it was being written"
                )
            source = dataclasses.replace(source, done=sound)  # noqa: PLW2901 - the sound part
        kept.append(dataclasses.replace(source, verified=True))
    return kept, notes


def unpickled(payloads: Iterable[bytes]) -> list[dict[str, Any]]:
    """Unpickle results.

    Raises
    ------
    StoreError
        If a value cannot be made again, for example as its class cannot be imported.
    """
    try:
        return list(map(pickle.loads, payloads))
    except Exception as err:  # users' classes may raise anything here
        raise StoreError(
            f"the journals hold a result that cannot be loaded ({type(err).__name__}: {err})"
        ) from err


def label(
    results: Sequence[Mapping[str, Any]], ranges: Ranges, space: ParameterSpace
) -> Columns:
    """Turn the results of some rows into columns.

    Where a result overrides a parameter in some rows only, the others keep the parameter.
    """
    found = columns.from_rows(results)
    for name in {*found}.intersection(space.keys()):
        given = rows_of(ranges, space).build()[name]
        found[name] = [row.get(name, value) for row, value in zip(results, given, strict=True)]
    return found
