"""Own the reading of the files that hold rows: partial results and journals, part by part.

Knows where each row stands among the sources; nothing of spaces and results. Unpickles only
what a CRC proved whole.
"""

from __future__ import annotations

import mmap
import pickle
from array import array
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from psyrun import columns, journal, rows
from psyrun.columns import NAN, Columns
from psyrun.exceptions import StoreError, WorkdirError
from psyrun.files import crc32, read_errors
from psyrun.rows import RowState
from psyrun.store import store_for
from psyrun.store.base import Reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from psyrun.state import Source, TaskState
    from psyrun.store import Store
    from psyrun.store.forms import Form, Forms

__all__ = ["ABSENT", "JournalReader", "Layout", "Pool", "open_source"]

_BLOCK_BYTES = 16 << 20
_LOADED_BYTES = 128 << 20
_OPEN_FILES = 64


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""What stands where a row has no result that overrides a parameter, as others have."""


class JournalReader(Reader):
    """The done rows of a journal, in ascending order, unpickled block by block.

    Parameters
    ----------
    source : Source
        The journal. What was added since it was looked at does not count.
    parameters : collection of str
        Names of parameters. Where a result overrides one in some rows only, the others hold
        `ABSENT`: the values are the space's to tell. Rows that lack another name have NaN.

    Attributes
    ----------
    lacking : set of str
        Parameters that some results override and others do not; known once a form is.

    Raises
    ------
    WorkdirError
        If a row that was there is there no more.
    """

    def __init__(self, source: Source, parameters: Collection[str] = ()) -> None:
        self.path, self.parameters = source.path, parameters
        self.size = rows.count(source.done)
        self.lacking: set[str] = set()
        self._forms: Forms | None = None
        self._names: list[str] | None = None
        self._kept: tuple[int, Columns] = (-1, {})
        with read_errors(source.path), source.path.open("rb") as file:
            self._data = _mapped(file.fileno())
        found: dict[int, int] = {}
        self._starts, self._stops = array("q"), array("q")
        for row, start, stop in journal.done_places(self._data):
            found[row] = len(self._starts)
            self._starts.append(start)
            self._stops.append(stop)
        wanted = (row for start, stop in source.done for row in range(start, stop))
        try:
            self._order = array("q", map(found.__getitem__, wanted))
        except KeyError as err:
            raise WorkdirError(f"{source.path} is damaged; run the task again") from err
        self._cuts = self._cut()

    def _cut(self) -> list[int]:
        """Cut the rows into blocks by the size of their payloads."""
        cuts, taken = [0], 0
        for place, frame in enumerate(self._order):
            taken += self._stops[frame] - self._starts[frame]
            if taken > _BLOCK_BYTES and place:
                cuts.append(place)
                taken = 0
        return [*cuts, self.size]

    @property
    def names(self) -> list[str]:  # type: ignore[override]
        """The names that any row has, in the order of their first appearance."""
        if self._names is None:
            blocks = (self._block(number) for number in range(len(self._cuts) - 1))
            self._names = list(dict.fromkeys(name for block in blocks for name in block))
        return self._names

    def form(self, name: str) -> Form:
        """Tell what a column is like; see `Reader.form`. Those of all are found at once."""
        if self._forms is None:
            from psyrun.store.forms import Forms

            self._forms = Forms()
            names = self.names
            for number in range(len(self._cuts) - 1):
                block = self._block(number)
                for each in names:
                    values = block.get(each, [ABSENT if each in self.parameters else NAN])
                    given = [v for v in values if v is not ABSENT]
                    if len(given) < len(values):
                        self.lacking.add(each)
                    if given:
                        self._forms.add(each, given)
        return self._forms[name]

    def read(self, name: str, start: int, stop: int) -> list[Any]:
        """Read some rows of a column; see `Reader.read`."""
        values: list[Any] = []
        for number, low in enumerate(self._cuts[:-1]):
            high = self._cuts[number + 1]
            if low < stop and start < high:
                block = self._block(number)
                gap = ABSENT if name in self.parameters else NAN
                column = block[name] if name in block else [gap] * (high - low)
                values += column[max(start - low, 0) : stop - low]
        return values

    def _block(self, number: int) -> Columns:
        """Unpickle a block of rows; the last one is kept."""
        if self._kept[0] != number:
            data, starts, stops = self._data, self._starts, self._stops
            try:
                wanted = self._order[self._cuts[number] : self._cuts[number + 1]]
                results = [pickle.loads(data[starts[place] : stops[place]]) for place in wanted]
            except Exception as err:  # users' classes may raise anything here
                raise StoreError(
                    f"{self.path} holds a result that cannot be loaded "
                    f"({type(err).__name__}: {err})"
                ) from err
            found = columns.from_rows(results)
            for name in {*found}.intersection(self.parameters):
                found[name] = [row.get(name, ABSENT) for row in results]
            self._kept = number, found
        return self._kept[1]


def _mapped(fd: int) -> Any:
    try:
        return mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    except ValueError:  # empty files cannot be mapped
        return b""


class _PartialReader(Reader):
    """The results in a partial result, without the parameters beside them."""

    def __init__(self, reader: Reader, names: Sequence[str]) -> None:
        self.reader, self.names, self.size = reader, names, reader.size

    def form(self, name: str) -> Form:
        return self.reader.form(name)

    def read(self, name: str, start: int, stop: int) -> Sequence[Any] | NDArray[Any]:
        return self.reader.read(name, start, stop)

    def close(self) -> None:
        self.reader.close()


def open_source(source: Source, store: Store, parameters: Collection[str] = ()) -> Reader:
    """Open a source to read the results of its done rows.

    Parameters
    ----------
    source : Source
        A partial result or a journal.
    store : Store
        The task's store; a partial result of another format is read by its extension.
    parameters : collection of str
        As for `JournalReader`.

    Raises
    ------
    WorkdirError
        If the file is damaged.
    """
    if source.info is None:
        return JournalReader(source, parameters)
    if source.verified or crc32(source.path) == source.info["crc"]:
        foreign = source.path.suffix != store.ext
        reader = (store_for(source.path, trusted=True) if foreign else store).open(source.path)
        names = source.info["results"]
        if {*names} <= {*reader.names} and (
            not names or reader.size == rows.count(source.done)
        ):
            return _PartialReader(reader, names)
        reader.close()
    raise WorkdirError(
        f"{source.path} is damaged; remove it and run the task again, "
        "which evaluates its rows once more"
    )


class Pool:
    """The sources of a task, opened when they are needed, of which a few stay open.

    Parameters
    ----------
    sources : sequence of Source
        The files.
    store : Store
        The task's store.
    parameters : collection of str
        The names of the space.
    """

    def __init__(
        self, sources: Sequence[Source], store: Store, parameters: Collection[str]
    ) -> None:
        self.sources, self.store, self.parameters = sources, store, parameters
        self._open: OrderedDict[int, tuple[Reader, int]] = OrderedDict()

    def names(self, number: int) -> Sequence[str]:
        """Name the results that a source has."""
        info = self.sources[number].info
        return self.reader(number).names if info is None else info["results"]

    def reader(self, number: int) -> Reader:
        """Open a source, or return it where it is open still."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number][0]
        source = self.sources[number]
        size = source.path.stat().st_size
        held = sum(loaded for _, loaded in self._open.values())
        while self._open and (len(self._open) >= _OPEN_FILES or held + size > _LOADED_BYTES):
            _, (reader, loaded) = self._open.popitem(last=False)
            reader.close()
            held -= loaded
        reader = open_source(source, self.store, self.parameters)
        self._open[number] = reader, size
        return reader

    def read(
        self, number: int, name: str, places: NDArray[Any] | slice
    ) -> Sequence[Any] | NDArray[Any]:
        """Read rows of a column from anywhere in a source.

        Parameters
        ----------
        number : int
            The source.
        name : str
            The column.
        places : slice or array of int
            The rows' places in it, in any order.
        """
        reader = self.reader(number)
        if isinstance(places, slice):
            return reader.read(name, places.start, places.stop)
        return reader.take(name, places)

    def close(self) -> None:
        """Close all."""
        for reader, _ in self._open.values():
            reader.close()
        self._open.clear()


