"""Own the whole result: partial results and journals put in the order of the space.

Parameter columns come from the space, result columns are painted source by source, the lowest
rank first. One column is in memory at a time; a store that takes columns that are made while
they are read never sees more.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from psyrun import rows
from psyrun.columns import NAN, Columns
from psyrun.exceptions import IneffectiveExcludeWarning, StoreError
from psyrun.files import crc32
from psyrun.partial import ABSENT, read_results, save_whole
from psyrun.pspace import ParameterSpace
from psyrun.pspace.selection import rows_of
from psyrun.rows import RowState
from psyrun.runfile import Result
from psyrun.state import Source, TaskState
from psyrun.store import Store, store_for
from psyrun.store.base import Column
from psyrun.workdir import Workdir

_BLOCK_ROWS = 20_000
_KEEP_BYTES = 64 << 20


class ParameterColumn:
    """One parameter of a space, decoded block by block."""

    def __init__(self, space: ParameterSpace, name: str) -> None:
        self.space = space
        self.name = name

    def __len__(self) -> int:
        return len(self.space)

    def __iter__(self) -> Iterator[Any]:
        size = len(self)
        starts = range(0, size, _BLOCK_ROWS)
        blocks = (self.space.columns(i, min(i + _BLOCK_ROWS, size)) for i in starts)
        return chain.from_iterable(block[self.name] for block in blocks)


class ResultColumn:
    """One result, gathered from all sources when it is read."""

    def __init__(self, gather: Callable[[], list[Any]], size: int) -> None:
        self.gather = gather
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[Any]:
        return iter(self.gather())


@dataclass
class Merger:
    """The columns of a task's done rows.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    state : TaskState
        Which rows are done, and where.
    space : ParameterSpace
        The snapshot that the state is about.
    store : Store
        The task's store; partial results of another format are read by their extension.
    """

    workdir: Workdir
    state: TaskState
    space: ParameterSpace
    store: Store

    def __post_init__(self) -> None:
        self._kept: dict[Path, Columns] = {}
        size = sum(source.path.stat().st_size for source in self.state.sources)
        self._keep = size <= _KEEP_BYTES

    def columns(self, exclude: Sequence[str] = ()) -> dict[str, Column]:
        """Return the done rows' columns by name: parameters, then results.

        Warns
        -----
        IneffectiveExcludeWarning
            If a name to exclude does not occur.
        """
        results = self._result_names()
        names = [*self.space.keys(), *(n for n in results if n not in self.space.keys())]
        warn_of_ineffective(exclude, names)
        done = rows.of_state(self.state.states, RowState.DONE)
        size = rows.count(done)
        space = self.space if self.state.complete else rows_of(done, self.space)
        columns: dict[str, Column] = {}
        for name in names:
            if name in exclude:
                continue
            if name in results:
                columns[name] = ResultColumn(lambda n=name: self._gather(n, done), size)  # type: ignore[misc]
            else:
                columns[name] = ParameterColumn(space, name)
        return columns

    def _result_names(self) -> list[str]:
        names: dict[str, None] = {}
        for source in self.state.sources:
            found = self._read(source) if source.info is None else source.info["results"]
            names.update(dict.fromkeys(found))
        return list(names)

    def _gather(self, name: str, done: rows.Ranges) -> list[Any]:
        size = self.state.run.size
        in_space = name in self.space.keys()
        values = [ABSENT if in_space else NAN] * size
        for source in self.state.sources:
            column = self._read(source).get(name)
            for place, row, length in self.state.targets(source, source.done):
                if column is not None:
                    values[row : row + length] = column[place : place + length]
                else:  # nothing may stay of an older source's row
                    values[row : row + length] = [ABSENT if in_space else NAN] * length
        if in_space:
            given = self.space.build()[name]
            values = [g if v is ABSENT else v for v, g in zip(values, given, strict=True)]
        if self.state.complete:
            return values
        return [value for start, stop in done for value in values[start:stop]]

    def _read(self, source: Source) -> Columns:
        if source.path in self._kept:
            return self._kept[source.path]
        foreign = not source.is_journal and source.path.suffix != self.store.ext
        store = store_for(source.path) if foreign else self.store
        found = read_results(source, store, self.space.keys())
        if self._keep:
            self._kept[source.path] = found
        return found


def warn_of_ineffective(exclude: Sequence[str], names: Sequence[str]) -> None:
    """Warn of names to exclude that do not occur among the columns."""
    if unknown := [name for name in exclude if name not in names]:
        warnings.warn(
            f"exclude names {', '.join(map(repr, unknown))}, but the columns are "
            f"{', '.join(map(repr, names)) or 'none'}",
            IneffectiveExcludeWarning,
            stacklevel=3,
        )


def save(store: Store, path: Path, columns: Mapping[str, Column]) -> tuple[int, int]:
    """Write columns as a result file that appears whole; see `save_whole`."""
    data = columns if store.streams else {name: list(c) for name, c in columns.items()}
    return save_whole(store, path, data)


def check_parameters(store: Store, space: ParameterSpace, exclude: Sequence[str]) -> None:
    """Make sure that a store can hold the parameters, going by the first row.

    Raises
    ------
    StoreError
        If it cannot; the message says how to leave a parameter out.
    """
    row = {
        name: [space[0][name]] for name in space.keys() if name not in exclude and space.size
    }
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / f"trial{store.ext}"
        try:
            save_whole(store, trial, row)
        except StoreError as err:
            raise StoreError(
                f"{type(store).__name__} cannot hold the parameters ({err}); leave one out of "
                "the result with exclude_from_result = ['its name']"
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
            "replaced; move it, or set another resultfile"
        )


def write_result(merger: Merger, path: Path, exclude: Sequence[str]) -> Result:
    """Write the whole result of a run whose rows are all done.

    Raises
    ------
    StoreError
        If the store cannot hold a value.
    """
    size, crc = save(merger.store, path, merger.columns(exclude))
    run = merger.state.run
    return Result(
        snapshot=run.snapshot,
        codes=merger.state.rows_by_code(),
        store=type(merger.store).__name__,
        file=str(path),
        exclude=tuple(exclude),
        size=size,
        crc=crc,
        mtime_ns=path.stat().st_mtime_ns,
        since=run.since,
    )
