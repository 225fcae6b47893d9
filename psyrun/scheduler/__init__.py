"""Where jobs run: the interface and the schedulers that Psyrun brings."""

from psyrun.scheduler.base import (
    UNSATISFIABLE,
    JobInfo,
    JobState,
    JobStatus,
    Limits,
    Scheduler,
    qualified_name,
)
from psyrun.scheduler.batch import BatchScheduler
from psyrun.scheduler.local import ImmediateRun
from psyrun.scheduler.slurm import Slurm

__all__ = [
    "UNSATISFIABLE",
    "BatchScheduler",
    "ImmediateRun",
    "JobInfo",
    "JobState",
    "JobStatus",
    "Limits",
    "Scheduler",
    "Slurm",
    "qualified_name",
]