class Layout:
    """Where each done row stands: runs of rows that follow each other in a source too.

    Parameters
    ----------
    state : TaskState
        The rows and the sources; a later source wins.
    by_file : bool
        Whether rows come in the order of the sources, and not of the space.

    Attributes
    ----------
    rows : array of int
        For each row here, which row of the space it is.
    """

    def __init__(self, state: TaskState, *, by_file: bool = False) -> None:
        import numpy as np

        owner = np.full(state.run.size, -1, np.int32)
        place = np.zeros(state.run.size, np.int64)
        for number, source in enumerate(state.sources):
            for first, row, length in state.targets(source, source.done):
                owner[row : row + length] = number
                place[row : row + length] = np.arange(first, first + length)
        done = np.frombuffer(bytes(state.states), np.uint8) == RowState.DONE
        self.rows = np.flatnonzero(done & (owner >= 0))
        if by_file:
            order = np.lexsort((place[self.rows], owner[self.rows]))
            self.rows = self.rows[order]
        owner, place = owner[self.rows], place[self.rows]
        self.size = len(owner)
        changes = (np.diff(owner) != 0) | (np.diff(place) != 1)
        starts = np.flatnonzero(np.concatenate([[True], changes])) if self.size else self.rows
        self.starts = np.append(starts, self.size)
        self.owner, self.place = owner[starts], place[starts]

    def sources(self) -> list[int]:
        """Return the numbers of the sources that have a row here."""
        import numpy as np

        return [int(number) for number in np.unique(self.owner)]

    def places(self, number: int, most: int) -> Iterator[NDArray[Any]]:
        """Yield the places of the rows that are in a source, some at once.

        Parameters
        ----------
        number : int
            The source.
        most : int
            How many places at once.
        """
        import numpy as np

        runs = np.flatnonzero(self.owner == number)
        lengths = np.diff(self.starts)[runs]
        before = np.cumsum(lengths) - lengths
        places = np.repeat(self.place[runs] - before, lengths) + np.arange(lengths.sum())
        for start in range(0, len(places), most):
            yield places[start : start + most]

    def pieces(
        self, start: int, stop: int
    ) -> Iterator[tuple[int, NDArray[Any] | slice, NDArray[Any] | slice]]:
        """Tell where the rows of a block stand.

        Yields
        ------
        number : int
            A source.
        rows : slice or array of int
            Rows of the block, counted from its start.
        places : slice or array of int
            Their places in the source.
        """
        import numpy as np

        low = int(np.searchsorted(self.starts, start, "right")) - 1
        high = int(np.searchsorted(self.starts, stop, "left"))
        firsts = np.maximum(self.starts[low:high], start)
        lasts = np.minimum(self.starts[low + 1 : high + 1], stop)
        shifts = self.place[low:high] + firsts - self.starts[low:high]
        if high - low <= 8:
            for first, last, shift, number in zip(
                firsts.tolist(),
                lasts.tolist(),
                shifts.tolist(),
                self.owner[low:high].tolist(),
                strict=True,
            ):
                yield (
                    number,
                    slice(first - start, last - start),
                    slice(shift, shift + last - first),
                )
            return
        lengths = lasts - firsts
        owners = np.repeat(self.owner[low:high], lengths)
        places = np.repeat(shifts - (firsts - start), lengths) + np.arange(stop - start)
        for number in np.unique(owners).tolist():
            mine = np.flatnonzero(owners == number)
            yield number, mine, places[mine]
