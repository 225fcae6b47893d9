"""Own how arrays of results get from a worker to its caller: by files in memory.

A worker writes the arrays of a block one behind the other into a file, and the caller reads it
into one array: nothing is pickled, and nothing passes a pipe.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from psyrun.exceptions import PsyrunError
from psyrun.payloads import is_plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import FileIO

    from numpy.typing import NDArray

    from psyrun.columns import Columns

__all__ = ["Mapped", "shared_folder"]

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory, not a name in it
_LEAST_ARRAY_BYTES = 512
_LEAST_BYTES = 1 << 18
_ALIGNED_BYTES = 64
_MOST_PARTS = 512
"""Below IOV_MAX on all systems."""


def shared_folder() -> Path:
    """Return where files are made that processes of this machine hand each other."""
    if os.access(_SHARED_MEMORY, os.W_OK):
        return _SHARED_MEMORY
    return Path(tempfile.gettempdir())


class _Column(NamedTuple):
    """A column of arrays of one kind in a file; the arrays follow each other from an offset."""

    name: str
    offset: int
    rows: int
    dtype: Any
    shape: tuple[int, ...]


class Mapped(NamedTuple):
    """The results of a block on their way: large arrays in a file, other columns as they are.

    Attributes
    ----------
    results : dict of str to list
        The columns; those in the file are empty here.
    file : Path or None
        The file; None if there is none.
    columns : tuple of _Column
        What is in it.
    """

    results: Columns
    file: Path | None = None
    columns: tuple[_Column, ...] = ()

    @classmethod
    def pack(cls, results: Columns, folder: Path | None) -> Mapped:
        """Put columns of arrays of one kind into a file, if that is worth it.

        Parameters
        ----------
        results : dict of str to list
            The results of a block.
        folder : Path or None
            Where to make the file; None where the caller is out of reach.
        """
        found = [name for name, column in results.items() if _is_array_column(column)]
        if folder is None or sum(results[n][0].nbytes * len(results[n]) for n in found) < (
            _LEAST_BYTES
        ):
            return cls(results)
        path: Path | None = None
        try:
            number, name = tempfile.mkstemp(dir=folder)
            path = Path(name)
            with os.fdopen(number, "wb", buffering=0) as file:
                columns = tuple(_written(file.fileno(), name, results[name]) for name in found)
        except OSError:  # no room is no reason to fail: results are small enough for a pipe
            if path is not None:
                path.unlink(missing_ok=True)
            return cls(results)
        rest = {name: [] if name in found else column for name, column in results.items()}
        return cls(rest, path, columns)

    def unpack(self) -> Columns:
        """Return the columns, and remove the file."""
        if self.file is None:
            return self.results
        import numpy as np

        results = dict(self.results)
        with self.file.open("rb", buffering=0) as file:
            self.file.unlink()
            for name, offset, rows, dtype, shape in self.columns:
                whole: NDArray[Any] = np.empty((rows, *shape), dtype)
                file.seek(offset)
                _read_into(file, memoryview(cast("Any", whole.reshape(-1).view(np.uint8))))
                results[name] = list(whole)
        return results


def _read_into(file: FileIO, memory: memoryview) -> None:
    """Read until memory is full; the system may give some bytes at a time."""
    while memory:
        size = file.readinto(memory)
        if not size:
            raise PsyrunError(f"results are missing from {file.name!r}, which is cut short")
        memory = memory[size:]


def _is_array_column(column: Sequence[Any]) -> bool:
    """Tell whether all values are large arrays of one kind that are bytes and nothing else."""
    numpy = sys.modules.get("numpy")
    first: Any = column[0] if column else None
    if numpy is None or type(first) is not numpy.ndarray or first.ndim == 0:
        return False
    dtype, shape = first.dtype, first.shape
    return (
        first.nbytes >= _LEAST_ARRAY_BYTES
        and is_plain(dtype)
        and all(
            type(value) is numpy.ndarray
            and value.shape == shape
            and (value.dtype is dtype or (value.dtype == dtype and not value.dtype.metadata))
            and value.flags.c_contiguous
            and value.flags.writeable
            for value in column
        )
        and len(set(map(id, column))) == len(column)  # one that repeats is pickled once
    )


def _written(fd: int, name: str, column: Sequence[NDArray[Any]]) -> _Column:
    """Append a column to a file, at an offset that suits any type."""
    offset = os.lseek(fd, 0, os.SEEK_END)
    offset += -offset % _ALIGNED_BYTES
    os.lseek(fd, offset, os.SEEK_SET)
    for low in range(0, len(column), _MOST_PARTS):
        _write_all(fd, column[low : low + _MOST_PARTS])
    return _Column(name, offset, len(column), column[0].dtype, column[0].shape)


def _write_all(fd: int, arrays: Sequence[NDArray[Any]]) -> None:
    """Write arrays one behind the other; the system may take some bytes at a time."""
    size = arrays[0].nbytes * len(arrays)
    if arrays[0].dtype.kind in "MmV":  # a buffer may have no times
        arrays = [array.reshape(-1).view("u1") for array in arrays]
    written = os.writev(fd, [array.data for array in arrays])
    if written < size:
        rest = memoryview(b"".join(array.data for array in arrays))
        while written < size:
            written += os.write(fd, rest[written:])
