"""Own the reading of columns that are HDF5 datasets, virtual ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py

from psyrun.exceptions import StoreError
from psyrun.store.base import Reader
from psyrun.store.h5fields import NODE
from psyrun.store.h5mapped import MappedRows, Sources
from psyrun.store.h5types import (
    NAME,
    UNITS,
    form_in_file,
    form_of_any_length,
    from_file,
    has_any_length,
    true_name,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from psyrun.store.forms import Form

__all__ = ["H5Reader"]

_BLOCK_ROWS = 1 << 12


class H5Reader(Reader):
    """An open HDF5 file; see `Reader`.

    Parameters
    ----------
    path : Path
        The file.
    node : str
        The group of the columns. A file of Psyrun that lacks it tells its own.

    Attributes
    ----------
    attributes, units : dict of str to str
        What the file says of the whole, and of columns.
    """

    def __init__(self, path: Path, node: str) -> None:
        self.path = path
        try:
            self._file = h5py.File(path, "r", locking=False)
        except FileNotFoundError:
            raise
        except OSError as err:
            raise StoreError(f"{path} is no whole HDF5 file ({err})") from err
        try:
            self._open_group(node)
        except BaseException as err:
            self._file.close()
            if isinstance(err, StoreError) or not isinstance(err, Exception):
                raise
            # h5py tells of damage in many ways
            raise StoreError(f"{path} is damaged ({type(err).__name__}: {err})") from err
        self._sources = Sources(path, self._file)
        self._mapped: dict[str, MappedRows] = {}
        self._forms: dict[str, Form] = {}

    def _open_group(self, node: str) -> None:
        group = self._file.get(node)
        if not isinstance(group, h5py.Group) and NODE in self._file.attrs:
            group = self._file.get(str(self._file.attrs[NODE]))
        if not isinstance(group, h5py.Group):
            there = ", ".join(sorted(f"/{name}" for name in self._file)) or "nothing"
            raise StoreError(f"{self.path} has no group {node} (it has {there})")
        self._datasets = {
            true_name(link, item.attrs.get(NAME)): item
            for link, item in group.items()
            if isinstance(item, h5py.Dataset) and item.shape
        }
        self.names = list(self._datasets)
        sizes = {dataset.shape[0] for dataset in self._datasets.values()}
        if len(sizes) > 1 or len(self._datasets) < len(group):
            raise StoreError(
                f"{self.path} has a group {node}, but not of columns of one length: no result "
                "of Psyrun"
            )
        self.size = sizes.pop() if sizes else 0
        self.attributes = {n: v for n, v in group.attrs.items() if isinstance(v, str)}
        self.units = {
            name: str(dataset.attrs[UNITS])
            for name, dataset in self._datasets.items()
            if UNITS in dataset.attrs
        }

    def dataset(self, name: str) -> h5py.Dataset:
        """Return the dataset of a column."""
        return self._datasets[name]

    def form(self, name: str) -> Form:
        """Tell what a column is like; see `Reader.form`.

        Texts and bytes of any length are read: other formats are as wide as the longest.
        """
        if name not in self._forms:
            dataset = self._datasets[name]
            if has_any_length(dataset):
                starts = range(0, self.size, _BLOCK_ROWS)
                read = (self.read(name, start, start + _BLOCK_ROWS) for start in starts)
                self._forms[name] = form_of_any_length(dataset, read)
            else:
                self._forms[name] = form_in_file(dataset)
        return self._forms[name]

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read some rows of a column; see `Reader.read`."""
        dataset = self._datasets[name]
        start, stop, _ = slice(start, stop).indices(self.size)
        try:
            if dataset.is_virtual:
                if name not in self._mapped:
                    self._mapped[name] = MappedRows(dataset, self._sources)
                return self._mapped[name].read(start, stop)
            return from_file(dataset, start, stop)
        except StoreError:
            raise
        except Exception as err:  # h5py tells of damage in many ways
            raise StoreError(f"{self.path} cannot be read at {name!r} ({err})") from err

    def close(self) -> None:
        """Let go of the file."""
        self._sources.close()
        self._file.close()
