"""Read how a function can be called; know nothing of parameter spaces.

`inspect` costs start-up time and is imported where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["bind", "call_each", "check_call", "positional_order", "takes", "takes_one"]


def positional_order(fn: Callable[..., Any], names: Iterable[str]) -> list[str] | None:
    """Order names so that their values can be passed to a function by position.

    Parameters
    ----------
    fn : callable
        Function to be called.
    names : iterable of str
        Names of all arguments that will be passed.

    Returns
    -------
    list of str or None
        The names in the order of the signature; None if these arguments cannot be passed by
        position with the same meaning as by keyword.

    Examples
    --------
    >>> positional_order(lambda a, b, c=0: a, ["b", "a"])
    ['a', 'b']
    >>> positional_order(lambda a, c=0, b=1: a, ["a", "b"]) is None
    True
    """
    if hasattr(fn, "__signature__"):  # what it claims need not be how it is called
        return None
    parameters = _parameters(fn)
    if parameters is None:
        return None
    wanted = set(names)
    first = parameters[: len(wanted)]
    plain = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in first)
    return [p.name for p in first] if plain and {p.name for p in first} == wanted else None


def bind(fn: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """Make a function callable with one positional value for each name.

    Parameters
    ----------
    fn : callable
        Function that takes the names as keywords.
    names : sequence of str
        Names of the values, in the order in which they will be passed.

    Returns
    -------
    callable
        The function itself where its signature has this order, else a wrapper.

    Examples
    --------
    >>> bind(lambda a, b: a - b, ["b", "a"])(1, 3)
    2
    """
    names = tuple(names)
    if positional_order(fn, names) == list(names):
        return fn

    def call(*values: Any) -> Any:
        return fn(**dict(zip(names, values, strict=True)))

    return call


def call_each(fn: Callable[..., Any], columns: Mapping[str, Iterable[Any]]) -> Iterator[Any]:
    """Call a function once for each row of some columns.

    Parameters
    ----------
    fn : callable
        Function that takes the names of the columns as keywords.
    columns : mapping of str to iterable
        Columns of equal length, at least one.

    Returns
    -------
    iterator
        What the function returns, row by row; each call happens when its value is asked for.

    Examples
    --------
    >>> list(call_each(lambda a, b: a - b, {"b": [1, 2], "a": [3, 5]}))
    [2, 3]
    """
    order = positional_order(fn, columns)
    if order is not None:
        return map(fn, *(columns[name] for name in order))
    names = tuple(columns)
    rows = zip(*columns.values(), strict=True)
    return (fn(**dict(zip(names, row))) for row in rows)  # noqa: B905 - costs a tenth


def check_call(fn: Callable[..., Any], names: Iterable[str]) -> str | None:
    """Say why a function cannot be called with exactly these keywords.

    Parameters
    ----------
    fn : callable
        Function to be called.
    names : iterable of str
        Names of all arguments that will be passed.

    Returns
    -------
    str or None
        A sentence that names the missing and the unknown arguments; None if the call is fine,
        or if the function has no signature that Python can read.

    Examples
    --------
    >>> check_call(lambda a, b: a, ["a", "b"])
    >>> def execute(a, b): ...
    >>> check_call(execute, ["a", "c"])
    "execute() needs 'b', which the parameter space lacks, and does not take 'c'"
    """
    parameters = _parameters(fn)
    if parameters is None:
        return None
    given = list(names)
    by_position = [p.name for p in parameters if _needed(p) and p.kind is p.POSITIONAL_ONLY]
    needed = [p.name for p in parameters if _needed(p) and p.kind is not p.POSITIONAL_ONLY]
    taken = takes(fn, given)
    missing = [name for name in needed if name not in given]
    unknown = [name for name in given if name not in taken and name not in by_position]
    faults = []
    if missing:
        faults.append(f"needs {_listed(missing)}, which the parameter space lacks,")
    if by_position:
        faults.append(f"takes {_listed(by_position)} by position only (mind the '/'),")
    if unknown:
        faults.append(f"does not take {_listed(unknown)}")
    title = getattr(fn, "__name__", None) or type(fn).__name__
    return f"{title}() {' and '.join(faults)}".rstrip(",") if faults else None


def takes(fn: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """Pick the names that a function takes as keywords.

    Parameters
    ----------
    fn : callable
        Function to be called.
    names : iterable of str
        Names on offer.

    Returns
    -------
    list of str
        Those names that the signature has, or all if it ends in ``**kwargs`` or cannot be read.

    Examples
    --------
    >>> takes(lambda a, c=0: a, ["a", "b"])
    ['a']
    """
    parameters = _parameters(fn)
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return list(names)
    known = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return [name for name in names if name in known]


def takes_one(fn: Callable[..., Any]) -> bool:
    """Tell whether a function can be called with one value, by position.

    Examples
    --------
    >>> takes_one(lambda number: number), takes_one(lambda: 0)
    (True, False)
    """
    import inspect

    try:
        inspect.signature(fn, follow_wrapped=False).bind(0)
    except TypeError:
        return _parameters(fn) is None
    except ValueError:
        return True
    return True


def _parameters(fn: Callable[..., Any]) -> list[inspect.Parameter] | None:
    import inspect

    try:
        # what a decorator wraps says nothing about how the decorated function is called
        return list(inspect.signature(fn, follow_wrapped=False).parameters.values())
    except (TypeError, ValueError):
        return None


def _needed(parameter: inspect.Parameter) -> bool:
    variadic = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variadic


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
