"""Print what keeping rows on disk and whole runs cost, against the bars set for them.

    python -m benchmarks.runs [--repeat N]

Needs two free cores. Peak memory is that of the largest process.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import below, compare, interleaved
from psyrun import Param, map_pspace_hdd_backed

if TYPE_CHECKING:
    from collections.abc import Iterable

PSY = (sys.executable, "-m", "psyrun")
TASK = """\
from psyrun import Param
{imports}
pspace = Param(a=range({a})) * Param(b=range({b}))

def execute(a, b):
    return {{"c": a * b}}
"""


def trivial(a: int, b: int) -> dict[str, int]:
    return {"c": a * b}


def flushed_loop(path: Path) -> None:
    """The hand-written loop that writes and flushes one pickle a row."""
    columns = (Param(a=range(1000)) * Param(b=range(100))).build()
    with path.open("wb") as file:
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            row.update(trivial(**row))
            pickle.dump(row, file)
            file.flush()


def backed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    space = Param(a=range(1000)) * Param(b=range(100))
    map_pspace_hdd_backed(trivial, space, folder / "result.pkl", return_data=False)


def psy(*arguments: str) -> int:
    """Run a command quietly; return the peak memory of its largest process in bytes."""
    process = subprocess.Popen(
        [*PSY, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return used.ru_maxrss * 1024


def python(source: str) -> None:
    subprocess.run([sys.executable, "-c", source], check=True, stdout=subprocess.DEVNULL)


def task(name: str, rows: int, imports: str = "") -> None:
    path = Path("psy-tasks") / f"task_{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(TASK.format(a=rows // min(rows, 1000), b=min(rows, 1000), imports=imports))


def run_afresh(name: str) -> None:
    """Run a task in a new work directory.

    The one before is moved, not removed: some file systems make files slowly for some seconds
    after others went.
    """
    if Path("psy-work").exists():
        Path("psy-work").rename(tempfile.mkdtemp(dir="."))
    psy("run", name)


def noted(repeat: int) -> float:
    """Return what a row of a million costs as the run tells itself, starting up aside."""
    found = []
    for _ in range(repeat):
        run_afresh("million")
        (status,) = json.loads(subprocess.check_output([*PSY, "status", "--json", "million"]))
        found.append(status["timing"]["seconds_a_row"])
    return statistics.median(found)


def worker_peak() -> float:
    """Return the peak memory of any process of a run of a million rows, in MB."""
    Path("psy-work").rename(tempfile.mkdtemp(dir="."))
    watch = io.StringIO()
    with contextlib.redirect_stdout(watch):
        process = subprocess.Popen(
            [*PSY, "run", "million"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peak = 0.0
        while process.poll() is None:
            for status in Path("/proc").glob("[0-9]*/status"):
                with contextlib.suppress(OSError):
                    text = status.read_text()
                    if f"PPid:\t{process.pid}" in text or "psyrun" in _command(status):
                        peak = max(peak, _peak_of(text))
            time.sleep(0.02)
    return peak


def _command(status: Path) -> str:
    return (status.parent / "cmdline").read_text()


def _peak_of(text: str) -> float:
    line = next((x for x in text.split("\n") if x.startswith("VmHWM")), "VmHWM 0 kB")
    return int(line.split()[1]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users' machines keep bytecode
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        root = Path(folder)
        compare(
            "map_pspace_hdd_backed / flushed loop, 1e5 rows",
            0.9,
            lambda: backed(root / "backed"),
            lambda: flushed_loop(root / "loop.pkl"),
            repeat,
        )
        task("four", 4)
        task("numpy", 4, "import numpy")
        task("hundred", 10**5)
        task("million", 10**6)
        measure_runs(repeat)
        measure_growth(repeat)


def measure_runs(repeat: int) -> None:
    (four,) = interleaved(repeat, lambda: run_afresh("four"))
    below("psy run, four rows", 0.4, four, "s")
    (numpy,) = interleaved(repeat, lambda: run_afresh("numpy"))
    below("psy run, four rows, numpy imported", 0.8, numpy, "s")
    small, large = interleaved(
        repeat, lambda: run_afresh("hundred"), lambda: run_afresh("million")
    )
    below("psy run, 1e5 to 1e6 rows, each row", 2.5, (large - small) / 0.9, "us")
    below("psy run, 1e6 rows, each row by its own timing", 2.0, noted(repeat) * 1e6, "us")
    below("largest process of 1e6 rows", 300, worker_peak(), "MB")
    up_to_date, status, help_, click, bare = interleaved(
        repeat,
        lambda: psy("run", "million"),
        lambda: psy("status", "million"),
        lambda: psy("--help"),
        lambda: python("import click"),
        lambda: python("from psyrun import Param; Param(a=[1]) * Param(b=[1])"),
    )
    below("psy run, 1e6 rows up to date, above the task file", 0.3, up_to_date - bare, "s")
    below("psy status, 1e6 rows in 100 jobs, above --help", 0.3, status - help_, "s")
    below("psy --help, above import click", 30, (help_ - click) * 1000, "ms")
    for number in range(10 - len(list(Path("psy-tasks").glob("*.py")))):
        task(f"another{number}", 4)
    listing, click = interleaved(repeat, lambda: psy("list"), lambda: python("import click"))
    below("psy list of 10 tasks, above import click", 60, (listing - click) * 1000, "ms")


LISTS = """\
from psyrun import Param

N = {size}
pspace = Param(a=[0.5 * i for i in range(N)], b=[str(i) for i in range(N)])

def execute(a, b):
    return {{"c": a}}
"""


def measure_growth(repeat: int) -> None:
    """Add a thousand rows to a million that have two columns of values."""
    path = Path("psy-tasks/task_lists.py")
    path.write_text(LISTS.format(size=10**6))
    psy("run", "lists")
    path.write_text(LISTS.format(size=10**6 + 1000))
    peak = psy("run", "--dry-run", "lists")
    (planning,) = interleaved(repeat, lambda: psy("run", "--dry-run", "lists"))
    below("psy run --dry-run, 1e6 rows and 1,000 added", 5, planning, "s")
    below("its memory", 1500, peak / 1e6, "MB")
    psy("run", "lists")
    (result,) = json.loads(subprocess.check_output([*PSY, "status", "--json", "lists"]))
    last = result["runs"][-1]
    below("rows evaluated for it", 1000, rows_of_jobs(last["jobs"]), "rows")


def rows_of_jobs(jobs: Iterable[str]) -> int:
    """Count the rows that some jobs were given."""
    records = (json.loads(Path(f"psy-work/lists/in/{job}.json").read_text()) for job in jobs)
    return sum(stop - start for record in records for start, stop in record["rows"])


if __name__ == "__main__":
    main()
