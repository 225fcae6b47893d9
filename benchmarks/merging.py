"""Print what merging large partial results costs, against `cat` of the same bytes.

    python -m benchmarks.merging [--gigabytes N] [--jobs N] [--formats h5 npz]
        [--orders file blocks] [--repeat N] [--folder DIR]

Both sides read files that the system has read before if memory allows, and wait until what
they wrote is on the disk. Needs three times as much room on the disk.

In the order `file`, each job has a share of rows that follow each other, so that the result has
them in the order of the files. In the order `blocks`, jobs have blocks of 16 rows in turn.

Bars, in times of `cat`: 2.5 in the order of the files, 1.5 for 100 or more HDF5 files of 1 GB
in all, 3 in the other order. Memory: 200 MB for 1 GB, 512 MB for more.
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psyrun import Param, rows, snapshot
from psyrun.jobs import Job, write_jobs
from psyrun.partial import save_whole, write_note
from psyrun.runfile import Run, RunFile, write_run_file
from psyrun.store import H5Store, NpzStore
from psyrun.workdir import Workdir, job_name

if TYPE_CHECKING:
    from collections.abc import Sequence

STORES = {"h5": H5Store(), "npz": NpzStore()}
ROW_BYTES = 1024
BLOCK = 16


@dataclass(frozen=True)
class Case:
    """What to merge.

    Attributes
    ----------
    ext : str
        The format.
    order : {'file', 'blocks'}
        How rows are dealt to jobs.
    jobs, rows : int
        How many there are; each job has as many rows.
    """

    ext: str
    order: str
    jobs: int
    rows: int

    @property
    def bar(self) -> float:
        """How many times as long as `cat` merging may take."""
        if self.order == "blocks":
            return 3
        return 1.5 if self.ext == "h5" and self.jobs >= 100 else 2.5

    @property
    def megabytes(self) -> int:
        """How much memory merging may take."""
        return 200 if self.rows * ROW_BYTES <= 2**30 else 512

    def share(self, number: int) -> Sequence[int]:
        """Name the rows of a job."""
        size = self.rows // self.jobs
        if self.order == "blocks":
            starts = range(number * BLOCK, self.rows, self.jobs * BLOCK)
            return [row for start in starts for row in range(start, start + BLOCK)]
        return range(number * size, (number + 1) * size)


def prepare(workdir: Workdir, case: Case) -> None:
    """Write what the jobs leave behind."""
    store = STORES[case.ext]
    workdir.make()
    encoded = snapshot.encode(Param(a=range(case.rows)))
    encoded.write(workdir.snapshot(encoded.digest()))
    noise = np.random.default_rng(0)
    for number in range(case.jobs):
        share = case.share(number)
        name = job_name(1, number)
        job = Job(name, case.ext, "", encoded.digest(), "code", rows.of_sorted(share))
        write_jobs(workdir, [job])
        path = next(iter(workdir.new_partial(job.name, store.ext)))
        values = noise.random((len(share), ROW_BYTES // 8 - 1))
        check = save_whole(store, path, {"a": np.array(share), "v": values})
        write_note(workdir, job, path, check, ["a"], ["v"])
    jobs = {job_name(1, number): None for number in range(case.jobs)}
    run = Run(1, encoded.digest(), "code", case.rows, jobs=jobs, store=type(store).__name__)
    write_run_file(workdir, RunFile(case.ext, (run,)))


def merge(workdir: Workdir, target: Path) -> tuple[float, int]:
    """Merge; return the seconds, and the peak memory in bytes.

    Modules are compiled once, as those of an installed package are.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(workdir.root.parent / "compiled")
    arguments = [sys.executable, "-m", "psyrun", "merge", str(workdir.root), str(target)]
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=environment)
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


def compare(folder: Path, case: Case, repeat: int) -> None:
    """Merge and copy in turn, and print the medians."""
    workdir = Workdir(folder / case.ext)
    prepare(workdir, case)
    merged, copied, peak = [], [], 0
    target = folder / f"target.{case.ext}"
    merge(workdir, target)
    target.unlink()
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
        f"{case.ext}, order of {case.order}: {case.jobs} jobs, {case.rows:,} rows of "
        f"{ROW_BYTES} bytes, merge {statistics.median(merged):.2f} s, "
        f"cat {statistics.median(copied):.2f} s, ratio {ratio:.2f} ({case.bar}), "
        f"{peak / 1e6:.0f} MB ({case.megabytes})",
        flush=True,
    )
    shutil.rmtree(workdir.root)


def main() -> None:
    """Measure each format in each order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--formats", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--orders", nargs="+", choices=["file", "blocks"], default=["file"])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", help="where to write; default: the system's temporary one")
    given = parser.parse_args()
    unit = given.jobs * BLOCK
    size = int(given.gigabytes * 2**30 / ROW_BYTES) // unit * unit
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for ext in given.formats:
            for order in given.orders:
                compare(Path(folder), Case(ext, order, given.jobs, size), given.repeat)


if __name__ == "__main__":
    main()
