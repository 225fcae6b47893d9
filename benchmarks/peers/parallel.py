"""GNU parallel: a command a row, two at a time, with a job log so that it can be resumed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.work import Case


def command(case: Case) -> Callable[[], Iterator[int]]:
    arguments = ["parallel", "-j2", "--joblog", "log", "--results", "out"]
    arguments += [sys.executable, "-m", "benchmarks.row"]
    for values in case.combos.values():
        arguments += [":::", *map(str, values)]
    subprocess.run(arguments, check=True)
    return lambda: (int(path.read_text()) for path in case.folder.glob("out/**/stdout"))
