"""Own the interface of result files; know nothing of any format, nor of tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

from psyrun.exceptions import StoreError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from psyrun.store.forms import Form
    from psyrun.store.moving import Stretch

__all__ = [
    "ArrayColumn",
    "Column",
    "Labelled",
    "LoadedReader",
    "MappedColumn",
    "Reader",
    "Run",
    "Store",
    "as_list",
]


_SIMPLE = (str, int, float, tuple, type(None))


class Column(Sized, Iterable[Any], Protocol):
    """A column to write: its values in order, possibly made one by one."""


class ArrayColumn(Column, Protocol):
    """A column to write of which parts can be made as arrays.

    Attributes
    ----------
    form : Form
        What these arrays are like, known before any is made.
    """

    @property
    def form(self) -> Form:
        """What the arrays are like."""

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows, of the column's form."""


class Run(NamedTuple):
    """Rows of a column that follow each other in a file too.

    Attributes
    ----------
    start, stop : int
        The rows.
    path : Path or None
        The result file that has the column; None if the rows are in none.
    place : int
        The first one's place there.
    """

    start: int
    stop: int
    path: Path | None
    place: int


class MappedColumn(ArrayColumn, Protocol):
    """A column that tells which files its rows are in.

    Attributes
    ----------
    run_count : int
        How many runs of rows there are.
    """

    @property
    def run_count(self) -> int:
        """How many runs of rows there are."""

    def runs(self) -> Iterable[Run]:
        """Yield the rows in their order, as few runs as possible."""

    def stretch(self, path: Path | None) -> Stretch | None:
        """Tell where the rows stand in a file that `runs` named; see `Reader.stretch`."""


class Labelled(dict[str, Any]):
    """Columns to write, and what a format that keeps attributes should say of them.

    Attributes
    ----------
    attributes : dict of str to str
        Of the whole.
    units : dict of str to str
        The unit of a column.
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        attributes: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(columns)
        self.attributes = dict(attributes or {})
        self.units = dict(units or {})


class Reader(ABC):
    """An open result file, of which parts can be read; a context that closes it.

    Attributes
    ----------
    size : int
        Number of rows.
    names : sequence of str
        The columns, in their order.
    loads : bool
        Whether all of the file is in memory while it is open.
    """

    size: int
    names: Sequence[str]
    loads: bool = False

    @abstractmethod
    def form(self, name: str) -> Form:
        """Tell what a column is like; where that is known, without reading it."""

    @abstractmethod
    def read(self, name: str, start: int, stop: int) -> Sequence[Any] | NDArray[Any]:
        """Read some rows of a column."""

    def take(self, name: str, places: NDArray[np.int64]) -> Sequence[Any] | NDArray[Any]:
        """Read rows of a column from anywhere.

        Parameters
        ----------
        name : str
            The column.
        places : array of int64
            Which rows, in any order. Such as lie near each other are read at once.
        """
        from psyrun.store.scattered import take

        return take(lambda start, stop: self.read(name, start, stop), places)

    def stretch(self, name: str) -> Stretch | None:
        """Tell where the rows of a column stand in the file; None if not as plain bytes."""
        del name
        return None

    def where(self, expression: str) -> NDArray[np.int64]:
        """Find the rows for which a condition holds.

        Rows are read block by block, and only the columns that the condition names.

        Parameters
        ----------
        expression : str
            Such as `(a > 3) & (y < 0.1)`; see `psyrun.store.query.parse_query`.

        Returns
        -------
        array of shape (hits,)
            Indices of rows, ascending.

        Raises
        ------
        StoreError
            If it is no condition on single values of the columns there are.
        """
        from psyrun.store.search import rows_where

        return rows_where(self, expression)

    def close(self) -> None:  # noqa: B027 - what is in memory needs none
        """Let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LoadedReader(Reader):
    """Columns that are in memory.

    Parameters
    ----------
    columns : dict
        Columns by name, all of one length.
    """

    loads = True

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.columns = columns
        self.names = list(columns)
        self.size = max(map(len, columns.values()), default=0)

    def form(self, name: str) -> Form:
        """Tell what a column is like; see `Reader.form`."""
        from psyrun.store.forms import form_of

        return form_of(self.columns[name])

    def read(self, name: str, start: int, stop: int) -> Sequence[Any] | NDArray[Any]:
        """Read some rows of a column; see `Reader.read`."""
        return self.columns[name][start:stop]  # type: ignore[no-any-return]


