"""Own results as NPZ: one NPY file for each column, together in a zip file."""

from __future__ import annotations

import weakref
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from psyrun.exceptions import StoreError
from psyrun.store.arraycolumns import row_blocks
from psyrun.store.arraystore import ArrayStore, holding
from psyrun.store.base import ArrayColumn, Labelled, Reader

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from psyrun.store.forms import Form

__all__ = ["NpzStore"]

_SUFFIX = ".npy"
_WRITE_BYTES = 256 << 10
"""At once: the system takes twice as long for the same bytes in large pieces."""
_HEAD_BYTES = 30
"""Of a member of a zip file; its name and its extra field come behind these."""


class NpzStore(ArrayStore):
    """Keep results as NPZ, numpy's format, which `numpy.load` reads.

    Parameters
    ----------
    allow_pickle : bool
        Whether values that no array holds are kept as pickled objects. Such a file can do
        anything when it is loaded, so `numpy.load` asks for the same consent.

    Notes
    -----
    A file is written column by column, each of them block by block. It has no place for
    attributes and units.
    """

    ext: ClassVar[str] = ".npz"
    allow_pickle: bool = False

    def __init__(self, *, allow_pickle: bool = False) -> None:
        self.allow_pickle = allow_pickle

    @property
    def objects(self) -> bool:  # type: ignore[override]
        """Whether objects are kept where nothing else holds the values."""
        return self.allow_pickle

    def check_form(self, form: Form) -> None:
        """Make sure that the format holds arrays of a form; see `ArrayStore.check_form`."""
        from psyrun.store.forms import UnholdableError

        super().check_form(form)
        if form.odd:
            raise UnholdableError("bytes that end in NUL")

    def write(self, path: Path, columns: Mapping[str, ArrayColumn], labels: Labelled) -> None:
        """Write columns; see `ArrayStore.write`."""
        del labels
        with zipfile.ZipFile(path, "w") as file:
            for name, column in columns.items():
                if "\0" in name:
                    raise StoreError(
                        f"NpzStore cannot hold the name {name!r}, which has a NUL; "
                        "PickleStore can"
                    )
                with holding(self, name):
                    _write_member(file, name, column)

    def open(self, filename: str | os.PathLike[str], *, caching: bool = True) -> NpzReader:
        """Open a file to read parts of it; see `Store.open`."""
        del caching
        return NpzReader(Path(filename), allow_pickle=self.allow_pickle)


def _write_member(file: zipfile.ZipFile, name: str, column: ArrayColumn) -> None:
    """Write a column as an NPY file."""
    import numpy as np

    from psyrun.store.arrays import narrowed

    form, size = column.form, len(column)
    info = zipfile.ZipInfo(name + _SUFFIX)
    if form.dtype.kind == "O":
        with file.open(info, "w", force_zip64=True) as member:
            np.lib.format.write_array(member, column.array(0, size), allow_pickle=True)
        return
    # a form says more than its array where texts are kept as objects: here they have a width
    dtype = form.dtype if form.dtype.kind in "US" else form.array_dtype
    shape = (size, *form.shape)
    info.file_size = 256 + int(np.prod(shape, dtype=object)) * dtype.itemsize
    with file.open(info, "w") as member:
        head = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": shape,
        }
        try:
            np.lib.format.write_array_header_1_0(member, head)
        except ValueError:  # longer than 64 KiB: a structure of many fields
            np.lib.format.write_array_header_2_0(member, head)
        for start, stop in row_blocks([column]):
            block = narrowed(column.array(start, stop), dtype)
            data = block.reshape(-1).view(np.uint8).data
            for place in range(0, len(data), _WRITE_BYTES):
                member.write(data[place : place + _WRITE_BYTES])


