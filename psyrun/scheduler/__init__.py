"""Where jobs run: the interface and the schedulers that Psyrun brings."""

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
from psyrun.scheduler.batch import BatchScheduler
from psyrun.scheduler.local import ImmediateRun
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
