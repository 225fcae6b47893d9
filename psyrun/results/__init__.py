"""Results in a user's hands: columns, tables, labelled arrays, and files of other formats.

Reads what tasks have left; writes nothing into work directories and runs no task file. pandas
and xarray are imported where they are used.
"""

from psyrun.results.base import Results
from psyrun.results.finding import load_result

__all__ = ["Results", "load_result"]
