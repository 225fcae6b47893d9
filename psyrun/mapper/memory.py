"""Own the maps: call a function with each assignment of a space, and collect the columns.

They know nothing of tasks and work directories. Rows are evaluated block by block: columns in,
columns out.
"""

from __future__ import annotations

import contextlib
import reprlib
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from psyrun.columns import Columns, concat, from_rows
from psyrun.exceptions import IneffectiveExcludeWarning, PsyrunError
from psyrun.files import scratch
from psyrun.mapper.arguments import check_callable, check_n_jobs, names_of
from psyrun.mapper.cargo import Cargo, survives_pickling
from psyrun.mapper.mapped import Mapped, shared_folder
from psyrun.mapper.workers import end_outdated_workers
from psyrun.pspace.base import blocks
from psyrun.pspace.sharding import schedule, shard
from psyrun.signature import call_each

if TYPE_CHECKING:
    from pathlib import Path

    from psyrun.pspace import ParameterSpace

__all__ = [
    "as_row",
    "evaluate",
    "get_result",
    "map_pspace",
    "map_pspace_parallel",
    "schedule",
    "where",
]

Function: TypeAlias = Callable[..., Any]
Report: TypeAlias = Callable[[int, int], object]
"""Called with the number of rows done and of all rows."""

_NEAR = frozenset({"loky", "multiprocessing"})
"""The backends whose workers are on this machine, and do not share the caller's memory."""

_Evaluated: TypeAlias = Generator[tuple[int, Columns, set[str]], None, None]
"""Blocks: how many rows, their columns, and which names to leave out were among the results."""


def get_result(
    fn: Function, row: Mapping[str, Any], exclude: Iterable[str] | None = None
) -> dict[str, Any]:
    """Evaluate a function for one assignment.

    Parameters
    ----------
    fn : callable
        Takes the parameters as keywords and returns a mapping, or one plain value.
    row : mapping
        The assignment.
    exclude : iterable of str, optional
        Names to leave out; None leaves out nothing.

    Returns
    -------
    dict
        The assignment, updated with what `fn` returned; a plain value is called ``result``.

    Warns
    -----
    IneffectiveExcludeWarning
        If a name to leave out does not occur.

    Examples
    --------
    >>> get_result(lambda a, b: {"c": a + b}, {"a": 1, "b": 2}, exclude=["b"])
    {'a': 1, 'c': 3}
    """
    excluded = names_of(exclude)
    result = {**row, **as_row(fn(**row))}
    _warn_of_ineffective(excluded.difference(result), stacklevel=3)
    return {name: value for name, value in result.items() if name not in excluded}


def map_pspace(
    fn: Function, pspace: ParameterSpace, exclude: Iterable[str] | None = None
) -> Columns:
    """Evaluate a function for each assignment of a parameter space, one after the other.

    Parameters
    ----------
    fn : callable
        Takes the parameters as keywords and returns a mapping from names to results, or one
        plain value.
    pspace : ParameterSpace
        Assignments.
    exclude : iterable of str, optional
        Names to leave out of what is returned; None leaves out nothing.

    Returns
    -------
    dict of str to list
        The columns of the parameters, then those of the results (``result`` for plain values),
        in the order of the space. A result replaces a parameter of the same name. Where a row
        lacks a result that others have, NaN stands in.

    Raises
    ------
    ArgumentError
        If an argument is not what it should be.
    ParameterSpaceError
        If `fn` cannot be called with the parameters of the space.
    Exception
        Whatever `fn` raises, with a note that names the assignment.

    Warns
    -----
    IneffectiveExcludeWarning
        If a name to leave out does not occur.

    Examples
    --------
    >>> from psyrun import Param
    >>> map_pspace(lambda a, b: a * b, Param(a=[2, 3]) * Param(b=[5, 7]))
    {'a': [2, 2, 3, 3], 'b': [5, 7, 5, 7], 'result': [10, 14, 15, 21]}
    """
    check_callable(fn, pspace)
    excluded = names_of(exclude)
    return _collect(pspace, excluded, _evaluate_here(fn, pspace, excluded))


