"""Own `Results`: the done rows of a task as columns, and what is not done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from psyrun import rows
from psyrun.pspace import Param, Selection
from psyrun.pspace.selection import rows_of
from psyrun.results.columns import HeldColumn, PickedColumn, array_of
from psyrun.rows import RowState

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from psyrun.pspace import ParameterSpace
    from psyrun.store.base import Column

__all__ = ["About", "Results", "done_rows"]


def done_rows(states: bytes | bytearray) -> NDArray[np.int64]:
    """Find the rows that are done, given a byte for each row."""
    return np.flatnonzero(np.frombuffer(states, dtype=np.uint8) == RowState.DONE)


@dataclass(frozen=True)
class About:
    """What results are of.

    Attributes
    ----------
    name : str
        The task, or the file.
    space : ParameterSpace or None
        The parameter space; None if it is not known.
    states : bytes
        A `RowState` for each row of the space.
    overridden : sequence of str
        Parameters whose column holds results, as these have the same name.
    units : dict of str to str
        The unit of each column that has one.
    notes : sequence of str
        What the user should know about how the rows were found.
    """

    name: str
    space: ParameterSpace | None = None
    states: bytes | bytearray = b""
    overridden: Sequence[str] = ()
    units: Mapping[str, str] | None = None
    notes: Sequence[str] = ()


class Results(Mapping[str, "NDArray[Any]"]):
    """The results of a task: a mapping of columns, and what is missing.

    Make one with `load_result`. A column is an array with an element for each row that is done,
    in the order of the parameter space: numbers, texts and times as such; array results as one
    array with a further axis for each of theirs, filled with NaN where rows differ in shape;
    whatever no array holds as objects. A column is read when it is asked for, and read-only.

    Parameters
    ----------
    columns : mapping of str to column
        The columns of the done rows, parameters first.
    about : About
        What they are of.
    rows : array of int64, optional
        The positions of these rows in the space. None takes all that are done.

    Attributes
    ----------
    name : str
        The task, or the file.
    space : ParameterSpace or None
        The parameter space; None for a file without its work directory.
    rows : array of int64
        The positions of the rows in the space.
    units : dict of str to str
        The unit of each column that has one.
    notes : tuple of str
        What should be known about how the rows were found: damaged files, for example.

    Examples
    --------
    >>> results = Results(
    ...     {"a": [1, 3], "y": [1.0, 9.0]},
    ...     About("square", Param(a=[1, 2, 3]), bytes([2, 0, 2])),
    ... )
    >>> results
    <Results of square: 2 of 3 rows done, 1 missing; columns: a, y>
    >>> results["y"]
    array([1., 9.])
    >>> results.missing.build()
    {'a': [2]}
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        about: About,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        self.columns = {name: HeldColumn(column) for name, column in columns.items()}
        self.about = about
        self.name, self.space = about.name, about.space
        self.units = dict(about.units or {})
        self.notes = tuple(about.notes)
        if rows is None:
            rows = done_rows(about.states)
            if about.space is None:
                rows = np.arange(max(map(len, self.columns.values()), default=0))
        self.rows: NDArray[np.int64] = rows
        self._arrays: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            array = array_of(self.columns[name])
            array.flags.writeable = False
            self._arrays[name] = array
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other  # what comparing arrays as mappings do would come to an error

    @property
    def size(self) -> int:
        """The number of rows in the columns."""
        return len(self.rows)

    @property
    def parameters(self) -> list[str]:
        """The columns that are parameters; none are known without the space."""
        known = self.space.keys() if self.space is not None else []
        return [n for n in self.columns if n in known and n not in self.about.overridden]

    @property
    def complete(self) -> bool:
        """Whether all rows of the task are done; of a file alone, whether it has rows."""
        if self.space is None:
            return self.size > 0
        return self.count(RowState.DONE) == len(self.about.states)

    @property
    def missing(self) -> ParameterSpace:
        """The assignments that were not evaluated yet, or whose rows were lost."""
        return self._in_state(RowState.MISSING)

    @property
    def failed(self) -> ParameterSpace:
        """The assignments that failed; `psy errors` tells why."""
        return self._in_state(RowState.FAILED)

    def count(self, state: RowState) -> int:
        """Count the rows of the task in a state."""
        if self.space is None:
            return self.size if state is RowState.DONE else 0
        return self.about.states.count(state)

    def _in_state(self, state: RowState) -> ParameterSpace:
        if self.space is None:
            return Param()
        return rows_of(rows.of_state(self.about.states, state), self.space)

    def select(self, positions: ArrayLike) -> Self:
        """Take some of the rows.

        Parameters
        ----------
        positions : array of int, or of bool
            Which of the rows in the columns, in which order; or for each, whether to take it.

        Returns
        -------
        Results
            These rows. `space`, `complete`, `missing` and `failed` stay those of the task.

        Examples
        --------
        >>> results = Results({"y": [4, 2, 3]}, About("numbers"))
        >>> results.select(results["y"] > 2)["y"]
        array([4, 3])
        """
        wanted = np.asarray(positions)
        if wanted.dtype == bool:
            if wanted.shape != (self.size,):
                raise IndexError(f"{wanted.shape} truths for {self.size} rows")
            wanted = np.flatnonzero(wanted)
        wanted = np.arange(self.size)[wanted.astype(np.int64, casting="same_kind")]
        picked = {name: PickedColumn(c, wanted) for name, c in self.columns.items()}
        return type(self)(picked, self.about, self.rows[wanted])

    def where(self, expression: str) -> Self:
        """Take the rows for which a condition holds.

        Only the columns that it names are read, block by block; of a table with indexes
        (``H5Store(layout="table", index=...)``) no more than the index tells to.

        Parameters
        ----------
        expression : str
            Comparisons of columns, joined by ``and``, ``or`` and ``not`` (or by ``&``, ``|``
            and ``~``, with parentheses): ``"(a > 3) & (y < 0.1)"``, ``"0 < a <= 2 and
            name == 'x'"``. A name that is no identifier stands in backquotes.

        Returns
        -------
        Results
            These rows, as from `select`.

        Raises
        ------
        StoreError
            If it is no condition on single values of the columns there are.

        Examples
        --------
        >>> results = Results({"a": [1, 2, 3], "y": [0.5, 0.1, 0.0]}, About("numbers"))
        >>> results.where("a > 1 and y < 0.1")["a"]
        array([3])
        """
        from psyrun.results.conditions import positions_where

        return self.select(positions_where(self, expression))

    @property
    def is_part(self) -> bool:
        """Whether these are some of the done rows only, or in another order."""
        if self.space is None:
            return False
        return not np.array_equal(self.rows, done_rows(self.about.states))

    def to_pandas(self, *, expand: bool = False) -> pd.DataFrame:
        """Make a table with a row for each row that is done.

        Parameters
        ----------
        expand : bool
            Whether an array result gets a column for each of its elements: ``y[0]``,
            ``y[1,2]``. Without, its cells hold arrays.

        Returns
        -------
        pandas.DataFrame
            Parameters first. Its index is the position of each row in the parameter space.

        Raises
        ------
        ExtraError
            If pandas is not installed.
        """
        from psyrun.results.frames import to_pandas

        return to_pandas(self, expand=expand)

    def to_xarray(
        self,
        *,
        dims: Mapping[str, str | Sequence[str]] | None = None,
        stacked: bool = False,
    ) -> xr.Dataset:
        """Make labelled arrays of all rows, done or not.

        The factors of ``*`` become dimensions whose coordinates are the parameters; a zipped
        `Param` becomes one dimension, named by its members joined with ``_``, along which they
        are coordinates; ``+`` joins dimensions with equal names, where labels that both sides
        have are one. An array result has further dimensions. Cells without a result are NaN
        ('' among texts, NaT among times); the variable ``status`` tells 'done', 'failed' and
        'missing' cells apart, and is '' where the space has no row. Where one assignment occurs
        several times, these are along a dimension ``occurrence``.

        Parameters
        ----------
        dims : mapping, optional
            Other names of dimensions: for a dimension its new name
            (``dims={"a_b": "point"}``), for an array result the names of its own dimensions
            (``dims={"y": ("time", "cell")}``), which are ``y_dim_0``, ``y_dim_1``, ...
            otherwise.
        stacked : bool
            Whether to make one dimension ``row`` with a MultiIndex of the parameters instead.

        Returns
        -------
        xarray.Dataset
            A result with the name of a parameter is called ``<name>_result``. Without a space
            there is one dimension, ``row``.

        Raises
        ------
        ExtraError
            If xarray is not installed.
        ResultsError
            If the space is no grid, so that nearly all cells would be empty; or if names in
            `dims` do not fit.
        """
        from psyrun.results.labelled import to_xarray

        return to_xarray(self, dims=dims or {}, stacked=stacked)

    @property
    def selected_space(self) -> ParameterSpace | None:
        """The rows of the space that labelled arrays are about."""
        if self.space is None or not self.is_part:
            return self.space
        return Selection(self.space, self.rows.tolist())

    def progress(self) -> str:
        """Tell how many rows are done, failed and missing."""
        from psyrun.results.texts import progress_text

        return progress_text(self)

    def __repr__(self) -> str:
        names = ", ".join(self.columns) or "none"
        return f"<Results of {self.name}: {self.progress()}; columns: {names}>"

    def _repr_html_(self) -> str:
        from psyrun.results.table import html_table

        return html_table(self)
