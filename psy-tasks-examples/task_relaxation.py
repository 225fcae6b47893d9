"""Solve Laplace's equation on a square by over-relaxation: which factor needs fewest sweeps?"""

import numpy as np

from psyrun import LoadBalancingBackend, Param

pspace = Param(size=[49, 29, 19]) * Param(factor=[1.0, 1.2, 1.4, 1.6, 1.8, 1.9])
backend = LoadBalancingBackend  # on a cluster; on one machine rows are shared anyway
timeout = 600


def execute(size, factor):
    field = np.zeros((size + 2, size + 2))
    field[0] = 1  # one edge is hot, the others are cold
    inner = field[1:-1, 1:-1]
    red = np.indices(inner.shape).sum(axis=0) % 2 == 0
    sweeps, change = 0, 1.0
    while change > 1e-6:
        change = 0.0
        for cells in (red, ~red):  # as on a chessboard: those of one colour have no common edge
            neighbours = field[:-2, 1:-1] + field[2:, 1:-1] + field[1:-1, :-2] + field[1:-1, 2:]
            step = factor * (neighbours / 4 - inner)[cells]
            inner[cells] += step
            change = max(change, abs(step).max())
        sweeps += 1
    return {"sweeps": sweeps, "middle": float(inner[size // 2, size // 2])}
