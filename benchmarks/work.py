"""Own what the sweeps evaluate, and what has to come out of them.

It is imported in the environments of all peers, so it needs nothing but Python, and NumPy where
rows are arrays.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

FLOATS = 1000
COMPUTING = 0.01
SHORT, LONG = 0.002, 0.1


def trivial(a: int, b: int, c: int) -> dict[str, Any]:
    return {"total": a + b + c}


def array(a: int, b: int, c: int) -> dict[str, Any]:
    import numpy as np

    return {"total": np.full(FLOATS, float(a + b + c))}


def computing(a: int, b: int, c: int) -> dict[str, Any]:
    spin(COMPUTING)
    return {"total": a + b + c}


def scattered(a: int, b: int, c: int) -> dict[str, Any]:
    spin(scattered_cost(a, b, c))
    return {"total": a + b + c}


def scattered_cost(a: int, b: int, c: int) -> float:
    """Let one row in ten, all over the space, take fifty times as long as the others."""
    return LONG if (7 * a + 5 * c + b) % 10 == 0 else SHORT


def clumped(a: int, b: int, c: int) -> dict[str, Any]:
    spin(clumped_cost(a, b, c))
    return {"total": a + b + c}


def clumped_cost(a: int, _b: int, _c: int) -> float:
    """Let the last tenth of 800 rows take long, as one value of a parameter may."""
    return LONG if a >= 72 else SHORT


COSTS: dict[Any, Callable[[int, int, int], float]] = {
    scattered: scattered_cost,
    clumped: clumped_cost,
}
"""Seconds that a row itself takes, where those differ."""


def spin(seconds: float) -> None:
    """Keep a core busy, for a time that other processes on the machine do not change."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@dataclass(frozen=True)
class Case:
    """What a peer is asked to do in one turn."""

    fn: Callable[..., dict[str, Any]]
    size: int
    folder: Path
    """Empty, and the peer's own for this turn."""

    @property
    def combos(self) -> dict[str, list[int]]:
        """The grid: names, and the values of each."""
        return combos(self.size)

    def assignments(self) -> Iterator[dict[str, int]]:
        names = list(self.combos)
        for values in itertools.product(*self.combos.values()):
            yield dict(zip(names, values, strict=True))


def combos(size: int) -> dict[str, list[int]]:
    """Lay out a grid of so many rows, a multiple of ten."""
    return {"a": list(range(size // 10)), "b": list(range(5)), "c": list(range(2))}


def expected(fn: Callable[..., Any], size: int) -> tuple[int, float]:
    """Tell how many rows have to come out, and the sum of their results."""
    tenth = size // 10
    total = 10.0 * (tenth * (tenth - 1) // 2) + size * (2 + 0.5)
    return tenth * 10, total * (FLOATS if fn is array else 1)


def found(values: Iterable[Any]) -> tuple[int, float]:
    """Count the rows that came out, and sum their results."""
    rows, total = 0, 0.0
    for value in values:
        inner = value["total"] if isinstance(value, dict) else value
        total += float(inner.sum() if hasattr(inner, "sum") else inner)
        rows += 1
    return rows, total


def agrees(one: tuple[int, float], other: tuple[int, float]) -> bool:
    return one[0] == other[0] and math.isclose(one[1], other[1])


def ideal_seconds(fn: Callable[..., Any], size: int) -> float | None:
    """Tell how long two processes need for the rows themselves; None if no time."""
    if fn is computing:
        return COMPUTING * size / 2
    if fn not in COSTS:
        return None
    return sum(COSTS[fn](*row) for row in itertools.product(*combos(size).values())) / 2
