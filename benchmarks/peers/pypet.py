"""pypet: trajectories in one HDF5 file, a group for each run."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

from pypet import Environment, cartesian_product

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Case


def evaluate(trajectory: Any, fn: Any) -> None:
    result = fn(trajectory.a, trajectory.b, trajectory.c)["total"]
    trajectory.f_add_result("total", result)


def persisted(case: Case) -> Callable[[], Any]:
    """Explore the grid in one process, each run stored as it ends."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    environment = Environment(
        trajectory="rows",
        filename=str(case.folder / "rows.hdf5"),
        log_config=None,
        report_progress=False,
        automatic_storing=True,
    )
    trajectory = environment.trajectory
    for name in case.combos:
        trajectory.f_add_parameter(name, 0)
    trajectory.f_explore(cartesian_product(case.combos))
    environment.run(evaluate, case.fn)
    environment.disable_logging()

    def read() -> Any:
        trajectory.f_load(load_results=2)
        found = trajectory.f_get_from_runs("total", fast_access=True, use_indices=True)
        return list(found.values())

    return read
