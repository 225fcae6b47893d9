"""Own what the maps can be called with, and what is said of all else."""

from __future__ import annotations

import os
import reprlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyrun.exceptions import ArgumentError, ParameterSpaceError
from psyrun.machine import usable_cores
from psyrun.pspace.base import ParameterSpace
from psyrun.signature import check_call
from psyrun.store.base import Store
from psyrun.store.known import class_named
from psyrun.words import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "check_callable",
    "check_n_jobs",
    "check_processes",
    "check_store",
    "names_of",
    "path_of",
]

_LEAST_LIMIT = 1024
_PROCESSES_PER_CORE = 8
_HERE = frozenset({"loky", "multiprocessing", "threading"})
"""The backends whose workers are all on this machine."""


def check_callable(
    fn: Callable[..., Any], pspace: ParameterSpace, written: str = "map_pspace(function, space)"
) -> None:
    """Make sure that a function can be called with the parameters of a space.

    Parameters
    ----------
    fn : callable
        The function.
    pspace : ParameterSpace
        The space.
    written : str
        How the call is written, for who mixed the arguments up.

    Raises
    ------
    ArgumentError
        If one is not what it should be.
    ParameterSpaceError
        If `fn` takes other parameters.
    """
    given: Any = pspace
    if not isinstance(given, ParameterSpace):
        raise ArgumentError(
            f"the parameter space is {kind_of(given)}; {_advice(given, written)}"
        )
    if not callable(fn):
        raise ArgumentError(f"the function to evaluate is {kind_of(fn)}; write {written}")
    fault = check_call(fn, pspace.keys()) if pspace.size else None
    if fault:
        raise ParameterSpaceError(fault)


def _advice(given: Any, written: str) -> str:
    if callable(given) and not isinstance(given, type):
        return f"write {written}"
    example = "**that_dict" if isinstance(given, Mapping) else "a=[1, 2]"
    return f"build one: Param({example})"


def names_of(exclude: Iterable[str] | None) -> set[str]:
    """Collect names to leave out; one string is one name.

    Raises
    ------
    ArgumentError
        If these are no names.
    """
    if exclude is None:
        return set()
    if isinstance(exclude, str):
        return {exclude}
    given: Any = exclude
    if not isinstance(given, ParameterSpace) and isinstance(given, Iterable):
        names = list(given)
        if all(isinstance(name, str) for name in names):
            return set(names)
    raise ArgumentError(
        f"exclude is {reprlib.repr(exclude)}, but should be a list of names, such as "
        "exclude=['a']"
    )


def path_of(filename: str | os.PathLike[str]) -> Path:
    """Take the path of a result.

    Raises
    ------
    ArgumentError
        If it names no file.
    """
    if isinstance(filename, str | os.PathLike):
        path = Path(filename)
        if path.name not in {"", ".."}:
            return path
        filename = str(filename)
    raise ArgumentError(
        f"filename is {reprlib.repr(filename)}, which names no file; give one, such as "
        "'result.pkl'"
    )


def check_store(store: Any) -> Store:
    """Take a store, or make the one that a class stands for.

    Raises
    ------
    ArgumentError
        If it is neither.
    """
    made = store() if isinstance(store, type) and issubclass(store, Store) else store
    if isinstance(made, Store):
        return made
    name = class_named(made)
    advice = f": from psyrun import {name}; then store={name}" if name else ""
    raise ArgumentError(
        f"store is {reprlib.repr(made)}, but should be a store or its class{advice}"
    )


def check_processes(name: str, number: Any) -> None:
    """Make sure that an argument is a number of processes that one machine can bear.

    Raises
    ------
    ArgumentError
        If it is not; the message names the argument.
    """
    _check_whole(name, number, _most())


def check_n_jobs(number: int | None, backend: str) -> None:
    """Make sure that a number of workers is one that joblib and the machine can bear.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    if number is not None:
        most = _most() if backend in _HERE else sys.maxsize
        _check_whole("n_jobs", number, most, negative=True)


def _most() -> int:
    return max(_LEAST_LIMIT, _PROCESSES_PER_CORE * usable_cores())


def _check_whole(name: str, number: Any, most: int, *, negative: bool = False) -> None:
    try:
        fits = number == int(number) and (1 <= number <= most or (negative and number < 0))
    except (TypeError, ValueError, OverflowError):
        fits = False
    if not fits:
        upto = f" to {most}" if most < sys.maxsize else ""
        also = ", or -1 for all cores" if negative else ""
        raise ArgumentError(
            f"{name} is {reprlib.repr(number)}, but should be a whole number from 1{upto}{also}"
        )
