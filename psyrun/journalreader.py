"""Own the reading of a journal's results, block by block."""

from __future__ import annotations

import mmap
import pickle
from array import array
from typing import TYPE_CHECKING, Any

from psyrun import columns, journal, rows
from psyrun.columns import NAN, Columns
from psyrun.exceptions import StoreError, WorkdirError
from psyrun.files import read_errors
from psyrun.store.base import Reader

if TYPE_CHECKING:
    from collections.abc import Collection

    from psyrun.state import Source
    from psyrun.store.forms import Form, Forms

__all__ = ["ABSENT", "JournalReader"]

_BLOCK_BYTES = 16 << 20


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
                    gap = ABSENT if each in self.parameters else NAN
                    values = block.get(each, [gap])
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
