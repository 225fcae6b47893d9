"""Own the reading of columns that are HDF5 datasets, virtual ones too."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from psyrun.exceptions import StoreError
from psyrun.store.base import Reader
from psyrun.store.h5types import (
    NAME,
    NODE,
    UNITS,
    form_in_file,
    form_of_any_length,
    from_file,
    has_any_length,
    true_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from psyrun.store.forms import Form

__all__ = ["H5Reader"]

_BLOCK_ROWS = 1 << 12
_MOST_FILES = 100
"""How many sources of a virtual dataset are read at once: HDF5 opens all of them."""


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
        self._bounds: dict[str, list[int]] = {}
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
                parts = list(self._parts(name, start, max(start, stop)))
                blocks = [from_file(dataset, low, high) for low, high in parts]
                return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
            return from_file(dataset, start, stop)
        except StoreError:
            raise
        except Exception as err:  # h5py tells of damage in many ways
            raise StoreError(f"{self.path} cannot be read at {name!r} ({err})") from err

    def _parts(self, name: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Cut rows of a virtual dataset, so that few of its sources are opened at once."""
        if name not in self._bounds:
            self._bounds[name] = self._checked_sources(name)
        bounds = self._bounds[name]
        inner = bounds[bisect_right(bounds, start) : bisect_left(bounds, stop)]
        cuts = [start, *inner[_MOST_FILES - 1 :: _MOST_FILES], stop]
        yield from pairwise(cuts)

    def _checked_sources(self, name: str) -> list[int]:
        """Make sure that all sources are there, where HDF5 would give NaN; return their bounds.

        Raises
        ------
        StoreError
            If a file is not there.
        """
        sources = self._datasets[name].virtual_sources()
        for file in {source.file_name for source in sources} - {"."}:
            if not (self.path.parent / file).is_file() and not Path(file).is_file():
                raise StoreError(
                    f"{self.path} is virtual: it holds no rows itself, and {file}, where some "
                    "of its rows are, is not there; bring it back, or run the task again"
                )
        return sorted(int(source.vspace.get_select_bounds()[0][0]) for source in sources)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
