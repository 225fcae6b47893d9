"""Own the notations of time limits and amounts of memory; pure functions."""

import re
from datetime import timedelta
from math import ceil
from typing import Any

from psyrun.exceptions import SchedulerError

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_SUMS = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_SUM = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_ENDLESS = frozenset({"unlimited", "infinite"})


def seconds(limit: Any) -> float | None:
    """Read a time limit, in any of the notations that schedulers have.

    Parameters
    ----------
    limit : str, int, float or timedelta
        `"1h30m"`, `"90m"`, `"1:30:00"` (hours), `"90:00"` (minutes), `"1-12"` and
        `"1-12:00:00"` (days and hours), or a number of minutes.

    Returns
    -------
    float or None
        The limit in seconds; None for `"unlimited"`.

    Raises
    ------
    SchedulerError
        If it is none of these, or not above 0.

    Notes
    -----
    The notations with colons and days are those of `--time` in sbatch(1).

    Examples
    --------
    >>> [seconds(limit) for limit in ("1h30m", "1:30:00", "90:00", 90, "0-1:30")]
    [5400.0, 5400.0, 5400.0, 5400.0, 5400.0]
    """
    text = str(limit).strip().lower()
    if text in _ENDLESS:
        return None
    if isinstance(limit, timedelta):
        total = limit.total_seconds()
    elif _SUMS.fullmatch(text):
        total = sum(float(number) * _UNITS[unit] for number, unit in _SUM.findall(text))
    else:
        total = _clock_seconds(text)
    if total <= 0:  # to Slurm, 0 is no limit
        raise SchedulerError(
            f"timelimit is {limit!r}, but should be like '1h30m', '1:30:00', '2-12:00:00' or a "
            "number of minutes, and above 0"
        )
    return total


def _clock_seconds(text: str) -> float:
    """Read a notation with colons and days, in seconds; 0 if it is none."""
    days, dash, rest = text.rpartition("-")
    parts = rest.split(":")
    if not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts) or len(parts) > 3:
        return 0.0
    if dash and not days.isdecimal():
        return 0.0
    scales = (3600, 60, 1) if dash or len(parts) == 3 else (60, 1)
    total = sum(float(part) * scale for part, scale in zip(parts, scales, strict=False))
    return total + 86400 * int(days or 0)


def clock(total: float, *, days: bool = False) -> str:
    """Write seconds as hours, minutes and seconds; rounded up, so that it is no less.

    Examples
    --------
    >>> clock(5400), clock(200000), clock(200000, days=True)
    ('1:30:00', '55:33:20', '2-07:33:20')
    """
    whole = ceil(total)
    hours, rest = divmod(whole, 3600)
    if days and hours >= 24:
        return f"{hours // 24}-{hours % 24:02}:{rest // 60:02}:{rest % 60:02}"
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def megabytes(size: Any) -> int:
    """Read an amount of memory, in MiB and rounded up; a number without a unit is in MiB.

    Raises
    ------
    SchedulerError
        If it is no amount.

    Examples
    --------
    >>> [megabytes(size) for size in ("512M", "2G", "1.5gb", 300, "1k")]
    [512, 2048, 1536, 300, 1]
    """
    found = _SIZE.fullmatch(str(size).strip())
    if not found or isinstance(size, bool):
        raise SchedulerError(f"memory is {size!r}, but should be like '512M' or '2G'")
    factor = {"k": 1 / 1024, "": 1, "m": 1, "g": 1024, "t": 1024**2}[found[2].lower()]
    return max(1, ceil(float(found[1]) * factor))
