"""How rows are dealt out to jobs."""

from psyrun.backend.base import Backend
from psyrun.backend.distribute import DistributeBackend

__all__ = ["Backend", "DistributeBackend"]
