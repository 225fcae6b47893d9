"""The maps: a function evaluated for each assignment of a space, in memory or kept on disk."""

from psyrun.mapper.backed import map_pspace_hdd_backed
from psyrun.mapper.memory import get_result, map_pspace, map_pspace_parallel

__all__ = ["get_result", "map_pspace", "map_pspace_hdd_backed", "map_pspace_parallel"]
