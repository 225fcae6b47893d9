"""Psyrun, in the environment of the one who measures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyrun import (
    Param,
    load_result,
    map_pspace,
    map_pspace_hdd_backed,
    map_pspace_parallel,
)
from psyrun.store import H5Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Case
    from psyrun.pspace import ParameterSpace

TASKS = Path(__file__).parents[1] / "tasks"


def space(case: Case) -> ParameterSpace:
    grid = case.combos
    return Param(a=grid["a"]) * Param(b=grid["b"]) * Param(c=grid["c"])


def serial(case: Case) -> Any:
    return map_pspace(case.fn, space(case))["total"]


def parallel(case: Case) -> Any:
    return map_pspace_parallel(case.fn, space(case), n_jobs=2)["total"]


def pickled(case: Case) -> Callable[[], Any]:
    return backed(case, "result.pkl")


def hdf5(case: Case) -> Callable[[], Any]:
    return backed(case, "result.h5", store=H5Store())


def backed(case: Case, name: str, **options: Any) -> Callable[[], Any]:
    def run(**more: Any) -> Any:
        return map_pspace_hdd_backed(
            case.fn, space(case), case.folder / name, **options, **more
        )

    run(return_data=False)
    return lambda: run()["total"]


def command(case: Case) -> Callable[[], Any]:
    """Run the task named like the function, by `psy run`."""
    Path("psy-tasks").mkdir()
    name = case.fn.__name__
    shutil.copy(TASKS / f"task_{name}.py", "psy-tasks")
    os.environ["BENCHMARK_ROWS"] = str(case.size)
    subprocess.run([sys.executable, "-m", "psyrun", "run", name], check=True)
    return lambda: load_result(name)["total"]
