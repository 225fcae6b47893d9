"""Where jobs run: the interface and the schedulers that Psyrun brings."""

from typing import TYPE_CHECKING, Any

from psyrun.scheduler.base import (
    UNSATISFIABLE,
    JobInfo,
    JobState,
    JobStatus,
    Limits,
    Scheduler,
    qualified_name,
    scheduler_errors,
)
from psyrun.scheduler.local import ImmediateRun

if TYPE_CHECKING:
    from psyrun.scheduler.batch import BatchScheduler
    from psyrun.scheduler.lsf import LSF
    from psyrun.scheduler.pbs import PBS
    from psyrun.scheduler.sge import SGE
    from psyrun.scheduler.slurm import Slurm
    from psyrun.scheduler.sqsub import Sqsub

__all__ = [
    "LSF",
    "PBS",
    "SGE",
    "UNSATISFIABLE",
    "BatchScheduler",
    "ImmediateRun",
    "JobInfo",
    "JobState",
    "JobStatus",
    "Limits",
    "Scheduler",
    "Slurm",
    "Sqsub",
    "qualified_name",
    "scheduler_errors",
]

_HOMES = {
    "BatchScheduler": "batch",
    "LSF": "lsf",
    "PBS": "pbs",
    "SGE": "sge",
    "Slurm": "slurm",
    "Sqsub": "sqsub",
}


def __getattr__(name: str) -> Any:
    """Import what clusters need when it is used: most processes run on this machine."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'psyrun.scheduler' has no attribute {name!r}")
    return getattr(importlib.import_module(f"psyrun.scheduler.{_HOMES[name]}"), name)
