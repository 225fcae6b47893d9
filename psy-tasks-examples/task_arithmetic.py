"""The first task of the README: multiply numbers."""

from psyrun import Param

pspace = Param(a=[1, 2, 3]) * Param(b=[10, 20])


def execute(a, b):
    return {"product": a * b}
