"""A task: what to evaluate, and where. Run it with: psy run NAME."""

from psyrun import ImmediateRun, Param

pspace = Param(a=[1, 2, 3]) * Param(b=[10, 20])
scheduler = ImmediateRun()


def execute(a: float, b: float) -> dict[str, float]:
    """Evaluate one assignment."""
    return {"result": a * b}
