"""Own results that hold no rows themselves: HDF5 virtual datasets over the partial results.

Each run of rows that follow each other in a partial result too is one mapping, by a path
relative to the result's folder. What HDF5 cannot map (rows in other formats, types that it
converts with loss or not at all) is copied into the group `<node>_rows` and mapped from there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from psyrun.store.arraycolumns import row_blocks
from psyrun.store.arraystore import holding
from psyrun.store.h5mapped import escaped
from psyrun.store.h5reader import H5Reader
from psyrun.store.h5types import DTYPE, describe, file_dtype, link_name, new_file, write_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from psyrun.store.base import ArrayColumn, Labelled, Run, Store
    from psyrun.store.forms import Form

__all__ = ["write_virtual"]

_EXTENSIONS = {".h5", ".hdf5"}
_SMALL = 4
"""Bytes of the integers that every float of 64 bits holds."""


class _Origin(NamedTuple):
    """A dataset that rows can be mapped from."""

    file: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    time: str


def write_virtual(
    path: Path, store: Store, node: str, columns: Mapping[str, ArrayColumn], labels: Labelled
) -> None:
    """Write a file of virtual datasets.

    Parameters
    ----------
    path : Path
        The file; what is there is replaced.
    store : Store
        The store that it is for, for messages.
    node : str
        The group of the columns.
    columns : dict
        The columns; those that tell their runs (`MappedColumn`) become virtual.
    labels : Labelled
        Attributes and units.
    """
    origins = _Origins(path.parent, node)
    with new_file(path, node, labels) as group:
        copies = _Copies(group)
        for name, column in columns.items():
            with holding(store, name):
                runs = list(column.runs()) if hasattr(column, "runs") else None
                if runs is None:
                    dataset = copies.copy(group, name, column, [(0, len(column))])
                else:
                    dataset = _virtual(group, name, column, runs, origins, copies)
                describe(dataset, name, column.form, labels)


class _Origins:
    """The datasets of partial results, looked at once."""

    def __init__(self, folder: Path, node: str) -> None:
        self.folder, self.node = folder.resolve(), node
        self._known: dict[Path, dict[str, _Origin]] = {}

    def find(self, path: Path | None, name: str) -> _Origin | None:
        """Find the dataset of a column in a partial result, if there is one."""
        if path is None or path.suffix.lower() not in _EXTENSIONS:
            return None
        if path not in self._known:
            self._known[path] = self._look(path)
        return self._known[path].get(name)

    def _look(self, path: Path) -> dict[str, _Origin]:
        file = os.path.relpath(path.resolve(), self.folder)
        with H5Reader(path, self.node) as reader:
            if reader.is_table:
                return {}
            datasets = {name: reader.dataset(name) for name in reader.names}
            return {
                name: _Origin(
                    file,
                    dataset.name,
                    dataset.shape,
                    dataset.dtype,
                    str(dataset.attrs.get(DTYPE, "")),
                )
                for name, dataset in datasets.items()
            }


class _Copies:
    """The rows that cannot be mapped, in a group beside that of the columns."""

    def __init__(self, group: h5py.Group) -> None:
        self.file, self.name = group.file, f"{group.name}_rows"

    def copy(
        self,
        group: h5py.Group,
        name: str,
        column: ArrayColumn,
        ranges: Sequence[tuple[int, int]],
    ) -> h5py.Dataset:
        """Write ranges of a column's rows into a dataset, one behind the other."""
        form = column.form
        size = sum(stop - start for start, stop in ranges)
        dtype = file_dtype(form)
        dataset = group.create_dataset(link_name(name), (size, *form.shape), dtype)
        place = 0
        for first, last in ranges:
            for low, high in row_blocks([column], first, last):
                block = column.array(low, high)
                write_rows(dataset, place, block)
                place += len(block)
        return dataset

    @property
    def group(self) -> h5py.Group:
        """The group, made when it is needed."""
        return self.file.require_group(self.name)


def _virtual(
    group: h5py.Group,
    name: str,
    column: ArrayColumn,
    runs: Sequence[Run],
    origins: _Origins,
    copies: _Copies,
) -> h5py.Dataset:
    """Make the virtual dataset of a column."""
    form = column.form
    dtype = file_dtype(form)
    if not len(column) or 0 in form.shape:
        return copies.copy(group, name, column, [(0, len(column))])
    layout = h5py.VirtualLayout((len(column), *form.shape), dtype)
    left = []
    for run in runs:
        origin = origins.find(run.path, name)
        if origin is None or not _fits(origin, form, dtype):
            left.append((run.start, run.stop))
            continue
        names = escaped(origin.file), escaped(origin.name)
        source = h5py.VirtualSource(*names, origin.shape, dtype=origin.dtype)
        _map(layout, run, source, run.place)
    if left:
        copied = copies.copy(copies.group, name, column, left)
        source = h5py.VirtualSource(".", escaped(copied.name), copied.shape, dtype=dtype)
        place = 0
        for start, stop in left:
            _map(layout, _Range(start, stop), source, place)
            place += stop - start
    return group.create_virtual_dataset(link_name(name), layout, fillvalue=_fill_value(form))


class _Range(NamedTuple):
    start: int
    stop: int


def _map(layout: h5py.VirtualLayout, run: Any, source: h5py.VirtualSource, place: int) -> None:
    """Map rows of a source; one of less extent takes the corner of each row."""
    rows = source.shape[1:]
    lower = [0] * (len(layout.shape) - 1 - len(rows))
    corner = (*lower, *(slice(0, extent) for extent in rows))
    layout[(slice(run.start, run.stop), *corner)] = source[place : place + run.stop - run.start]


def _fill_value(form: Form) -> Any:
    """Return what stands in the file where nothing is mapped."""
    if form.array_dtype.kind in "fc":
        return np.asarray(form.filler, form.array_dtype)
    if form.array_dtype.kind in "mM":
        return np.iinfo(np.int64).min
    return None


def _fits(origin: _Origin, form: Form, dtype: np.dtype[Any]) -> bool:
    """Whether HDF5 gives the same values when it converts them to a column's type."""
    time = str(form.array_dtype) if form.array_dtype.kind in "mM" else ""
    if time != origin.time or 0 in origin.shape[1:]:
        return False
    text, other = h5py.check_string_dtype(dtype), h5py.check_string_dtype(origin.dtype)
    if text or other:
        widths = text and other and (text.length is None) == (other.length is None)
        return bool(widths and text.encoding == other.encoding)
    if origin.dtype == dtype:
        return True
    kinds = origin.dtype.kind + dtype.kind
    if kinds in {"if", "uf"}:
        return origin.dtype.itemsize <= _SMALL and dtype == np.float64
    return kinds in {"ff", "ii", "uu"} and origin.dtype.itemsize <= dtype.itemsize
