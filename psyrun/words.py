"""Own the likeness of words; pure functions."""

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
