"""Own the whole result: the columns of a task's done rows, in the order of the space.

Parameters come from the space, results from partial results and journals, the lowest rank
first. A store of arrays takes a block of a column at a time, others a whole column.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from psyrun import rows
from psyrun.columns import NAN, Columns
from psyrun.exceptions import IneffectiveExcludeWarning
from psyrun.gather import Layout, Pool
from psyrun.journalreader import ABSENT
from psyrun.pspace.selection import Selection, rows_of
from psyrun.rows import RowState
from psyrun.store.arraycolumns import ListColumn, ReaderColumn, is_gaps
from psyrun.store.base import Run, as_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from psyrun.pspace import ParameterSpace
    from psyrun.state import TaskState
    from psyrun.store import Store
    from psyrun.store.base import Column
    from psyrun.store.forms import Form, Forms
    from psyrun.store.moving import Stretch

_BLOCK_ROWS = 16_384

MOST_RUNS = 10_000
"""Runs of rows above which a virtual result has them in the order of their files."""

ROW, ORDER = "row", "order"
"""The column that tells each row then, and the attribute that names it."""


class SpaceColumns:
    """The parameters of a space, decoded block by block; the last block is kept.

    Parameters
    ----------
    space : ParameterSpace
        The space of the rows wanted.
    """

    def __init__(self, space: ParameterSpace) -> None:
        self.space = space
        self._kept: tuple[int, int, Columns] = (-1, -1, {})

    def block(self, start: int, stop: int) -> Columns:
        """Decode some rows."""
        low, high, found = self._kept
        if (low, high) != (start, stop):
            found = self.space.columns(start, stop)
            self._kept = start, stop, found
        return found

    @cached_property
    def forms(self) -> Forms:
        """What the columns are like as arrays."""
        from psyrun.store.forms import Forms

        found = Forms()
        _find_forms(self.space, found)
        return found


def _find_forms(space: ParameterSpace, found: Forms) -> None:
    """Find the forms of a space's columns, from its parts where it holds all that these do."""
    from psyrun.pspace import Param, Product, Sum
    from psyrun.store.forms import NOTHING

    if isinstance(space, Product):
        if space.size:
            _find_forms(space.left, found)
            _find_forms(space.right, found)
    elif isinstance(space, Sum):
        for part in space.parts:
            _find_forms(part, found)
            for name in {*space.keys()}.difference(part.keys() if part.size else space.keys()):
                found.join(name, lambda: NOTHING)
    else:
        whole = isinstance(space, Param)
        step = space.size if whole else _BLOCK_ROWS
        for start in range(0, space.size, max(step, 1)):
            for name, values in space.columns(start, min(start + step, space.size)).items():
                found.add(name, values)
    for name in space.keys():
        if name not in found:
            found.join(name, lambda: NOTHING)


class ParameterColumn:
    """One parameter of a space."""

    def __init__(self, columns: SpaceColumns, name: str) -> None:
        self.columns = columns
        self.name = name

    def __len__(self) -> int:
        return self.columns.space.size

    def __iter__(self) -> Iterator[Any]:
        size = len(self)
        starts = range(0, size, _BLOCK_ROWS)
        blocks = (self.columns.block(i, min(i + _BLOCK_ROWS, size)) for i in starts)
        return chain.from_iterable(block[self.name] for block in blocks)

    @property
    def form(self) -> Form:
        """What the column is like as an array."""
        return self.columns.forms[self.name]

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        from psyrun.store.arrays import to_array

        return to_array(self.columns.block(start, stop)[self.name], self.form)


