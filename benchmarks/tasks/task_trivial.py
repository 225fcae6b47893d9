"""The trivial sweep as a task, as one writes it; who starts it says how many rows."""

import os

from psyrun import Param

tenth = int(os.environ["BENCHMARK_ROWS"]) // 10
pspace = Param(a=range(tenth)) * Param(b=range(5)) * Param(c=range(2))


def execute(a, b, c):
    return {"total": a + b + c}
