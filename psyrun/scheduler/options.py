"""Own `scheduler_args`: which there are, how a misspelt one is told, what values may be."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from psyrun.exceptions import SchedulerError
from psyrun.words import close_matches

_MOST_NAMES = 40
SHARED = ("throttle", "setup")
"""What every scheduler with job scripts takes: see `BatchScheduler`."""


def resolved(
    asked: Mapping[str, Any],
    known: Collection[str],
    title: str,
    job: str,
    refused: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Check what is asked of a scheduler, and find out each value.

    Parameters
    ----------
    asked : dict
        What is asked for by name; `-` and `_` mean the same in names. A value that is a
        function is called with the job's name. None and False ask for nothing.
    known : collection of str
        The names there are, with `_`.
    title : str
        The scheduler, for messages.
    job : str
        The job's name.
    refused : dict, optional
        Names that cannot be set, and why not.

    Raises
    ------
    SchedulerError
        If a name is unknown, or given twice.
    """
    found: dict[str, Any] = {}
    for given, value in asked.items():
        name = str(given).replace("-", "_")
        if refused and name in refused:
            raise SchedulerError(f"scheduler_args cannot set {given!r}: {refused[name]}")
        if name not in known:
            raise SchedulerError(f"{title} has no {given!r}{_hint(name, known)}")
        if name in found:
            raise SchedulerError(f"scheduler_args has {given!r} twice, spelt differently")
        found[name] = called(name, value, job) if callable(value) else value
    return {name: value for name, value in found.items() if not is_nothing(value)}


def called(name: str, value: Callable[[str], Any], job: str) -> Any:
    """Call a value that is a function with the job's name.

    Raises
    ------
    SchedulerError
        If it raises.
    """
    try:
        return value(job)
    except Exception as err:  # a user's function may raise anything
        raise SchedulerError(
            f"scheduler_args[{name!r}] raised {type(err).__name__}: {err}, when it was called "
            f"with the job's name, {job!r}"
        ) from err


def is_nothing(value: Any) -> bool:
    """Tell whether a value asks for nothing, as if its name were not there."""
    return value is None or value is False


def _hint(name: str, known: Collection[str]) -> str:
    close = close_matches(name, sorted(known), 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if len(known) > _MOST_NAMES:
        return "; the reference of schedulers lists what it has"
    return f"; it has: {', '.join(sorted(known))}"


def one_of(names: Mapping[str, str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Bring names that mean the same to one; `names` maps a name to what it stands for.

    Raises
    ------
    SchedulerError
        If both are given.
    """
    found: dict[str, Any] = {}
    for name, value in asked.items():
        real = names.get(name, name)
        if real in found:
            others = [other for other in asked if names.get(other, other) == real]
            raise SchedulerError(f"scheduler_args has {' and '.join(others)}: the same thing")
        found[real] = value
    return found


def text(name: str, value: Any) -> str:
    """Write a value as one line; several values with commas between.

    Raises
    ------
    SchedulerError
        If it is more than a line.
    """
    many = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    line = ",".join(map(str, value)) if many else str(value)
    if any(c in line for c in "\n\r\0"):
        raise SchedulerError(f"scheduler_args[{name!r}] is {value!r}, but has to be one line")
    return line


def lines(name: str, value: Any) -> list[str]:
    """Return lines of a shell script, given as one text or as several.

    Raises
    ------
    SchedulerError
        If they are no texts.
    """
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list | tuple) or not all(isinstance(x, str) for x in several):
        raise SchedulerError(
            f"scheduler_args[{name!r}] is {value!r}, but should be shell lines"
        )
    return [line for part in several for line in part.split("\n")]


def count(name: str, value: Any) -> int:
    """Return a number that is at least 1.

    Raises
    ------
    SchedulerError
        If it is none.
    """
    if isinstance(value, bool) or not str(value).isdecimal() or int(value) < 1:
        raise SchedulerError(
            f"scheduler_args[{name!r}] is {value!r}, but should be a whole number, at least 1"
        )
    return int(value)


_MAY_BE_NONE = frozenset({"gpus"})
"""What a job may need 0 of."""


def counted(name: str, asked: Mapping[str, Any]) -> int:
    """Return a number that is asked for, 0 if none is; some may be 0, which asks for nothing.

    Raises
    ------
    SchedulerError
        If it is no such number.
    """
    value = asked.get(name)
    if value is None or (name in _MAY_BE_NONE and str(value) == "0"):
        return 0
    return count(name, value)