def map_pspace_parallel(
    fn: Function,
    pspace: ParameterSpace,
    n_jobs: int = -1,
    backend: str = "loky",
    exclude: Iterable[str] | None = None,
    *,
    progress: bool | Report = False,
) -> Columns:
    """Evaluate a function for each assignment of a parameter space, in several processes.

    Rows are dealt out in blocks, which get smaller towards the end so that all processes end
    together.

    Parameters
    ----------
    fn : callable
        As for `map_pspace`; may be defined in a notebook or in ``__main__``.
    pspace : ParameterSpace
        Assignments.
    n_jobs : int
        Number of processes as in joblib: -1 is one for each usable core, 1 is `map_pspace`.
    backend : str
        Backend of joblib: ``loky``, ``multiprocessing``, ``threading``, or a registered one.
    exclude : iterable of str, optional
        Names to leave out of what is returned; None leaves out nothing.
    progress : bool or callable
        Whether to show a progress bar on standard error; or a function that is called with
        the number of rows done and of all rows.

    Returns
    -------
    dict of str to list
        As from `map_pspace`, in the order of the space.

    Raises
    ------
    ArgumentError
        If an argument is not what it should be.
    ParameterSpaceError
        If `fn` cannot be called with the parameters of the space.
    PsyrunError
        In the place of an exception that cannot be pickled.
    Exception
        Whatever else `fn` raises, with a note that names the assignment.

    Warns
    -----
    IneffectiveExcludeWarning
        If a name to leave out does not occur.

    Examples
    --------
    >>> from psyrun import Param
    >>> map_pspace_parallel(lambda a: {"b": a + 1}, Param(a=[1, 2]), n_jobs=1)
    {'a': [1, 2], 'b': [2, 3]}
    """
    check_callable(fn, pspace, "map_pspace_parallel(function, space)")
    check_n_jobs(n_jobs, backend)
    excluded = names_of(exclude)
    evaluated = _evaluate_in_pool(fn, pspace, excluded, n_jobs=n_jobs, backend=backend)
    with contextlib.closing(evaluated):  # a traceback would keep it, and its workers
        if callable(progress) or not progress:
            return _collect(pspace, excluded, evaluated, progress or None)
        from psyrun.progress import Bar

        bar = Bar(pspace.size, getattr(fn, "__name__", ""))
        try:
            return _collect(pspace, excluded, evaluated, lambda done, _: bar.update(done))
        finally:
            bar.close()


def evaluate(fn: Function, columns: Columns) -> Columns:
    """Evaluate a function for a block of rows.

    Parameters
    ----------
    fn : callable
        Takes the parameters as keywords and returns a mapping, or one plain value.
    columns : dict of str to list
        Parameters of the rows; at least one column.

    Returns
    -------
    dict of str to list
        The results alone.

    Raises
    ------
    Exception
        Whatever `fn` raises, with a note that names the assignment.

    Examples
    --------
    >>> evaluate(lambda a: a * 10, {"a": [1, 2]})
    {'result': [10, 20]}
    """
    rows: list[dict[str, Any]] = []
    append = rows.append
    try:
        for result in call_each(fn, columns):
            # a copy: the function may return the same dict again with other values
            append(result.copy() if type(result) is dict else as_row(result))
    except Exception as error:
        error.add_note(where(columns, len(rows)))
        raise
    if len(rows) < len(next(iter(columns.values()))):  # map takes it for its own end
        stopped = RuntimeError(f"{_title(fn)} raised StopIteration")
        stopped.add_note(where(columns, len(rows)))
        raise stopped
    results = from_rows(rows)
    for name in results:
        if name in columns:  # where a row does not replace its parameter, that stays
            old = columns[name]
            results[name] = [row.get(name, old[place]) for place, row in enumerate(rows)]
    return results


def _evaluate_here(fn: Function, pspace: ParameterSpace, excluded: set[str]) -> _Evaluated:
    for start, stop in blocks(pspace.size):
        columns = pspace.columns(start, stop)
        results = evaluate(fn, columns)
        yield stop - start, columns | results, excluded.intersection(results)


