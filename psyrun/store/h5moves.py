"""Own the plan of which rows move from HDF5 files into another as the bytes they are.

A row moves where its bytes are whole in both files and mean the same: datasets of one type of
HDF5 and one shape of rows, neither compressed nor of variable length. Where in a file the rows
stand, chunk by chunk, HDF5 tells. All others are left to be written as values.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, Any, TypeGuard

import h5py

from psyrun.store.h5types import DTYPE
from psyrun.store.moving import Move, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psyrun.store.base import ArrayColumn, MappedColumn, Run

__all__ = ["Plan", "may_move", "placed", "stretch_of"]

_WORTH_MOVING = 8 << 10
"""Bytes of a run of rows, in the mean, below which reading values in blocks is faster."""


def placed() -> h5py.h5p.PropDCID:
    """Return what lets a new dataset have its place in the file before it has values."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    return properties


def _is_mapped(column: ArrayColumn) -> TypeGuard[MappedColumn]:
    """Whether a column tells which files its rows are in."""
    return hasattr(column, "runs")


def may_move(column: ArrayColumn) -> bool:
    """Whether rows of a column may stand in files, in runs long enough to move them."""
    form = column.form
    if not _is_mapped(column) or form.array_dtype.kind == "O" or not len(column):
        return False
    row_bytes = form.array_dtype.itemsize * prod(form.shape)
    return column.run_count * _WORTH_MOVING <= len(column) * row_bytes


def stretch_of(dataset: h5py.Dataset) -> Stretch | None:
    """Find where rows stand; None if they do not as whole, plain bytes."""
    properties, kind = dataset.id.get_create_plist(), dataset.id.get_type()
    row_bytes = kind.get_size() * prod(dataset.shape[1:])
    if not dataset.size or dataset.file.userblock_size or properties.get_nfilters():
        return None
    if any(map(kind.detect_class, (h5py.h5t.VLEN, h5py.h5t.REFERENCE))):
        return None
    if kind.get_class() == h5py.h5t.STRING and kind.is_variable_str():
        return None
    rows, places = len(dataset), None
    if dataset.chunks is not None and dataset.chunks[1:] == dataset.shape[1:]:
        rows, places = dataset.chunks[0], _chunk_places(dataset)
    elif properties.get_layout() == h5py.h5d.CONTIGUOUS and not properties.get_external_count():
        place = dataset.id.get_offset()
        places = None if place is None else [place]
    if places is None:
        return None
    same = kind.encode(), str(dataset.attrs.get(DTYPE, "")), dataset.shape[1:]
    return Stretch(same, len(dataset), rows, row_bytes, places)


def _chunk_places(dataset: h5py.Dataset) -> list[int] | None:
    """Ask HDF5 where each chunk is in the file; None if one is nowhere, or HDF5 is too old."""
    if not hasattr(dataset.id, "chunk_iter"):
        return None
    rows = dataset.chunks[0]
    places = [-1] * -(-len(dataset) // rows)

    def take(chunk: Any) -> None:
        places[chunk.chunk_offset[0] // rows] = chunk.byte_offset

    dataset.id.chunk_iter(take)
    return None if -1 in places else places


class Plan:
    """Which rows of a new file move from others as bytes, and which are left.

    Attributes
    ----------
    moves : list of Move
        What to move once the file is written and closed.
    """

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self._left: dict[str, list[tuple[int, int]]] = {}

    def add(self, name: str, column: ArrayColumn, dataset: h5py.Dataset) -> None:
        """Take a column into account, whose dataset has its place.

        Parameters
        ----------
        name : str
            The column.
        column : ArrayColumn
            The same; its rows may be in files if it tells its runs (`MappedColumn`).
        dataset : h5py.Dataset
            Where it goes.
        """
        self._left[name] = left = []
        early = dataset.id.get_create_plist().get_alloc_time() == h5py.h5d.ALLOC_TIME_EARLY
        target = stretch_of(dataset) if early else None
        if target is None or not _is_mapped(column):
            left.append((0, len(column)))
            return
        for run in column.runs():
            source = column.stretch(run.path)
            if source is None or source.kind != target.kind:
                left.append((run.start, run.stop))
            else:
                self.moves += _moves(run, source, target)

    def left(self, name: str, start: int = 0, stop: int | None = None) -> list[tuple[int, int]]:
        """Tell which of some rows of a column have to be written as values."""
        left = self._left[name]
        first = max(bisect_right(left, (start, start)) - 1, 0)
        found = []
        for low, high in islice(left, first, None):
            if stop is not None and low >= stop:
                break
            if high > start:
                found.append((max(low, start), high if stop is None else min(high, stop)))
        return found


def _moves(run: Run, source: Stretch, target: Stretch) -> Iterator[Move]:
    """Cut a run of rows into moves: as few as the files' chunks allow."""
    row, place = run.start, run.place
    last: Move | None = None
    while row < run.stop:
        (put, room), (take, there) = target.at(row), source.at(place)
        rows = min(room, there, run.stop - row)
        size = rows * target.row_bytes
        if last and (last.target + last.size, last.source + last.size) == (put, take):
            last = last._replace(size=last.size + size)
        else:
            if last:
                yield last
            last = Move(put, size, run.path, take)  # type: ignore[arg-type]
        row, place = row + rows, place + rows
    if last:
        yield last
