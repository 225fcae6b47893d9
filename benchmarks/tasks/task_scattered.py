"""The sweep of unequal rows, scattered, as a task; who starts it says how many rows."""

import os

from benchmarks import work
from psyrun import Param

grid = work.combos(int(os.environ["BENCHMARK_ROWS"]))
pspace = Param(a=grid["a"]) * Param(b=grid["b"]) * Param(c=grid["c"])


def execute(a, b, c):
    return work.scattered(a, b, c)