def _evaluate_in_pool(
    fn: Function, pspace: ParameterSpace, excluded: set[str], *, n_jobs: int, backend: str
) -> _Evaluated:
    import joblib

    with joblib.parallel_config(backend=backend):
        workers = joblib.effective_n_jobs(n_jobs)
    if workers == 1 or pspace.size < 2:
        yield from _evaluate_here(fn, pspace, excluded)
        return
    cargo = fn if backend == "threading" else Cargo.pack(fn)
    cut = schedule(pspace.size, workers)
    if backend == "loky":
        end_outdated_workers()
    pool = _pool(n_jobs, backend)
    is_near = backend in _NEAR
    with scratch(shared_folder()) if is_near else contextlib.nullcontext() as folder:
        calls = (
            joblib.delayed(_evaluate_shard)(cargo, shard(pspace, *block), excluded, folder)
            for block in cut
        )
        for (start, stop), (packed, found) in zip(cut, pool(calls), strict=True):
            # parameters do not travel back: they are decoded here while the workers are busy
            columns = pspace.columns(start, stop) | packed.unpack()
            yield stop - start, columns, found


def _pool(n_jobs: int, backend: str) -> Any:
    import joblib

    options = {"n_jobs": n_jobs, "backend": backend, "batch_size": 1}
    try:
        return joblib.Parallel(**options, return_as="generator")
    except ValueError:  # some backends have no generators: progress comes at the end
        return joblib.Parallel(**options)


def _evaluate_shard(
    cargo: Function | Cargo, space: ParameterSpace, excluded: set[str], folder: Path | None
) -> tuple[Mapped, set[str]]:
    """Evaluate a block in a worker; return its results and what was left out of them."""
    fn = cargo.unpack() if isinstance(cargo, Cargo) else cargo
    try:
        results = evaluate(fn, space.columns())
    except Exception as error:
        if cargo is fn or survives_pickling(error):
            raise
        portable = PsyrunError(f"{type(error).__name__}: {error}")
        for note in getattr(error, "__notes__", ()):
            portable.add_note(note)
        raise portable from None
    found = excluded.intersection(results)
    wanted = {name: results[name] for name in results if name not in found}
    return Mapped.pack(wanted, folder), found


def _collect(
    pspace: ParameterSpace,
    excluded: set[str],
    evaluated: _Evaluated,
    report: Report | None = None,
) -> Columns:
    """Join evaluated blocks as they come, and leave out what is not wanted."""
    missed = excluded.difference(pspace.keys())
    size, done = pspace.size, 0

    def wanted() -> Iterator[tuple[int, Columns]]:
        nonlocal done
        # a block without rows keeps the parameters of an empty space
        yield 0, {name: [] for name in pspace.keys() if name not in excluded}
        for rows, columns, found in evaluated:
            missed.difference_update(found)
            yield rows, {name: columns[name] for name in columns if name not in excluded}
            done += rows
            if report:
                report(done, size)

    joined = concat(wanted())
    if size:
        _warn_of_ineffective(missed, stacklevel=4)
    return joined


def as_row(result: Any) -> dict[str, Any]:
    """Make a new dict of what a function returned; a plain value is called ``result``.

    Examples
    --------
    >>> as_row(3), as_row({"a": 3})
    ({'result': 3}, {'a': 3})
    """
    return dict(result) if isinstance(result, Mapping) else {"result": result}


def _warn_of_ineffective(names: Iterable[str], *, stacklevel: int) -> None:
    listed = ", ".join(map(repr, sorted(names)))
    if listed:
        message = f"cannot leave out {listed}: neither a parameter nor a result"
        warnings.warn(message, IneffectiveExcludeWarning, stacklevel)


def where(columns: Columns, row: int) -> str:
    """Say in short which assignment a row of some columns is.

    Examples
    --------
    >>> where({"a": [1, 2], "b": ["x", "y"]}, 1)
    "at the assignment a=2, b='y'"
    """
    shown = (f"{name}={reprlib.repr(column[row])}" for name, column in columns.items())
    return f"at the assignment {', '.join(shown)}"


def _title(fn: Function) -> str:
    return f"{getattr(fn, '__name__', type(fn).__name__)}()"
