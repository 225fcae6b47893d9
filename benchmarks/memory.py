"""Own how much memory a tree of processes takes at most; only Linux tells."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAUSE = 0.05
PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)


@contextlib.contextmanager
def peak_of_tree(root: int) -> Iterator[Callable[[], int | None]]:
    """Watch a process and its descendants; memory that they share counts once."""
    peaks = [0]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(PAUSE):
            peaks.append(max(peaks.pop(), memory_of_tree(root)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: peaks[0] or None
    finally:
        over.set()
        thread.join()


def memory_of_tree(root: int) -> int:
    """Sum what the processes below and in the session of one have now, in bytes."""
    total = 0
    for pid in members(root):
        with contextlib.suppress(OSError):
            found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
            total += int(found[1]) * 1024 if found else 0
    return total


def members(root: int) -> set[int]:
    parents: dict[int, int] = {}
    inside = {root}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
            if int(fields[3]) == root:
                inside.add(int(stat.parent.name))
    grown = True
    while grown:
        new = {pid for pid, parent in parents.items() if parent in inside} - inside
        inside |= new
        grown = bool(new)
    return inside
