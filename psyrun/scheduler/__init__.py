"""Where jobs run: the interface and the schedulers that Psyrun brings."""

from psyrun.scheduler.base import JobStatus, Scheduler, qualified_name, still_known
from psyrun.scheduler.local import ImmediateRun

__all__ = ["ImmediateRun", "JobStatus", "Scheduler", "qualified_name", "still_known"]
