"""Print how the cost of a run grows with its rows and with its jobs, phase by phase.

    python -m benchmarks.growth [--quick] [--repeat N]

The times are those that runs note themselves (`psy status --timing`), starting up aside. What
a row or a job costs is the difference between two sizes, so what every run costs is left out.
Needs two free cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from benchmarks.measure import verdict

PSY = (sys.executable, "-m", "psyrun")
TASK = """\
from psyrun import Param

pspace = Param(a=range({rows} // 100)) * Param(b=range(100))
max_jobs = {jobs}
min_items = 1

def execute(a, b):
    return {{"c": a * b}}
"""
ROWS = (10**4, 10**5, 10**6)
JOBS = (1, 10, 100, 1000)
FEW_JOBS, FEW_ROWS = 10, 10**4
ROW_BAR, JOB_BAR = 1.3, 3.0
"""How many times more a row may cost in larger runs; how many milliseconds a job may."""

Phases = dict[str, float]


def run(rows: int, jobs: int) -> Phases:
    """Run a task afresh; return the seconds of its phases, without those of starting up."""
    folder = Path(tempfile.mkdtemp(dir=".")) / "psy-tasks"  # some file systems make files
    folder.mkdir()  # slowly for seconds after others went, so all folders go at the end
    (folder / "task_grid.py").write_text(TASK.format(rows=rows, jobs=jobs))
    with contextlib.chdir(folder.parent):
        subprocess.run([*PSY, "run"], check=True, capture_output=True)
        (status,) = json.loads(subprocess.check_output([*PSY, "status", "--json"]))
    timing = status["timing"]
    phases = {n: s for n, s in timing["phases"].items() if n != "start"}
    phases["work"] -= timing["workers"]["start"]
    return {**phases, "in all": sum(phases.values())}


def medians(found: list[Phases]) -> Phases:
    """Return the medians of phases."""
    return {name: statistics.median(phases[name] for phases in found) for name in found[0]}


def measure(cases: dict[int, tuple[int, int]], repeat: int) -> dict[int, Phases]:
    """Run cases in turns; return the medians of their phases."""
    found: dict[int, list[Phases]] = {size: [] for size in cases}
    for turn in range(repeat + 1):
        for size, (rows, jobs) in cases.items():
            phases = run(rows, jobs)
            if turn:  # the first warms up
                found[size].append(phases)
    return {size: medians(phases) for size, phases in found.items()}


def show(title: str, found: dict[int, Phases]) -> None:
    """Print the phases of runs of several sizes, in seconds."""
    names = list(next(iter(found.values())))
    print(f"{title:>10}" + "".join(f"{name:>10}" for name in names))
    for size, phases in found.items():
        print(f"{size:>10,}" + "".join(f"{phases[name]:>10.3f}" for name in names))


def slopes(found: dict[int, Phases]) -> list[float]:
    """Return what one more costs between each two sizes, in seconds."""
    return [
        (found[large]["in all"] - found[small]["in all"]) / (large - small)
        for small, large in pairwise(found)
    ]


def main() -> None:
    """Measure growth with rows, and with jobs."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the largest")
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users' machines keep bytecode
    rows, jobs = (ROWS[:2], JOBS[:3]) if given.quick else (ROWS, JOBS)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        found = measure({size: (size, FEW_JOBS) for size in rows}, given.repeat)
        show("rows", found)
        each = slopes(found)
        print("one more row:", ", ".join(f"{seconds * 1e6:.2f} us" for seconds in each))
        for small, large in pairwise(each):
            ratio = large / small
            word = verdict(holds=ratio <= ROW_BAR)
            print(f"  {ratio:.2f} times that of fewer rows (bar {ROW_BAR}, {word})")
        found = measure({size: (FEW_ROWS, size) for size in jobs}, given.repeat)
        show("jobs", found)
        for (small, large), seconds in zip(pairwise(found), slopes(found), strict=True):
            word = verdict(holds=seconds * 1000 <= JOB_BAR)
            print(
                f"one more job of {small:,} to {large:,}: "
                f"{seconds * 1000:.2f} ms (bar {JOB_BAR:g}, {word})"
            )


if __name__ == "__main__":
    main()
