"""Evaluate a function over a parameter space, and never lose a row."""

from psyrun.pspace import Param
from psyrun.version import __version__

__all__ = ["Param", "__version__"]
