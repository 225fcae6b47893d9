"""Own the reading of virtual datasets: each source by itself, and never a filler for a row.

HDF5 gives fillers where it cannot open a source: one that is gone or damaged, or one too many
to be open at once, as it closes none. It also looks for sources in the working directory.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

from psyrun.exceptions import StoreError
from psyrun.store.h5types import form_in_file, from_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["MappedRows", "Sources", "escaped"]

_OPEN_FILES = 16


def escaped(name: str) -> str:
    """Write the name of a source so that HDF5 takes no part of it for a format specifier."""
    return name.replace("%", "%%")


class Sources:
    """The files of virtual datasets, of which a few stay open.

    Parameters
    ----------
    path : Path
        The virtual file; sources are looked for from its folder.
    file : h5py.File
        The same, open.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path, self.file = path, file
        self._open: OrderedDict[str, h5py.File] = OrderedDict()

    def dataset(self, file: str, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
        """Return a dataset of a source, which has such rows, and at least so many.

        Raises
        ------
        StoreError
            If it is not there as it was.
        """
        try:
            found = self._opened(file)[name]
            there = found.shape if isinstance(found, h5py.Dataset) else ()
            if there[1:] == shape[1:] and there[:1] >= shape[:1]:
                return found
        except FileNotFoundError:
            raise self._error(f"{file}, where some of its rows are, is not there") from None
        except (OSError, KeyError) as err:
            raise self._error(
                f"{file}, where some of its rows are, is damaged ({err})"
            ) from err
        raise self._error(f"{file}, where some of its rows were, is another file now")

    def _error(self, what: str) -> StoreError:
        return StoreError(
            f"{self.path} is virtual: it holds no rows itself, and {what}; bring it back, or "
            "run the task again"
        )

    def _opened(self, file: str) -> h5py.File:
        if file == ".":
            return self.file
        if file not in self._open:
            places = [
                folder / file for folder in (self.path.parent, self.path.resolve().parent)
            ]
            place = next((place for place in places if place.exists()), places[0])
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            self._open[file] = h5py.File(place, "r", locking=False)
        self._open.move_to_end(file)
        return self._open[file]

    def close(self) -> None:
        """Close all."""
        while self._open:
            self._open.popitem()[1].close()


class _Piece(NamedTuple):
    """Rows of a virtual dataset that follow each other in a source."""

    file: str
    name: str
    shape: tuple[int, ...]
    place: int


class MappedRows:
    """The rows of one virtual dataset.

    Parameters
    ----------
    dataset : h5py.Dataset
        The virtual dataset.
    sources : Sources
        Its file's sources.
    """

    def __init__(self, dataset: h5py.Dataset, sources: Sources) -> None:
        self.dataset, self.sources = dataset, sources
        found = []
        for source in dataset.virtual_sources():
            start = source.vspace.get_select_bounds()[0][0]
            place = source.src_space.get_select_bounds()[0][0]
            file, name = (n.replace("%%", "%") for n in (source.file_name, source.dset_name))
            found.append((int(start), _Piece(file, name, source.src_space.shape, int(place))))
        found.sort()
        self._starts = np.array([start for start, _ in found], np.int64)
        self._pieces = [piece for _, piece in found]
        self._form = form_in_file(dataset)

    def check(self) -> None:
        """Raise a `StoreError` if a source is not there as it was."""
        for piece in {piece.file: piece for piece in self._pieces}.values():
            self.sources.dataset(piece.file, piece.name, piece.shape)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Read some rows."""
        shape = (max(stop - start, 0), *self.dataset.shape[1:])
        rows: NDArray[Any]
        if self._form.unbounded:
            rows = np.full(shape, self._form.filler, object)
        elif self._form.dtype.kind in "biuV":  # which have no gaps
            rows = np.zeros(shape, self._form.dtype)
        else:
            rows = np.full(shape, self._form.filler, self._form.dtype)
        number = max(int(np.searchsorted(self._starts, start, "right")) - 1, 0)
        while start < stop and number < len(self._pieces):
            first, piece = int(self._starts[number]), self._pieces[number]
            if first >= stop:
                break
            number += 1
            last = (
                int(self._starts[number]) if number < len(self._starts) else len(self.dataset)
            )
            low, high = max(first, start), min(last, stop)
            source = self.sources.dataset(piece.file, piece.name, piece.shape)
            place = piece.place + low - first
            lower: list[int] = [0] * (rows.ndim - source.ndim)
            corner = (*lower, *(slice(0, extent) for extent in source.shape[1:]))
            where: Any = (slice(low - start, high - start), *corner)
            rows[where] = from_file(source, place, place + high - low)
        return rows
