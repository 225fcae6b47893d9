"""Print what a task of a million rows and ten columns costs from its start to its results.

    python -m benchmarks.hdf5 [--rows N] [--stores NAME...]

Peak memory is that of the largest process; of reading, that of a process that does only this.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STORES = {
    "pickle": "PickleStore",
    "npz": "NpzStore",
    "columns": "H5Store",
    "gzip": "H5Store(compression='gzip')",
    "table": "H5Store(layout='table')",
    "virtual": "H5Store(virtual=True)",
}
TASK = """\
from psyrun import Param
from psyrun.store import H5Store, NpzStore, PickleStore

pspace = Param(a=range({rows} // 1000)) * Param(b=range(1000))
store = {store}

def execute(a, b):
    x = a + b / 1000
    return {{
        "y0": x, "y1": 2 * x, "y2": a * b, "y3": a > b,
        "y4": x * x, "y5": -x, "y6": a, "y7": 0.5,
    }}
"""
READ = """\
import psyrun
results = psyrun.load_result("big")
assert results.complete
print(results.where("(y0 > 3) & (y7 < 0.6)")["y4"].sum(), results["y0"].mean())
"""


def timed(*arguments: str) -> tuple[float, float]:
    """Run Python; return the seconds, and the peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return time.perf_counter() - began, used.ru_maxrss / 1000


def measure(name: str, rows: int) -> None:
    """Run the task with a store, and read its result."""
    task = Path("psy-tasks") / "task_big.py"
    task.parent.mkdir(exist_ok=True)
    task.write_text(TASK.format(rows=rows, store=STORES[name]))
    run, run_memory = timed("-m", "psyrun", "run", "--force")
    read, read_memory = timed("-c", READ)
    show, show_memory = timed("-m", "psyrun", "show", "big", "--sort", "y4")
    (result,) = Path("psy-work/big").glob("result.*")
    out = sum(path.stat().st_size for path in Path("psy-work/big/out").iterdir())
    print(
        f"{name:8s} run {run:5.1f} s {run_memory:4.0f} MB   "
        f"load_result {read:5.2f} s {read_memory:4.0f} MB   "
        f"psy show {show:5.2f} s {show_memory:4.0f} MB   "
        f"result {result.stat().st_size / 1e6:6.1f} MB, partial results {out / 1e6:6.1f} MB",
        flush=True,
    )
    result.unlink()


def main() -> None:
    """Measure each store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in given.stores:
            measure(name, given.rows)


if __name__ == "__main__":
    main()
