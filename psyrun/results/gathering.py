"""Own the columns of a task that has no whole result: gathered from what its jobs have left.

Rows move while a task runs: journals go once their rows stand in a partial result. A column
that is asked for later looks again where its rows are by then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.conclude import while_rows_move
from psyrun.exceptions import WorkdirError
from psyrun.merge import Merger, ResultColumn
from psyrun.partial import verified
from psyrun.results.base import About, Results, done_rows
from psyrun.results.columns import HeldColumn, PickedColumn
from psyrun.rows import RowState
from psyrun.salvage import classes_known
from psyrun.state import read_sources, task_state
from psyrun.store import DefaultStore, store_for
from psyrun.store.arrays import to_array
from psyrun.store.forms import NOTHING, OBJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from psyrun.pspace import ParameterSpace
    from psyrun.runfile import Run
    from psyrun.state import TaskState
    from psyrun.store.forms import Form
    from psyrun.workdir import Workdir

__all__ = ["gather"]


def gather(workdir: Workdir, run: Run, space: ParameterSpace, name: str) -> Results:
    """Make the results of a run of those of its rows that are done.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    run : Run
        The run.
    space : ParameterSpace
        Its parameter space.
    name : str
        The task.
    """
    rows = _Rows(workdir, run, space)
    names = while_rows_move(rows.find)
    columns = {name: _GatheredColumn(rows, name) for name in names if name not in run.exclude}
    about = About(
        name, space, bytes(rows.state.states), rows.overridden(), run.units, rows.notes
    )
    return Results(columns, about)


@dataclass
class _Rows:
    """The done rows of a run, wherever they are at the moment.

    Attributes
    ----------
    notes : list of str
        What was damaged when they were found first.
    """

    workdir: Workdir
    run: Run
    space: ParameterSpace
    notes: Sequence[str] = ()
    _found: TaskState | None = None
    _columns: dict[str, HeldColumn] = field(default_factory=dict)

    @property
    def state(self) -> TaskState:
        """Which rows are done: those that were when they were found first."""
        assert self._found is not None
        return self._found

    def find(self) -> list[str]:
        """Look where the rows are, and return the names of their columns.

        Raises
        ------
        WorkdirError
            If rows that were there are there no more.
        """
        sources, notes = verified(read_sources(self.workdir))
        state = task_state(self.workdir, self.run, sources)
        partials = [source.path for source in state.sources if not source.is_journal]
        store = store_for(partials[-1], trusted=True) if partials else DefaultStore()
        merger = Merger(state, self.space, store)
        with classes_known(self.workdir.root):
            columns = {n: HeldColumn(c) for n, c in merger.columns().items()}
        if self._found is None:
            self.notes, self._found, self._columns = notes, state, columns
        else:
            self._columns = self._as_before(state, columns)
        return list(self._columns)

    def _as_before(
        self, state: TaskState, columns: dict[str, HeldColumn]
    ) -> dict[str, HeldColumn]:
        """Leave out the rows that have come since."""
        now, before = done_rows(state.states), done_rows(self.state.states)
        if not (np.isin(before, now).all() and columns.keys() >= self._columns.keys()):
            raise WorkdirError(
                f"rows of {self.workdir.root} are gone since they were looked at; "
                "load them again"
            )
        if len(now) == len(before):
            return columns
        places = np.searchsorted(now, before)
        return {n: HeldColumn(PickedColumn(column, places)) for n, column in columns.items()}

    def overridden(self) -> list[str]:
        """Name the parameters that results have the name of."""
        names = self.space.keys()
        return [n for n in names if isinstance(self._columns[n].column, ResultColumn)]

    def read(self, name: str, action: Callable[[HeldColumn], Any]) -> Any:
        """Do something with a column; again, where a job that just ended moved its rows."""
        try:
            return self._read(name, action)
        except FileNotFoundError:
            return while_rows_move(lambda: self._read_again(name, action))

    def _read_again(self, name: str, action: Callable[[HeldColumn], Any]) -> Any:
        self.find()
        return self._read(name, action)

    def _read(self, name: str, action: Callable[[HeldColumn], Any]) -> Any:
        with classes_known(self.workdir.root):
            return action(self._columns[name])


class _GatheredColumn:
    """A column of done rows; see `ArrayColumn`."""

    def __init__(self, rows: _Rows, name: str) -> None:
        self._rows, self._name = rows, name
        self._size = rows.state.count(RowState.DONE)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        values: list[Any] = self._rows.read(self._name, list)
        return iter(values)

    @cached_property
    def form(self) -> Form:
        """What the arrays are like."""
        found: Form = self._rows.read(self._name, lambda column: column.form)
        return found

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        form = self.form  # known before rows that have come since may widen it
        found: NDArray[Any] = self._rows.read(
            self._name, lambda column: column.array(start, stop)
        )
        if found.dtype == form.array_dtype and found.shape[1:] == form.shape:
            return found
        if form == NOTHING:  # then, no row had it
            return np.full(found.shape[:1], np.nan)
        if found.dtype == OBJECT and found.ndim == 1:
            return to_array(found.tolist(), form)
        corner = [0] * (found.ndim - 1 - len(form.shape)) + [slice(n) for n in form.shape]
        return found[:, *corner].astype(form.array_dtype)
