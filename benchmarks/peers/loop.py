"""The loop that one writes by hand, and files written by hand: the limits."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.work import Case


def serial(case: Case) -> list[Any]:
    names = list(case.combos)
    out: dict[str, list[Any]] = {name: [] for name in [*names, "total"]}
    for values in itertools.product(*case.combos.values()):
        row = dict(zip(names, values, strict=True))
        row.update(case.fn(**row))
        for name, value in row.items():
            out[name].append(value)
    return out["total"]


def flushed(case: Case) -> Callable[[], Iterator[Any]]:
    """Write one pickle a row, and hand it to the system before the next row starts."""
    path = case.folder / "rows.pkl"
    with path.open("wb") as file:
        for row in case.assignments():
            row.update(case.fn(**row))
            pickle.dump(row, file)
            file.flush()
    return lambda: pickles(path)


def pickles(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        while file.peek(1):
            yield pickle.load(file)


def pytables(case: Case) -> Callable[[], Any]:
    """Append to an array of PyTables in chunks of 100 rows: a crash loses what is open."""
    import numpy as np
    import tables

    from benchmarks.work import FLOATS

    path = case.folder / "rows.h5"
    with tables.open_file(path, "w") as file:
        atom = tables.Float64Atom()
        out = file.create_earray("/", "total", atom, shape=(0, FLOATS), expectedrows=case.size)
        chunk = []
        for row in case.assignments():
            chunk.append(case.fn(**row)["total"])
            if len(chunk) == 100:
                out.append(np.array(chunk))
                chunk.clear()
        if chunk:
            out.append(np.array(chunk))

    def read() -> Any:
        with tables.open_file(path) as file:
            return file.root.total.read()

    return read


def commands(case: Case) -> Callable[[], Iterator[int]]:
    """Start a command a row, two at a time."""

    def start(row: dict[str, int]) -> None:
        with (case.folder / "{a}-{b}-{c}.txt".format(**row)).open("w") as out:
            arguments = map(str, row.values())
            command = [sys.executable, "-m", "benchmarks.row", *arguments]
            subprocess.run(command, stdout=out, check=True)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(start, case.assignments()))
    return lambda: (int(path.read_text()) for path in case.folder.glob("*.txt"))
