"""How rows are dealt out to jobs."""

from psyrun.backend.base import Backend
from psyrun.backend.distribute import DistributeBackend
from psyrun.backend.load_balancing import LoadBalancingBackend

__all__ = ["Backend", "DistributeBackend", "LoadBalancingBackend"]
