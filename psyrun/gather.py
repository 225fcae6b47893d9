"""Own the reading of the files that hold rows: partial results and journals, part by part.

Knows where each row stands among the sources; nothing of spaces and results. Unpickles only
what a CRC proved whole.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
import weakref
from collections import Counter, OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyrun import rows
from psyrun.exceptions import WorkdirError
from psyrun.files import crc32
from psyrun.journalreader import JournalReader
from psyrun.rows import RowState
from psyrun.store import NpzStore, store_for
from psyrun.store.arraycolumns import ReaderColumn
from psyrun.store.base import Labelled, Reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from psyrun.state import Source, TaskState
    from psyrun.store import Store
    from psyrun.store.forms import Form, Forms
    from psyrun.store.moving import Stretch

__all__ = ["Layout", "Pool", "open_source"]

_LOADED_BYTES = 128 << 20
_MOST_FILES = 1000
_MOST_OPENINGS = 2


class _PartialReader(Reader):
    """The results in a partial result, without the parameters beside them."""

    def __init__(self, reader: Reader, names: Sequence[str]) -> None:
        self.reader, self.names = reader, names
        self.size, self.loads = reader.size, reader.loads

    def form(self, name: str) -> Form:
        return self.reader.form(name)

    def read(self, name: str, start: int, stop: int) -> Sequence[Any] | NDArray[Any]:
        return self.reader.read(name, start, stop)

    def take(self, name: str, places: NDArray[Any]) -> Sequence[Any] | NDArray[Any]:
        return self.reader.take(name, places)

    def stretch(self, name: str) -> Stretch | None:
        return self.reader.stretch(name)

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
        reader = (store_for(source.path, trusted=True) if foreign else store).open(
            source.path, caching=False
        )
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


def _open_files() -> int:
    """Say how many sources may be open at once: half of what the system allows."""
    return max(1, min(_MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


class Pool:
    """The sources of a task, opened when they are needed, of which a few stay open.

    Where rows of many sources alternate, and these cannot stay open together, reading each
    whole for every few rows would take forever: what is opened time and again is put into a
    temporary file first that can be read in parts.

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
        self._most = _open_files()
        self._openings: Counter[int] = Counter()
        self._names: dict[int, Sequence[str]] = {}
        self._forms: dict[int, Forms] = {}
        self._lacking: dict[int, Collection[str]] = {}
        self._stretches: dict[int, dict[str, Stretch | None]] = {}
        self._folder: Path | None = None

    def names(self, number: int) -> Sequence[str]:
        """Name the results that a source has."""
        if number not in self._names:
            info = self.sources[number].info
            found = self.reader(number).names if info is None else info["results"]
            self._names[number] = found
        return self._names[number]

    def lacking(self, number: int) -> Collection[str]:
        """Name the parameters that some results of a source override and others do not."""
        self._find_forms(number)
        return self._lacking[number]

    def form(self, number: int, name: str) -> Form:
        """Tell what a column of a source is like; those of all are found at once."""
        self._find_forms(number)
        return self._forms[number][name]

    def stretch(self, number: int, name: str) -> Stretch | None:
        """Tell where the rows of a column stand in a source; see `Reader.stretch`."""
        if number not in self._stretches:
            reader = self.reader(number)
            self._stretches[number] = {n: reader.stretch(n) for n in self.names(number)}
        return self._stretches[number][name]

    def _find_forms(self, number: int) -> None:
        from psyrun.store.forms import Forms

        if number in self._forms:
            return
        reader, forms = self.reader(number), Forms()
        for each in self.names(number):
            forms.join(each, lambda each=each: reader.form(each))  # type: ignore[misc]
        self._forms[number] = forms
        self._lacking[number] = getattr(reader, "lacking", ())

    def reader(self, number: int) -> Reader:
        """Open a source, or return it where it is open still."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number][0]
        reader, size = self._opened(number)
        held = size + sum(loaded for _, loaded in self._open.values())
        while self._open and (len(self._open) >= self._most or held > _LOADED_BYTES):
            _, (oldest, loaded) = self._open.popitem(last=False)
            oldest.close()
            held -= loaded
        self._open[number] = reader, size
        return reader

    def _opened(self, number: int) -> tuple[Reader, int]:
        """Open a source; tell how many bytes of it are in memory then."""
        source = self.sources[number]
        self._openings[number] += 1
        if self._folder is None or not self._spilled_path(number).exists():
            reader = open_source(source, self.store, self.parameters)
            if not reader.loads or self._openings[number] <= _MOST_OPENINGS:
                return reader, source.path.stat().st_size if reader.loads else 0
            with reader:
                self._spill(number, reader)
        return NpzStore(allow_pickle=True).open(self._spilled_path(number)), 0

    def _spilled_path(self, number: int) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="psyrun-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder / f"{number}.npz"

    def _spill(self, number: int, reader: Reader) -> None:
        """Put the columns of a source into a file that can be read in parts."""
        store = NpzStore(allow_pickle=True)
        columns = {n: store.column(n, ReaderColumn(reader, n)) for n in self.names(number)}
        store.write(self._spilled_path(number), columns, Labelled({}))

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
