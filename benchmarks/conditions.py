"""Print what tables and conditions on them cost.

    python -m benchmarks.conditions [--rows N]

Each figure is of a process of its own, which is given nothing but a file. Where it says 'cold',
the time is that of the whole process, with Python's start and all imports, and the system was
asked before to forget what it has of the file. The columns are `a`
and `b` (normal), `y` (uniform) and `i` (ascending). Peak memory is that of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from psyrun.store import H5Store
from psyrun.store.forms import Form
from psyrun.units import size_text

CONDITIONS = [
    "(a > 3) & (y < 0.1)",
    "(a > 4.5) & (y < 0.1)",
    "(a > 4.5) & (b < 0)",
    "(a > 3) & (b < 0)",
    "(a > 3) & (b**2 < y)",
    "(a > 0) | (y < 0.5)",
    "b > 4.5",
]


class Drawn:
    """A column of random numbers that is made block by block."""

    def __init__(self, name: str, rows: int) -> None:
        self.name, self.rows = name, rows
        self.form = Form(np.dtype(np.int64 if name == "i" else float))

    def __len__(self) -> int:
        return self.rows

    def array(self, start: int, stop: int) -> Any:
        rng = np.random.default_rng([start, ord(self.name)])
        if self.name == "i":
            return np.arange(start, stop)
        return rng.random(stop - start) if self.name == "y" else rng.normal(size=stop - start)


def save(path: str, rows: str, layout: str, *index: str) -> None:
    H5Store(layout=layout, index=index).save(path, {n: Drawn(n, int(rows)) for n in "abyi"})


def where(path: str, expression: str) -> None:
    began = time.perf_counter()
    with H5Store().open(path) as reader:
        hits = len(reader.where(expression))
        opened = time.perf_counter()
        reader.where(expression)
        again = time.perf_counter() - opened
    print(json.dumps([hits, opened - began, again]))


def pytables(path: str, expression: str) -> None:
    import tables

    began = time.perf_counter()
    with tables.open_file(path) as file:
        hits = len(file.root.psyrun.table.get_where_list(expression, sort=True))
    print(json.dumps([hits, time.perf_counter() - began, 0]))


def measured(*arguments: str) -> tuple[float, int, str]:
    """Return a process's seconds, its peak memory in bytes, and what it printed."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.conditions", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return time.perf_counter() - began, usage.ru_maxrss * 1024, printed


def forget(path: str) -> None:
    with Path(path).open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def report(rows: int, folder: Path) -> None:
    ways = {"columns": ["columns"], "table": ["table"], "table, a y": ["table", "a", "y"]}
    for title, way in ways.items():
        path = folder / f"{title}.h5"
        seconds, peak, _ = measured("save", str(path), str(rows), *way)
        size = size_text(path.stat().st_size)
        print(f"write {title:32s} {seconds:6.2f} s, peak {size_text(peak)}, file {size}")
    for expression in CONDITIONS:
        for title in ways:
            path = str(folder / f"{title}.h5")
            forget(path)
            cold, peak, printed = measured("where", path, expression)
            hits, first, again = json.loads(printed)
            print(
                f"{expression:22s} {title:10s} {hits:9,} hits: cold {cold:5.2f} s, opened "
                f"and asked in {first:5.2f} s; again {again:6.3f} s; peak {size_text(peak)}"
            )
        cold, _, printed = measured("pytables", path, expression)
        _, first, _ = json.loads(printed)
        print(f"{expression:22s} PyTables itself on that index: {first:5.2f} s")


def main() -> None:
    tasks = {"save": save, "where": where, "pytables": pytables}
    if sys.argv[1:2] and sys.argv[1] in tasks:
        tasks[sys.argv[1]](*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(args.rows, Path(folder))


if __name__ == "__main__":
    main()
