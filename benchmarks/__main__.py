"""Print what sweeps cost in Psyrun and in what one would take instead.

    python -m benchmarks --install
    python -m benchmarks --quick
    python -m benchmarks --page

Every contestant of a sweep is a process in an environment of its own; they take turns, and what
comes out of each turn is checked. Times are of one call as users write it: pools count with
their start, unless the tool itself keeps them warm between calls. A first turn does not count;
peak memory is that of this turn, over all processes. A peer that is missing is named, and left
out. The exit code is 1 if a bar does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import about, render
from benchmarks.arena import run_sweep
from benchmarks.environments import DEFAULT, Environments
from benchmarks.judging import judge
from benchmarks.registry import BARS, HERE, PACKAGES, SWEEPS

PAGE = HERE.parent / "docs" / "explanation"
MEASURED = HERE / "measured.json"
TABLE = PAGE / "speed-table.rst.inc"


def main() -> int:
    options = parse()
    environments = Environments(options.environments)
    if options.install is not None:
        failed = environments.install(options.install or PACKAGES)
        print(f"failed: {', '.join(failed)}" if failed else "all installed")
        return int(bool(failed))
    if options.source:
        record = json.loads(options.source.read_text())
    else:
        record = measure(options, environments)
    print(render.text(record), end="")
    write(options, record)
    return int(any(bar["verdict"] == "FAILS" for bar in record["bars"]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    names = [sweep.name for sweep in SWEEPS]
    peers = ", ".join(PACKAGES)
    add("--install", nargs="*", metavar="PEER", help=f"install peers, or all of them: {peers}")
    add("--environments", type=Path, default=DEFAULT, help="where to (%(default)s)")
    add("--only", action="append", choices=names, metavar="SWEEP", help=", ".join(names))
    add("--quick", action="store_true", help="take small sizes")
    add("--repeat", type=int, default=5, help="how many rounds count (%(default)s)")
    add("--timeout", type=float, default=300, help="seconds a turn may take (%(default)s)")
    add("--from", dest="source", type=Path, help="measure nothing, and show what --json wrote")
    add("--markdown", type=Path, help="write the tables here too")
    add("--json", type=Path, help="write all times here too")
    add("--page", action="store_true", help="write the page of the documentation too")
    options = parser.parse_args()
    if options.page and (options.quick or options.only) and not options.source:
        parser.error("the page wants all sweeps at full size: no --quick and no --only")
    unknown = set(options.install or ()) - PACKAGES.keys()
    if unknown:
        parser.error(f"no such peer: {', '.join(sorted(unknown))}; there are {peers}")
    return options


def measure(options: argparse.Namespace, environments: Environments) -> dict[str, Any]:
    """Run the sweeps that are asked for."""
    sweeps = [sweep for sweep in SWEEPS if sweep.name in (options.only or [sweep.name])]
    peers = dict.fromkeys(one.peer for sweep in sweeps for one in sweep.contestants)
    versions = {name: version(name) for name in ("psyrun", "numpy", "tables")}
    results = [
        run_sweep(
            sweep,
            environments,
            quick=options.quick,
            repeat=options.repeat,
            timeout=options.timeout,
            say=progress,
        )
        for sweep in sweeps
    ]
    progress("")
    return {
        "when": time.strftime("%Y-%m-%d"),
        "quick": options.quick,
        "repeat": options.repeat,
        "machine": about.machine(),
        "versions": versions | environments.versions(peers),
        "sweeps": results,
        "bars": list(judge(BARS, results, quick=options.quick)),
    }


def progress(words: str) -> None:
    """Tell what is going on, to those who watch."""
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def write(options: argparse.Namespace, record: dict[str, Any]) -> None:
    written = json.dumps(record, indent=1) + "\n"
    if options.json:
        options.json.write_text(written)
    if options.markdown:
        options.markdown.write_text(render.markdown(record))
    if options.page:
        MEASURED.write_text(written)
        TABLE.write_text(render.rst(record))


if __name__ == "__main__":
    sys.exit(main())