class NpzReader(Reader):
    """An open NPZ file; see `Reader`."""

    def __init__(self, path: Path, *, allow_pickle: bool) -> None:
        self.path, self.allow_pickle = path, allow_pickle
        self._raw = path.open("rb")  # for itself: the file may be replaced meanwhile
        self._closing = weakref.finalize(self, self._raw.close)
        self._whole: tuple[str, NDArray[Any]] | None = None
        try:
            self._file = zipfile.ZipFile(self._raw)
            members = [i for i in self._file.infolist() if i.filename.endswith(_SUFFIX)]
            self._members = {info.filename.removesuffix(_SUFFIX): info for info in members}
            self._heads = {name: self._head(info) for name, info in self._members.items()}
        except Exception as err:  # a damaged zip file may raise anything
            self.close()
            if isinstance(err, OSError):
                raise
            cause = f"{type(err).__name__}: {err}"
            raise StoreError(f"{path} is no whole NPZ file ({cause})") from err
        self.names = list(self._members)
        sizes = {shape[0] if shape else -1 for shape, *_ in self._heads.values()}
        if len(sizes) > 1 or -1 in sizes or (self._file.infolist() and not members):
            self.close()
            raise StoreError(f"{path} is an NPZ file, but not of columns: no result of Psyrun")
        self.size = sizes.pop() if sizes else 0

    def _head(self, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
        """Read what the head of an NPY file says, and how long it is."""
        import numpy as np

        with self._file.open(info) as member:
            # version 3 is 2 with names of UTF-8
            version = np.lib.format.read_magic(member)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            return (*read(member, max_header_size=info.file_size), member.tell())

    def form(self, name: str) -> Form:
        """Tell what a column is like; see `Reader.form`."""
        from psyrun.store.forms import Form

        shape, _, dtype, _ = self._heads[name]
        # of texts it tells the characters, not the bytes of UTF-8
        return Form(dtype, shape[1:], size=_longest(dtype), unbounded=dtype.kind == "U")

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Read some rows of a column; see `Reader.read`."""
        info = self._members[name]
        shape, fortran_order, dtype, head = self._heads[name]
        whole = dtype.hasobject or fortran_order
        if not whole and info.compress_type == zipfile.ZIP_STORED:
            return self._read_stored(info, (shape, dtype, head), start, stop)
        if self._whole is None or self._whole[0] != name:
            self._whole = name, self._read_whole(info, dtype)
        return self._whole[1][start:stop]

    def _read_whole(self, info: zipfile.ZipInfo, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Read a column that can't be read in parts."""
        import numpy as np

        with self._file.open(info) as member:
            try:
                return np.lib.format.read_array(
                    member, allow_pickle=self.allow_pickle, max_header_size=info.file_size
                )
            except ValueError as err:
                if not dtype.hasobject or self.allow_pickle:
                    raise
                name = info.filename.removesuffix(_SUFFIX)
                raise StoreError(
                    f"{self.path} holds {name!r} as pickled objects, which can do anything "
                    "when they are loaded; if you trust it, load it with "
                    "NpzStore(allow_pickle=True)"
                ) from err

    def _read_stored(
        self,
        info: zipfile.ZipInfo,
        head: tuple[tuple[int, ...], np.dtype[Any], int],
        start: int,
        stop: int,
    ) -> NDArray[Any]:
        """Read rows from where they stand in the file."""
        import numpy as np

        shape, dtype, head_bytes = head
        row_shape = shape[1:]
        row_bytes = int(np.prod(row_shape, dtype=object)) * dtype.itemsize
        array = np.empty((stop - start, *row_shape), dtype)
        file = self._raw
        file.seek(info.header_offset)
        local = file.read(_HEAD_BYTES)
        extra = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        file.seek(info.header_offset + _HEAD_BYTES + extra + head_bytes + start * row_bytes)
        wanted = (stop - start) * row_bytes
        if head_bytes + stop * row_bytes > info.file_size:
            raise StoreError(f"{self.path} is damaged at {info.filename!r}")
        if wanted and file.readinto(array.reshape(-1).view(np.uint8).data) != wanted:
            raise StoreError(f"{self.path} ends within {info.filename!r}")
        return array

    def close(self) -> None:
        """Let go of the file."""
        self._whole = None
        self._closing()


def _longest(dtype: np.dtype[Any]) -> int:
    """Count the characters or bytes that a text or bytes of a type have at most."""
    return {"U": dtype.itemsize // 4, "S": dtype.itemsize}.get(dtype.kind, 0)
