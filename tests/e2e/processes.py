"""What tests that look at processes share."""

from collections.abc import Iterable
from pathlib import Path

from psyrun.machine import process_start


def children_of(pid: int) -> list[int]:
    """List the processes that a process started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def gone(pids: Iterable[int]) -> bool:
    """Tell whether all of some processes have ended."""
    return all(process_start(pid) is None for pid in pids)