def as_list(column: Any) -> list[Any]:
    """Return a column that a store gave, or that is to be written, as a list.

    Numbers that Python has a type for become plain ones.
    """
    if isinstance(column, list):
        return column
    if hasattr(column, "dtype"):
        from psyrun.store.arrays import values_of

        return values_of(column)
    return list(column)


class Store(ABC):
    """A file format for results.

    Attributes
    ----------
    ext : str
        The file name extension, with its dot.
    streams : bool
        Whether `save` takes columns that are made while they are read (`Column`). Where it
        does not, it is given lists.
    atomic : bool
        Whether `save` itself lets a file appear whole, by writing beside it and renaming.
    slices : bool
        Whether `open` reads no more than what is asked for. Where it does not, it reads all of
        the file at once.
    labels_kept : bool
        Whether a file tells the attributes and units of `Labelled`.
    virtual : bool
        Whether a file only refers to those that columns are made from (`MappedColumn`).
    """

    ext: ClassVar[str] = ""
    streams: ClassVar[bool] = False
    atomic: ClassVar[bool] = False
    slices: ClassVar[bool] = False
    labels_kept: ClassVar[bool] = False
    virtual: bool = False

    @property
    def description(self) -> str:
        """The class and the options that it was made with, where these are not the default."""
        name = type(self).__name__
        try:
            usual = vars(type(self)())
        except Exception:  # noqa: BLE001 - a user's class may want arguments
            return name
        options = ", ".join(
            f"{key}={value!r}"
            for key, value in vars(self).items()
            if isinstance(value, _SIMPLE) and key in usual and usual[key] != value
        )
        return f"{name}({options})" if options else name

    @abstractmethod
    def save(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Write columns into a file, and replace what is there.

        Parameters
        ----------
        filename : path
            The file.
        data : dict
            Columns by name, all of the same length.

        Raises
        ------
        StoreError
            If a value cannot be held; the message names the column.
        """

    @abstractmethod
    def load(self, filename: str | os.PathLike[str], row: int | None = None) -> dict[str, Any]:
        """Read columns.

        Parameters
        ----------
        filename : path
            The file.
        row : int, optional
            Read only this row; columns then have one value each. None reads all rows.

        Raises
        ------
        StoreError
            If the file is no result of this format.
        """

    @abstractmethod
    def append(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Add rows to a file; where there is none, make it.

        Columns that only one side has are filled with NaN on the other.
        """

    def open(self, filename: str | os.PathLike[str], *, caching: bool = True) -> Reader:
        """Open a file to read parts of it.

        Parameters
        ----------
        filename : path
            The file.
        caching : bool
            Whether what was read may be kept. Who has many files open and reads each once
            does without.

        Raises
        ------
        StoreError
            If the file is no result of this format.
        """
        del caching
        return LoadedReader(self.load(filename))

    def for_partials(self) -> Store:
        """Return the store that jobs write their partial results with."""
        return self

    def check(self, row: Mapping[str, Any]) -> None:  # noqa: B027 - some hold everything
        """Make sure that this format holds the values of a row.

        Parameters
        ----------
        row : dict
            One value for each name.

        Raises
        ------
        StoreError
            If it does not; the message names the value, its type and a store that does.
        """

    def holds_result(self, filename: str | os.PathLike[str]) -> bool:
        """Tell whether a file looks like a result of this format, which may be replaced."""
        try:
            self.load(filename)
        except (StoreError, OSError):
            return False
        return True
