"""Be a contestant: a process that imports one peer, and takes a turn when it is told to.

    python -m benchmarks.child PEER FUNCTION WORK ROWS FOLDER

Each line on standard input asks for a turn; the answer is a line of JSON on what was standard
output. A peer's function returns the results, or something to call that reads them from where
they were kept; that is done when the clock has stopped, and what comes out is checked.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import work


def turn(function: Any, case: work.Case) -> dict[str, Any]:
    """Run a peer once."""
    case.folder.mkdir()
    os.chdir(case.folder)
    gc.collect()
    os.sync()  # what others left to be written is not for this one to wait for
    began = time.perf_counter()
    values = function(case)
    seconds = time.perf_counter() - began
    out = work.found(values() if callable(values) else values)
    os.chdir(case.folder.parent)
    shutil.rmtree(case.folder)
    wanted = work.expected(case.fn, case.size)
    if not work.agrees(out, wanted):
        return {"error": f"wrong result: rows and sum are {out}, not {wanted}"}
    return {"seconds": seconds}


def main() -> None:
    peer, name, fn, rows, folder = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # peers may print what they like
    module = importlib.import_module(f"benchmarks.peers.{peer}")
    function = getattr(module, name)
    for number, _ in enumerate(sys.stdin):
        case = work.Case(getattr(work, fn), int(rows), Path(folder) / str(number))
        try:
            answer = turn(function, case)
        except Exception as error:  # noqa: BLE001 - one peer's failure is a line in the table
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    if hasattr(module, "close"):
        module.close()


if __name__ == "__main__":
    main()
