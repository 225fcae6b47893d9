"""Own facts about this machine and process; know nothing of tasks."""

import os
import signal
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_MOUNTS = Path("/proc/self/mountinfo")

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
    quotas = [quota for folder in _own_cgroups() if (quota := _cgroup_cores(folder))]
    return max(1, min([cores, *map(int, quotas)]))


def _own_cgroups(root: Path = _CGROUP, listing: Path = _OWN_CGROUPS) -> Iterator[Path]:
    """Yield the folders of the control groups this process is in, from the root down.

    Notes
    -----
    `/proc/self/cgroup` is described in cgroups(7): `0::PATH` for version 2, and
    `N:CONTROLLERS:PATH` for version 1.
    """
    yield root
    try:
        lines = listing.read_text().split("\n")
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" or "cpu" in controllers.split(","):
            folder = root if number == "0" else root / "cpu"
            for part in Path(path).parts[1:]:
                folder /= part
                yield folder


def _cgroup_cores(folder: Path) -> float | None:
    """Read how many cores' worth of time a control group grants; None is no limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            if not (folder / "cpu.cfs_quota_us").exists():
                folder /= "cpu"
            quota = (folder / "cpu.cfs_quota_us").read_text().strip()
            period = (folder / "cpu.cfs_period_us").read_text().strip()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None


def limit_threads(processes: int) -> None:
    """Let each of some processes start its share of threads; what the user set stays.

    Most libraries heed OpenMP's variable where their own is not set. So where the user set that
    one, it is the share: setting theirs to anything else would override the user.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # one for each level
    share = asked or str(max(1, usable_cores() // processes))
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, share)


def host() -> str:
    """Return this machine's name."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import platform

    return platform.node()


def process_namespace() -> int | None:
    """Return the number of the space in which process numbers count; None if there is one only.

    Containers on one host may share its name, but not its process numbers.

    Notes
    -----
    See pid_namespaces(7).
    """
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return None


def user() -> str:
    """Return the user's name, or number where it has no name."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid())


def login_name() -> str:
    """Return the name, or the number, that this process' user has for the system.

    Schedulers know jobs by it. It is what `id -un` prints: `LOGNAME` and `USER`, which `user`
    believes, may be those of somebody else under su, sudo -E or in a container.
    """
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
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


def process_age() -> float:
    """Tell for how many seconds this process has existed, programs that it was before included.

    It is 0 where that is not known.
    """
    try:
        start = float(process_start(os.getpid()) or "")
        return max(
            time.clock_gettime(time.CLOCK_BOOTTIME) - start / os.sysconf("SC_CLK_TCK"), 0
        )
    except (AttributeError, ValueError, OSError):  # not Linux
        return 0.0


def is_alive(pid: int, start: str | None) -> bool:
    """Tell whether the process that had this number and start time still runs."""
    return start is not None and process_start(pid) == start


def terminate(pid: int, start: str | None) -> bool:
    """Ask the process that had this number and start time to end.

    Returns
    -------
    bool
        Whether it was asked; False if it had ended.
    """
    try:
        fd = os.pidfd_open(pid)  # from here on nobody else can get the number
    except ProcessLookupError:
        return False
    except (AttributeError, OSError):  # not Linux, or an old one
        return _terminate_by_number(pid, start)
    try:
        if not is_alive(pid, start):
            return False
        signal.pidfd_send_signal(fd, signal.SIGTERM)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def _terminate_by_number(pid: int, start: str | None) -> bool:
    try:
        if is_alive(pid, start):
            os.kill(pid, signal.SIGTERM)
            return True
    except ProcessLookupError:
        pass
    return False


@cache
def filesystem(folder: Path) -> str:
    """Tell the type of the file system that holds a folder, such as 'ext4'.

    See proc_pid_mountinfo(5). Empty where the system does not tell.
    """
    try:
        device = folder.stat().st_dev
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        mount, _, kind = line.partition(" - ")
        if mount.split()[2:3] == [number]:
            return kind.split()[0]
    return ""
