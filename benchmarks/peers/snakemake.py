"""Snakemake: a workflow of one shell rule, a file a row, two at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.work import Case

SNAKEFILE = Path(__file__).parents[1] / "tasks" / "Snakefile"


def command(case: Case) -> Callable[[], Iterator[int]]:
    shutil.copy(SNAKEFILE, case.folder)
    settings = [f"tenth={case.size // 10}", f"python={sys.executable}"]
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet"]
    subprocess.run([*snakemake, "--config", *settings], check=True)
    return lambda: (int(path.read_text()) for path in (case.folder / "out").glob("*.txt"))
