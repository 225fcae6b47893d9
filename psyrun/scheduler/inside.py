"""Own what a job finds out about itself from its scheduler, and how it asks to come back.

All of that is in the environment of the job, or asked of the scheduler's own programs.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from psyrun.exceptions import SchedulerError

COMES_BACK = 99
"""The exit code of a job that is to be started again.

Grid Engine does that with any job (`sge_conf(5)`, FORBID_RESCHEDULE), LSF with one that was
submitted with `-Q 99` (`bsub(1)`); Slurm and PBS take it as any other.
"""

_PATIENCE_SECONDS = 10.0
_HIDING = ("SQUEUE_", "SLURM_TIME_FORMAT")
"""Beginnings of variables by which `squeue` hides jobs, or tells times otherwise."""


def end_time(environment: Mapping[str, str] = os.environ) -> float | None:
    """Find out when the scheduler will end this job.

    Returns
    -------
    float or None
        Seconds since 1970; None if there is no limit or it is not known.

    Notes
    -----
    Newer versions of Slurm tell it in `SLURM_JOB_END_TIME`; of older ones `squeue` knows, in
    local time.
    """
    if "SLURM_JOB_ID" not in environment:
        return None
    with suppress(KeyError, ValueError):
        return float(environment["SLURM_JOB_END_TIME"])
    try:
        said = _ask(
            ["squeue", "-h", "-j", environment["SLURM_JOB_ID"], "-o", "%e"], environment
        )
        return datetime.fromisoformat(said.strip()).timestamp()
    except (SchedulerError, ValueError):  # it may also say NOT_SET, N/A or Unknown
        return None


def is_over(environment: Mapping[str, str] = os.environ) -> bool | None:
    """Find out whether the scheduler ends this job for its time, when it was told to end.

    Returns
    -------
    bool or None
        Whether its time is over; False is that somebody ended it. None if the scheduler does
        not tell.

    Notes
    -----
    While a job of Slurm ends, its state is COMPLETING whatever ended it, and `%e` is the
    moment at which it was told to end. The reason is the one thing that differs: it is
    TimeLimit only if the time was over (seen with Slurm 22.05). Grid Engine, LSF and PBS are
    not asked; there, who ends a job in its last seconds cannot be told from its time.
    """
    if "SLURM_JOB_ID" not in environment:
        return None
    command = ["squeue", "-h", "-j", environment["SLURM_JOB_ID"], "-o", "%T|%r"]
    try:
        state, _, reason = _ask(command, environment).strip().partition("|")
    except SchedulerError:
        return None
    if reason == "TimeLimit" or state == "TIMEOUT":
        return True
    # a job that runs on was sent the signal alone
    return None if state in ("", "RUNNING") else False


def restarts(environment: Mapping[str, str] = os.environ) -> int | None:
    """Tell how often this job was started before; None if the scheduler does not count."""
    if "SLURM_JOB_ID" not in environment:
        return None
    count = environment.get("SLURM_RESTART_COUNT", "0")
    return int(count) if count.isdecimal() else None


def come_back(environment: Mapping[str, str] = os.environ) -> None:
    """Ask that this job be started again; it then has to end with `COMES_BACK`.

    Slurm ends the job itself, a moment after it was asked.

    Raises
    ------
    SchedulerError
        If the scheduler refuses, or has no such thing.
    """
    if "SLURM_JOB_ID" in environment:
        _ask(["scontrol", "requeue", _slurm_name(environment)], environment)
    elif not ("LSB_JOBID" in environment or {"JOB_ID", "SGE_TASK_ID"} <= environment.keys()):
        raise SchedulerError("this scheduler starts no job again that asks for it")


def _slurm_name(environment: Mapping[str, str]) -> str:
    array, element = (environment.get(f"SLURM_ARRAY_{what}_ID") for what in ("JOB", "TASK"))
    return f"{array}_{element}" if array and element else environment["SLURM_JOB_ID"]


def _ask(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program of the scheduler, and return what it says."""
    import subprocess  # which most workers can do without

    try:
        done = subprocess.run(
            command,
            env={k: v for k, v in environment.items() if not k.startswith(_HIDING)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as err:
        said = err.stderr.strip() or f"exit code {err.returncode}"
        raise SchedulerError(f"{' '.join(command)}: {said}") from err
    except (OSError, subprocess.TimeoutExpired) as err:
        raise SchedulerError(f"{' '.join(command)}: {err}") from err
    return done.stdout
