"""Estimate pi from random points, with trials: how does the error shrink with their number?"""

import numpy as np

from psyrun import Param

pspace = Param(n=[100, 1_000, 10_000]) * Param(trial=range(20))


def execute(n, trial):
    # a seed of its own for each row: evaluated alone or on another machine, it gives the same
    rng = np.random.default_rng(np.random.SeedSequence([n, trial]))
    x, y = rng.random((2, n))
    return {"pi": 4 * float(np.mean(x**2 + y**2 < 1))}
