"""Own the reading of columns that are HDF5 datasets, virtual ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py

from psyrun.exceptions import StoreError
from psyrun.store.base import Reader
from psyrun.store.h5mapped import MappedRows, Sources
from psyrun.store.h5types import (
    NAME,
    NODE,
    UNITS,
    form_in_file,
    from_file,
    true_name,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from psyrun.store.forms import Form
    from psyrun.store.moving import Stretch

__all__ = ["H5Reader"]

TABLE = "table"
"""What a table is called in the group of a store."""


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
    is_table : bool
        Whether the group holds a table of PyTables, for which another reader is needed.
    attributes, units : dict of str to str
        What the file says of the whole, and of columns.
    """

    is_table = False

    def __init__(self, path: Path, node: str, *, caching: bool = True) -> None:
        self.path, self.node = path, node
        cache = {} if caching else {"rdcc_nbytes": 0, "rdcc_nslots": 1}
        try:
            self._file = _opened(path, cache)
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

    def _open_group(self, node: str) -> None:
        group = self._file.get(node)
        if not isinstance(group, h5py.Group) and NODE in self._file.attrs:
            self.node = _text(self._file.attrs[NODE])
            group = self._file.get(self.node)
        if not isinstance(group, h5py.Group):
            there = ", ".join(sorted(f"/{name}" for name in self._file)) or "nothing"
            raise StoreError(f"{self.path} has no group {node} (it has {there})")
        if TABLE in group and _text(group[TABLE].attrs.get("CLASS")) == "TABLE":
            self.is_table = True
            return
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
        """Tell what a column is like; see `Reader.form`."""
        return form_in_file(self._datasets[name])

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read some rows of a column; see `Reader.read`."""
        dataset = self._datasets[name]
        start, stop, _ = slice(start, stop).indices(self.size)
        try:
            if dataset.is_virtual:
                return self._rows(name).read(start, stop)
            return from_file(dataset, start, stop)
        except StoreError:
            raise
        except Exception as err:  # h5py tells of damage in many ways
            raise StoreError(f"{self.path} cannot be read at {name!r} ({err})") from err

    def stretch(self, name: str) -> Stretch | None:
        """Tell where the rows of a column stand in the file; see `Reader.stretch`."""
        from psyrun.store.h5moves import stretch_of

        return stretch_of(self._datasets[name])

    def check_sources(self) -> None:
        """Raise a `StoreError` if a file that virtual columns refer to is not there."""
        for name, dataset in self._datasets.items():
            if dataset.is_virtual:
                self._rows(name).check()

    def _rows(self, name: str) -> MappedRows:
        if name not in self._mapped:
            self._mapped[name] = MappedRows(self._datasets[name], self._sources)
        return self._mapped[name]

    def close(self) -> None:
        """Let go of the file."""
        self._sources.close()
        self._file.close()


def _opened(path: Path, cache: dict[str, Any]) -> h5py.File:
    """Open a file, which nobody changes, without a lock: not every file system has them."""
    try:
        return h5py.File(path, "r", locking=False, **cache)
    except OSError as err:
        if "lock" not in str(err):
            raise
        return h5py.File(path, "r", **cache)  # this process has it open with a lock


def _text(value: Any) -> str:
    """Read an attribute: PyTables writes bytes, h5py texts."""
    return value.decode() if isinstance(value, bytes) else str(value)
