"""Print what `psy errors` costs for a run of which all rows failed.

    python -m benchmarks.errors [--rows N] [--journals N]

The journals are written directly. Peak memory is that of the command's process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from psyrun import Param, snapshot
from psyrun.jobs import Job, write_jobs
from psyrun.journal import JournalWriter
from psyrun.runfile import Run, RunFile, write_run_file
from psyrun.units import size_text
from psyrun.workdir import Workdir

TRACEBACK = "Traceback (most recent call last):\n" + 8 * (
    '  File "/home/someone/project/psy-tasks/task_failing.py", line 12, in execute\n'
    "    return {'y': math.sqrt(x)}\n"
)


def write_failures(workdir: Workdir, size: int, journals: int) -> None:
    """Leave behind what a run leaves of which every row failed."""
    workdir.make()
    encoded = snapshot.encode(Param(x=range(size)))
    digest = encoded.digest()
    encoded.write(workdir.snapshot(digest))
    job = Job("1-0", "failing", "/nowhere", digest, "code", ((0, size),))
    write_jobs(workdir, [job])
    write_run_file(
        workdir, RunFile("failing", (Run(1, digest, "code", size, jobs={"1-0": None}),))
    )
    origin = {"job": "1-0", "run": 1, "snapshot": digest, "code": "code"}
    writers = [JournalWriter(workdir.new_journal("1-0"), origin) for _ in range(journals)]
    for row in range(size):
        error = {
            "type": "ValueError",
            "message": f"math domain error: {row}",
            "place": "/home/someone/project/psy-tasks/task_failing.py:12",
            "traceback": TRACEBACK,
            "assignment": {"x": str(row)},
            "output": [f"row {row}, step {step}" for step in range(10)],
        }
        writers[row // 100 % journals].failed(row, 0.0, 0.0, error)
    for writer in writers:
        writer.close()


def measured(*command: str, folder: Path) -> tuple[float, int]:
    """Return a command's seconds, and its peak memory in bytes."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "psyrun", *command], cwd=folder, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - began, usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--journals", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workdir = Workdir(folder / "psy-work" / "failing")
        write_failures(workdir, args.rows, args.journals)
        size = sum(path.stat().st_size for path in workdir.journals())
        print(f"{args.rows:,} failed rows in {args.journals} journals of {size_text(size)}")
        for command in (["errors", "failing"], ["errors", "--json", "failing"]):
            seconds, peak = measured(*command, folder=folder)
            print(f"psy {' '.join(command):24s} {seconds:6.2f} s, peak {size_text(peak)}")


if __name__ == "__main__":
    main()
