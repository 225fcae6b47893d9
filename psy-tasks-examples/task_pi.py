"""Estimate pi from random points, with trials: how does the error shrink with their number?"""

import random

from psyrun import Param

pspace = Param(n=[100, 1_000, 10_000]) * Param(trial=range(20))


def execute(n, trial):
    # a seed of its own for each row: evaluated alone or on another machine, it gives the same
    rng = random.Random(f"pi {n} {trial}")
    inside = sum(rng.random() ** 2 + rng.random() ** 2 < 1 for _ in range(n))
    return {"pi": 4 * inside / n}
