"""Train a small network to tell two spirals apart, for each width and rate of learning."""

import numpy as np

from psyrun import Param

pspace = Param(width=[8, 64]) * Param(rate=[0.3, 1.0, 3.0]) * Param(seed=[0]) * Param(steps=300)


def spirals(n):
    turn = np.linspace(0.5, 2 * np.pi, n)
    arm = np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / 4
    return np.concatenate([arm, -arm]), np.repeat([0.0, 1.0], n)


def execute(width, rate, seed, steps):
    rng = np.random.default_rng(seed)
    x, label = spirals(100)
    inner, outer = rng.normal(size=(2, width)), np.zeros(width)
    for _ in range(steps):
        hidden = np.tanh(x @ inner)
        slope = (1 / (1 + np.exp(-hidden @ outer)) - label) / len(x)
        inner -= rate * x.T @ (np.outer(slope, outer) * (1 - hidden**2))
        outer -= rate * hidden.T @ slope
    return {"accuracy": np.mean((np.tanh(x @ inner) @ outer > 0) == label)}
