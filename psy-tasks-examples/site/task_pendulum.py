"""Swing a pendulum far out: how much longer is its period than that of small swings?"""

import math

from psyrun import Param

pspace = Param(degrees=range(5, 180, 5))
max_jobs = 5  # rows are quick: a job of one is not worth its start


def execute(degrees):
    # the arithmetic-geometric mean gives the exact period
    a, b = 1.0, math.cos(math.radians(degrees) / 2)
    while a - b > 1e-15:
        a, b = (a + b) / 2, math.sqrt(a * b)
    return {"longer_by": 1 / a - 1}
