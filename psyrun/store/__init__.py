"""Result files: the interface and the formats that Psyrun brings."""

from psyrun.store.autodetect import AutodetectStore
from psyrun.store.base import Store
from psyrun.store.h5 import H5Store
from psyrun.store.known import ENTRY_POINTS, store_for
from psyrun.store.npz import NpzStore
from psyrun.store.pickle import PickleStore

__all__ = [
    "ENTRY_POINTS",
    "AutodetectStore",
    "DefaultStore",
    "H5Store",
    "NpzStore",
    "PickleStore",
    "Store",
    "store_for",
]

DefaultStore = PickleStore
"""The store of a task that names none."""
