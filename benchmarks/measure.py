"""Own how two ways are measured against each other: in turns, medians, one warm-up each."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def interleaved(repeat: int, *ways: Callable[[], Any]) -> list[float]:
    """Run each way in turn, once for warming up and then `repeat` times; medians in seconds."""
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(repeat + 1):
        for way, spent in zip(ways, times, strict=True):
            began = time.perf_counter()
            way()
            if turn:
                spent.append(time.perf_counter() - began)
    return [statistics.median(spent) for spent in times]


def verdict(*, holds: bool) -> str:
    """Say whether a bar holds."""
    return "holds" if holds else "FAILS"


def below(title: str, bar: float, value: float, unit: str) -> None:
    """Print a value, and whether it is below its bar."""
    word = verdict(holds=value <= bar)
    print(f"{title:52s} {value:6.3g} {unit} (bar {bar:g}, {word})")


def compare(title: str, bar: float, ours: Any, theirs: Any, repeat: int) -> None:
    """Print how long our way takes, as a ratio to theirs, and whether the bar holds."""
    one, other = interleaved(repeat, ours, theirs)
    word = verdict(holds=one <= bar * other)
    ratio = f"{one / other:5.2f} (bar {bar:4.2f}, {word})"
    print(f"{title:52s} {ratio} {one:7.3f} s / {other:7.3f} s")
