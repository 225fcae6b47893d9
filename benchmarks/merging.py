"""Print what merging large partial results costs, against `cat` of the same bytes.

    python -m benchmarks.merging [--gigabytes N] [--formats h5 npz] [--repeat N] [--folder DIR]

Both sides read files that the system has read before if memory allows, and wait until what
they wrote is on the disk. Needs three times as much room on the disk. Bars: at most 2.5 times
the time of `cat`, and 512 MB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from psyrun import Param, snapshot
from psyrun.jobs import Job, write_jobs
from psyrun.partial import save_whole, write_note
from psyrun.runfile import Run, RunFile, write_run_file
from psyrun.store import H5Store, NpzStore
from psyrun.workdir import Workdir, job_name

STORES = {"h5": H5Store(), "npz": NpzStore()}
JOBS = 40
ROW_BYTES = 1024


def prepare(workdir: Workdir, ext: str, rows: int) -> None:
    """Write what jobs with contiguous shares of a task leave behind."""
    store = STORES[ext]
    workdir.make()
    space = Param(a=range(rows))
    encoded = snapshot.encode(space)
    encoded.write(workdir.snapshot(encoded.digest()))
    share = rows // JOBS
    noise = np.random.default_rng(0)
    for number in range(JOBS):
        first, last = number * share, (number + 1) * share
        job = Job(job_name(1, number), ext, "", encoded.digest(), "code", ((first, last),))
        write_jobs(workdir, [job])
        path = next(iter(workdir.new_partial(job.name, store.ext)))
        values = noise.random((share, ROW_BYTES // 8 - 1))
        check = save_whole(store, path, {"a": np.arange(first, last), "v": values})
        write_note(workdir, job, path, check, ["a"], ["v"])
    jobs = {job_name(1, number): None for number in range(JOBS)}
    run = Run(1, encoded.digest(), "code", rows, jobs=jobs, store=type(store).__name__)
    write_run_file(workdir, RunFile(ext, (run,)))


def merge(workdir: Workdir, target: Path) -> tuple[float, int]:
    """Merge; return the seconds, and the peak memory in bytes."""
    arguments = [sys.executable, "-m", "psyrun", "merge", str(workdir.root), str(target)]
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - began, used.ru_maxrss * 1024


def cat(workdir: Workdir, target: Path) -> float:
    """Copy the partial results into one file; return the seconds."""
    began = time.perf_counter()
    parts = sorted(p for p in workdir.out_folder.iterdir() if p.suffix == target.suffix)
    with target.open("wb") as file:
        subprocess.run(["cat", *map(str, parts)], stdout=file, check=True)
        os.fsync(file.fileno())
    return time.perf_counter() - began


def compare(folder: Path, ext: str, rows: int, repeat: int) -> None:
    """Merge and copy in turn, and print the medians."""
    workdir = Workdir(folder / ext)
    prepare(workdir, ext, rows)
    merged, copied, peak = [], [], 0
    target = folder / f"target.{ext}"
    for _ in range(repeat):
        os.sync()
        copied.append(cat(workdir, target))
        target.unlink()
        os.sync()
        seconds, memory = merge(workdir, target)
        merged.append(seconds)
        peak = max(peak, memory)
        target.unlink()
    ratio = statistics.median(m / c for m, c in zip(merged, copied, strict=True))
    print(
        f"{ext}: {rows:,} rows of {ROW_BYTES} bytes, merge {statistics.median(merged):.2f} s, "
        f"cat {statistics.median(copied):.2f} s, ratio {ratio:.2f} (2.5), "
        f"{peak / 1e6:.0f} MB (512)",
        flush=True,
    )
    shutil.rmtree(workdir.root)


def main() -> None:
    """Measure each format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--formats", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", help="where to write; default: the system's temporary one")
    given = parser.parse_args()
    rows = int(given.gigabytes * 2**30 / ROW_BYTES) // JOBS * JOBS
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for ext in given.formats:
            compare(Path(folder), ext, rows, given.repeat)


if __name__ == "__main__":
    main()
