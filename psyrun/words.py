"""Own the likeness of words, and how values are told by their kind; pure functions."""

from collections.abc import Sequence


def close_matches(name: str, known: Sequence[str], cutoff: float = 0.6) -> list[str]:
    """Find the known name that is most like one, if any is at least as like as `cutoff`.

    Examples
    --------
    >>> close_matches("timelimt", ["memory", "timelimit"]), close_matches("x", ["memory"])
    (['timelimit'], [])
    """
    import difflib

    return difflib.get_close_matches(name, known, n=1, cutoff=cutoff)


def kind_of(value: object) -> str:
    """Say what kind of thing a value is.

    Examples
    --------
    >>> kind_of([1]), kind_of(len), kind_of(None), kind_of(int), kind_of(1)
    ('a list', 'a function', 'None', 'the class int', 'an int')
    """
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    if "function" in name or name == "method":
        return "a function"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
