"""Own facts about this machine and process; know nothing of tasks."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""What numeric libraries ask for the number of threads they may start."""


def usable_cores() -> int:
    """Count the cores this process may use: CPU affinity and cgroup limits respected.

    Notes
    -----
    The files read are `cpu.max` (cgroup v2) and `cpu.cfs_quota_us`, `cpu.cfs_period_us` (v1),
    as described in the Linux kernel's documentation of control groups.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _cgroup_cores(_CGROUP)
    return max(1, min(cores, int(quota))) if quota else cores


def _cgroup_cores(root: Path) -> float | None:
    """Read how many cores' worth of time a control group grants; None is no limit."""
    try:
        if (root / "cpu.max").exists():
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None


def limit_threads(processes: int) -> None:
    """Let each of some processes start its share of threads; what the user set stays."""
    share = str(max(1, usable_cores() // processes))
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, share)


def host() -> str:
    """Return this machine's name."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import platform

    return platform.node()


def user() -> str:
    """Return the user's name, or number where it has no name."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid())


def process_start(pid: int) -> str | None:
    """Tell when a process of this machine started; None if there is no such process.

    The text means nothing but that the same number with another text is another process.

    Notes
    -----
    Field 22 of `/proc/<pid>/stat`, see proc(5). Where there is no `/proc`, any living process
    counts as the same one.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        pass
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""


def is_alive(pid: int, start: str | None) -> bool:
    """Tell whether the process that had this number and start time still runs."""
    return start is not None and process_start(pid) == start
