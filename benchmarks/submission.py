"""Print what handing a task to Slurm costs besides Slurm's own commands, against the bars.

    python -m benchmarks.submission [--repeat N]

Slurm's commands are stubs here that answer at once, so that all the time is Psyrun's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import below

PSY = (sys.executable, "-m", "psyrun")
TASK = """\
from psyrun import Param, Slurm

pspace = Param(a=range({a})) * Param(b=range(100))
scheduler = Slurm()
scheduler_args = {{"timelimit": "1h", "memory": "1G"}}
max_jobs = {jobs}

def execute(a, b):
    return {{"c": a * b}}
"""
STUBS = {
    "sbatch": "echo 7",
    "squeue": 'for i in $(seq 0 {last}); do echo "7_$i|PENDING|Priority|"; done',
    "sacct": "exit 1",
    "scontrol": 'echo "MaxArraySize = 100001"',
}


def stubs(folder: Path, jobs: int) -> None:
    """Put stubs of Slurm's commands on PATH."""
    folder.mkdir()
    for name, body in STUBS.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body.replace('{last}', str(jobs - 1))}\n")
        path.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ["PATH"]])


def seconds(*arguments: str) -> float:
    """Time a command."""
    began = time.perf_counter()
    done = subprocess.run([*PSY, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory() as root, contextlib.chdir(root):
        stubs(Path("commands").absolute(), 1000)
        Path("psy-tasks").mkdir()
        Path("psy-tasks/task_far.py").write_text(TASK.format(a=1000, jobs=1000))
        submitting, asking = [], []
        for _ in range(repeat):
            shutil.rmtree("psy-work", ignore_errors=True)
            submitting.append(seconds("run", "far"))
            asking.append(seconds("status", "far"))
        median = statistics.median
        below("submit 100,000 rows in 1,000 jobs", 2.0, median(submitting), "s")
        below("status while these 1,000 jobs are queued", 1.0, median(asking), "s")


if __name__ == "__main__":
    main()
