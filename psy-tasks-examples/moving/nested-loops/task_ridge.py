"""Find out how much to regularise: the error of a ridge regression on new data."""

import numpy as np

from psyrun import Param

pspace = (
    Param(noise=[0.1, 0.5, 2.0]) * Param(penalty=[0.0, 0.1, 1.0, 10.0]) * Param(trial=range(5))
)


def execute(noise, penalty, trial):
    rng = np.random.default_rng(trial)
    weights = rng.normal(size=20)
    x, new_x = rng.normal(size=(30, 20)), rng.normal(size=(200, 20))
    y = x @ weights + noise * rng.normal(size=30)
    found = np.linalg.solve(x.T @ x + penalty * np.eye(20), x.T @ y)
    return {"error": np.mean((new_x @ (found - weights)) ** 2)}
