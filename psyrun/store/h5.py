"""Own results as HDF5: one dataset for each column, which every reader of HDF5 understands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from psyrun.exceptions import StoreError
from psyrun.store.arraystore import ArrayStore, holding, row_blocks
from psyrun.store.base import ArrayColumn, Labelled, Reader

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import h5py
    from numpy.typing import NDArray

    from psyrun.store.forms import Form

__all__ = ["H5Store"]

_CHUNK_BYTES = 256 << 10
_DTYPE = "dtype"
_NAME = "name"
_UNITS = "units"
_KNOWN = frozenset({_DTYPE, _NAME, _UNITS})


class H5Store(ArrayStore):
    """Keep results as HDF5: a chunked, extendable dataset for each column.

    Parameters
    ----------
    node : str
        The group that holds the datasets.
    compression : str or int, optional
        How chunks are compressed: 'gzip', 'lzf' or a level of gzip from 0 to 9. None leaves
        them as they are, which is the fastest and what every program reads.

    Notes
    -----
    Texts are UTF-8: of fixed width up to 256 bytes, of variable length where one is longer.
    Dates are 64 bit integers, with their numpy type in the attribute `dtype`. The group has the
    attributes `task` and `fingerprint`, a dataset `units` where the task gives them. Files that
    psyrun 0.8 wrote are read.
    """

    ext: ClassVar[str] = ".h5"
    labels_kept: ClassVar[bool] = True

    def __init__(self, node: str = "/psyrun", compression: str | int | None = None) -> None:
        self.node = node
        self.compression = compression
        if not node.strip("/"):
            raise StoreError("node is a group of its own, such as '/psyrun', not the root")

    def check_form(self, form: Form) -> None:
        """Make sure that the format holds arrays of a form; see `ArrayStore.check_form`."""
        from psyrun.store.h5types import file_dtype

        super().check_form(form)
        file_dtype(form)

    def write(self, path: Path, columns: Mapping[str, ArrayColumn], labels: Labelled) -> None:
        """Write columns; see `ArrayStore.write`."""
        import h5py

        with h5py.File(path, "w", locking=False) as file:
            group = file.create_group(self.node, track_order=True)
            group.attrs.update(labels.attributes)
            datasets = {}
            for name, column in columns.items():
                with holding(self, name):
                    datasets[name] = self._create(group, name, column)
                    if unit := labels.units.get(name):
                        datasets[name].attrs[_UNITS] = unit
            for start, stop in row_blocks(columns.values()):
                for name, column in columns.items():
                    with holding(self, name):
                        _fill(datasets[name], column.array(start, stop), start)

    def _create(self, group: h5py.Group, name: str, column: ArrayColumn) -> h5py.Dataset:
        """Make the empty dataset of a column."""
        from psyrun.store.h5types import file_dtype, link_name

        form, size = column.form, len(column)
        dtype = file_dtype(form)
        link = link_name(name)
        dataset = group.create_dataset(
            link,
            shape=(size, *form.shape),
            dtype=dtype,
            maxshape=(None, *(extent or None for extent in form.shape)),
            chunks=_chunks(form.shape, dtype.itemsize),
            compression=self.compression,
            fletcher32=False,
        )
        if form.array_dtype.kind in "mM":
            dataset.attrs[_DTYPE] = str(form.array_dtype)
        if link != name:
            dataset.attrs[_NAME] = name
        return dataset

    def open(self, filename: str | os.PathLike[str]) -> H5Reader:
        """Open a file to read parts of it; see `Store.open`."""
        return H5Reader(Path(filename), self.node)

    def labels(self, reader: Reader) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Read attributes and units from an open file; see `ArrayStore.labels`."""
        return (reader.attributes, reader.units) if isinstance(reader, H5Reader) else ({}, {})


def _chunks(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Choose the extent of chunks: whole rows, as many as make about 256 KiB; at least one."""
    extents = [max(extent, 1) for extent in shape]
    row_bytes = item_bytes
    for extent in extents:
        row_bytes *= extent
    axis = 0
    while row_bytes > 16 * _CHUNK_BYTES and axis < len(extents):  # a row is large: cut it too
        row_bytes //= extents[axis]
        extents[axis] = max(1, min(extents[axis], 16 * _CHUNK_BYTES // row_bytes))
        row_bytes *= extents[axis]
        axis += 1
    return (max(1, _CHUNK_BYTES // row_bytes), *extents)


def _fill(dataset: h5py.Dataset, block: NDArray[Any], start: int) -> None:
    """Write rows into a dataset."""
    from psyrun.store.h5types import to_file

    if block.size:
        dataset[start : start + len(block)] = to_file(block, dataset.dtype)


class H5Reader(Reader):
    """An open HDF5 file; see `Reader`.

    Attributes
    ----------
    attributes, units : dict of str to str
        What the file says of the whole, and of columns.
    """

    def __init__(self, path: Path, node: str) -> None:
        import h5py

        self.path = path
        try:
            self._file = h5py.File(path, "r", locking=False)
        except FileNotFoundError:
            raise
        except OSError as err:
            raise StoreError(f"{path} is no whole HDF5 file ({err})") from err
        try:
            self._open_group(node)
        except BaseException:
            self._file.close()
            raise

    def _open_group(self, node: str) -> None:
        import h5py

        group = self._file.get(node)
        if not isinstance(group, h5py.Group):
            there = ", ".join(sorted(f"/{name}" for name in self._file)) or "nothing"
            raise StoreError(f"{self.path} has no group {node} (it has {there})")
        self._datasets = {
            str(item.attrs.get(_NAME, name)): item
            for name, item in group.items()
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
            name: str(dataset.attrs[_UNITS])
            for name, dataset in self._datasets.items()
            if _UNITS in dataset.attrs
        }

    def form(self, name: str) -> Form:
        """Tell what a column is like; see `Reader.form`."""
        from psyrun.store.h5types import form_in_file

        dataset = self._datasets[name]
        return form_in_file(dataset)

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read some rows of a column; see `Reader.read`."""
        from psyrun.store.h5types import from_file

        dataset = self._datasets[name]
        try:
            return from_file(dataset, start, stop)
        except OSError as err:
            raise StoreError(f"{self.path} cannot be read at {name!r} ({err})") from err

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