class ResultColumn:
    """One result, gathered from all sources when it is read."""

    def __init__(self, merger: Merger, name: str) -> None:
        self.merger = merger
        self.name = name
        self.is_parameter = name in merger.space.keys()

    def __len__(self) -> int:
        return self.merger.size

    def __iter__(self) -> Iterator[Any]:
        return iter(self._gather())

    def _gather(self) -> list[Any]:
        """Make all of the column as a list."""
        merger = self.merger
        gap = ABSENT if self.is_parameter else NAN
        values: list[Any] = [gap] * merger.state.run.size
        for number, source in enumerate(merger.state.sources):
            column = self._whole(number)
            for place, row, length in merger.state.targets(source, source.done):
                # where there is no column, nothing may stay of an older source's row
                values[row : row + length] = (
                    [gap] * length if column is None else column[place : place + length]
                )
        if not merger.state.complete:
            values = [value for start, stop in merger.done for value in values[start:stop]]
        if self.is_parameter:
            given = ParameterColumn(merger.parameters, self.name)
            values = [g if v is ABSENT else v for v, g in zip(values, given, strict=True)]
        return values

    def _whole(self, number: int) -> list[Any] | None:
        """Read the column of a source; None if it has none."""
        reader = self.merger.pool.reader(number)
        if self.name not in self.merger.pool.names(number):
            return None
        return as_list(reader.read(self.name, 0, reader.size))

    @property
    def run_count(self) -> int:
        """How many runs of rows there are; see `MappedColumn`."""
        return len(self.merger.layout.owner)

    def runs(self) -> Iterator[Run]:
        """Yield which files the rows are in; see `MappedColumn`."""
        layout, sources, pool = self.merger.layout, self.merger.state.sources, self.merger.pool
        paths = [
            None if source.is_journal or self.name not in pool.names(number) else source.path
            for number, source in enumerate(sources)
        ]
        bounds = layout.starts.tolist()
        places = zip(layout.owner.tolist(), layout.place.tolist(), strict=True)
        for start, stop, (owner, place) in zip(bounds, bounds[1:], places, strict=False):
            yield Run(start, stop, paths[owner], place)

    def stretch(self, path: Path | None) -> Stretch | None:
        """Tell where the rows stand in a file that `runs` named; see `Reader.stretch`."""
        return self.merger.pool.stretch(self.merger.numbers[path], self.name) if path else None

    @cached_property
    def form(self) -> Form:
        """What the column is like as an array.

        Raises
        ------
        UnholdableError
            If the sources' values do not fit into one.
        """
        from psyrun.store.forms import UnholdableError, joined, joined_of_files

        numbers = self.merger.layout.sources()
        try:
            forms = [self._form_of(number) for number in numbers]
            found = joined_of_files(forms, lambda place: self._is_gaps(numbers[place]))
            _ = found.array_dtype
        except UnholdableError:  # perhaps because of rows that others have replaced
            return joined(map(self._form_of_rows, numbers))
        return found

    @property
    def _given(self) -> list[Form]:
        """What stands where a result is not given, if that is not a gap."""
        return [self.merger.parameters.forms[self.name]] if self.is_parameter else []

    def _form_of(self, number: int) -> Form:
        """Find the form of a source's column."""
        from psyrun.store.forms import NOTHING, joined

        pool = self.merger.pool
        if self.name not in pool.names(number):
            return joined(self._given) if self._given else NOTHING
        form = pool.form(number, self.name)
        return joined([form, *self._given]) if self.name in pool.lacking(number) else form

    def _form_of_rows(self, number: int) -> Form:
        """Find the form of those of a source's rows that count; arrays of NaN are gaps."""
        from psyrun.store.forms import NOTHING, form_of, joined

        pool, forms = self.merger.pool, []
        if self.name not in pool.names(number):
            return self._form_of(number)
        for places in self.merger.layout.places(number, _BLOCK_ROWS):
            values: Any = pool.read(number, self.name, places)
            if isinstance(values, list):
                kept = [value for value in values if value is not ABSENT]
                forms += self._given if len(kept) < len(values) else []
                values = kept
            is_gap = getattr(values, "ndim", 0) == 1 and values.dtype == float
            is_gap = is_gap and all(value != value for value in values)  # noqa: PLR0124
            forms.append(NOTHING if is_gap else form_of(values))
        return joined(forms)

    def _is_gaps(self, number: int) -> bool:
        """Whether a source has nothing but NaN: no values, and no parameter in their place."""
        reader = self.merger.pool.reader(number)
        names = {*reader.names} - {*self.merger.pool.lacking(number)}
        return self.name in names and is_gaps(ReaderColumn(reader, self.name))

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows.

        Returns
        -------
        array of shape (stop - start, ...)
            Of the column's form.
        """
        import numpy as np

        form = self.form
        pieces = list(self.merger.layout.pieces(start, stop))
        if len(pieces) == 1:
            return self._piece(pieces[0][0], pieces[0][2], start, pieces[0][1])
        array = np.empty((stop - start, *form.shape), form.array_dtype)
        for number, targets, places in pieces:
            array[targets] = self._piece(number, places, start, targets)
        return array

    def _piece(
        self,
        number: int,
        places: NDArray[Any] | slice,
        start: int,
        targets: NDArray[Any] | slice,
    ) -> NDArray[Any]:
        """Read rows of one source."""
        from psyrun.store.arrays import to_array

        values: Any
        if self.name in self.merger.pool.names(number):
            values = self.merger.pool.read(number, self.name, places)
        else:
            size = places.stop - places.start if isinstance(places, slice) else len(places)
            values = [ABSENT if self.is_parameter else NAN] * size
        return to_array(self._completed(values, start, targets), self.form)

    def _completed(self, values: Any, start: int, targets: NDArray[Any] | slice) -> Any:
        """Put the parameter where a result does not override it."""
        if not self.is_parameter or not isinstance(values, list):
            return values
        if not any(value is ABSENT for value in values):
            return values
        import numpy as np

        places = np.arange(self.merger.size)[targets] if isinstance(targets, slice) else targets
        given = self.merger.parameters.space.take((places + start).tolist())[self.name]
        return [g if v is ABSENT else v for v, g in zip(values, given, strict=True)]


class Merger:
    """The columns of a task's done rows.

    Parameters
    ----------
    state : TaskState
        Which rows are done, and where.
    space : ParameterSpace
        The snapshot that the state is about.
    store : Store
        The task's store; partial results of another format are read by their extension.
    """

    def __init__(self, state: TaskState, space: ParameterSpace, store: Store) -> None:
        self.state, self.space, self.store = state, space, store
        self.done = rows.of_state(state.states, RowState.DONE)
        self.size = rows.count(self.done)
        self.pool = Pool(state.sources, store, space.keys())
        partials = any(not source.is_journal for source in state.sources)
        self.by_file = store.virtual and partials and len(self.layout.owner) > MOST_RUNS
        if self.by_file:
            self.layout = Layout(state, by_file=True)
            space = Selection(space, self.layout.rows.tolist())
        elif not state.complete:
            space = rows_of(self.done, space)
        self.parameters = SpaceColumns(space)

    @cached_property
    def layout(self) -> Layout:
        """Where each row stands among the sources."""
        return Layout(self.state)

    @cached_property
    def numbers(self) -> dict[Path, int]:
        """The number of each source, by its path."""
        return {source.path: number for number, source in enumerate(self.state.sources)}

    @property
    def notes(self) -> list[str]:
        """What is to be said about the result, if anything."""
        if not self.by_file:
            return []
        note = (
            f"the rows lie in more than {MOST_RUNS:,} pieces, so the virtual result has them "
            f"in the order of their files; its column {self._row_name!r} tells each row's place"
        )
        return [note]

    @property
    def _row_name(self) -> str:
        name = ROW
        while name in self.space.keys() or name in self._results:
            name += "_"
        return name

    @cached_property
    def _results(self) -> dict[str, None]:
        numbers = range(len(self.state.sources))
        return dict.fromkeys(name for number in numbers for name in self.pool.names(number))

    def close(self) -> None:
        """Let go of the sources."""
        self.pool.close()

    def columns(self, exclude: Sequence[str] = ()) -> dict[str, Column]:
        """Return the done rows' columns by name: parameters, then results.

        Warns
        -----
        IneffectiveExcludeWarning
            If a name to exclude does not occur.
        """
        results = self._results
        names = [*self.space.keys(), *(n for n in results if n not in self.space.keys())]
        warn_of_ineffective(exclude, names)
        columns: dict[str, Column] = {
            name: ResultColumn(self, name)
            if name in results
            else ParameterColumn(self.parameters, name)
            for name in names
            if name not in exclude
        }
        if not self.by_file:
            return columns
        return {self._row_name: ListColumn(self.layout.rows), **columns}

    @property
    def attributes(self) -> dict[str, str]:
        """What a store that keeps attributes should say of the order of rows."""
        return {ORDER: self._row_name} if self.by_file else {}


def warn_of_ineffective(exclude: Sequence[str], names: Sequence[str]) -> None:
    """Warn of names to exclude that do not occur among the columns."""
    if unknown := [name for name in exclude if name not in names]:
        warnings.warn(
            f"cannot leave out {', '.join(map(repr, unknown))}: the columns are "
            f"{', '.join(map(repr, names)) or 'none'}",
            IneffectiveExcludeWarning,
            stacklevel=3,
        )
