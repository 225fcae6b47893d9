"""Evaluate a function over a parameter space, and never lose a row."""

from typing import TYPE_CHECKING, Any

from psyrun.version import __version__

if TYPE_CHECKING:
    from psyrun.backend import DistributeBackend, LoadBalancingBackend
    from psyrun.mapper import map_pspace, map_pspace_hdd_backed, map_pspace_parallel
    from psyrun.pspace import Param
    from psyrun.results import load_result
    from psyrun.scheduler import LSF, PBS, SGE, ImmediateRun, Slurm, Sqsub
    from psyrun.store import DefaultStore, H5Store, NpzStore, PickleStore

__all__ = [
    "LSF",
    "PBS",
    "SGE",
    "DefaultStore",
    "DistributeBackend",
    "H5Store",
    "ImmediateRun",
    "LoadBalancingBackend",
    "NpzStore",
    "Param",
    "PickleStore",
    "Slurm",
    "Sqsub",
    "__version__",
    "load_result",
    "map_pspace",
    "map_pspace_hdd_backed",
    "map_pspace_parallel",
]

_HOMES = {
    "LSF": "psyrun.scheduler",
    "PBS": "psyrun.scheduler",
    "SGE": "psyrun.scheduler",
    "Slurm": "psyrun.scheduler",
    "Sqsub": "psyrun.scheduler",
    "DefaultStore": "psyrun.store",
    "DistributeBackend": "psyrun.backend",
    "H5Store": "psyrun.store",
    "ImmediateRun": "psyrun.scheduler",
    "LoadBalancingBackend": "psyrun.backend",
    "NpzStore": "psyrun.store",
    "Param": "psyrun.pspace",
    "PickleStore": "psyrun.store",
    "load_result": "psyrun.results",
    "map_pspace": "psyrun.mapper",
    "map_pspace_hdd_backed": "psyrun.mapper",
    "map_pspace_parallel": "psyrun.mapper",
}


def __getattr__(name: str) -> Any:
    """Import what is used when it is used, so that `import psyrun` stays light."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'psyrun' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
