"""Own the columns of a task that has no whole result: gathered from what its jobs have left.

Rows move while a task runs: journals go once their rows stand in a partial result. A column
that is asked for later looks again where its rows are by then.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psyrun.conclude import while_rows_move
from psyrun.merge import Merger, ResultColumn
from psyrun.partial import verified
from psyrun.results.base import About, Results
from psyrun.results.columns import HeldColumn
from psyrun.rows import RowState
from psyrun.salvage import classes_known
from psyrun.state import read_sources, task_state
from psyrun.store import DefaultStore, store_for

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
    about = About(name, space, bytes(rows.state.states), rows.overridden(), notes=rows.notes)
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
        """Look where the rows are, and return the names of their columns."""
        sources, notes = verified(read_sources(self.workdir))
        state = task_state(self.workdir, self.run, sources)
        if self._found is None:
            self.notes = notes
        else:  # rows that came since are left out
            state = dataclasses.replace(state, states=self._found.states)
        partials = [source.path for source in state.sources if not source.is_journal]
        store = store_for(partials[-1], trusted=True) if partials else DefaultStore()
        merger = Merger(state, self.space, store)
        with classes_known(self.workdir.root):
            self._columns = {n: HeldColumn(c) for n, c in merger.columns().items()}
        self._found = state
        return list(self._columns)

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

    @property
    def form(self) -> Form:
        """What the arrays are like."""
        found: Form = self._rows.read(self._name, lambda column: column.form)
        return found

    def array(self, start: int, stop: int) -> NDArray[Any]:
        """Make the array of some rows."""
        found: NDArray[Any] = self._rows.read(
            self._name, lambda column: column.array(start, stop)
        )
        return found
