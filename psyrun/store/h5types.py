"""Own how the element types of columns are kept in HDF5, and read again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import h5py
import numpy as np

from psyrun.store.arrays import narrowed
from psyrun.store.forms import LONG, Form, UnholdableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from psyrun.store.base import Labelled

__all__ = [
    "DTYPE",
    "NAME",
    "NODE",
    "UNITS",
    "describe",
    "file_dtype",
    "form_in_file",
    "from_file",
    "link_name",
    "new_file",
    "true_name",
    "write_rows",
]

_BYTES = h5py.vlen_dtype(np.dtype(np.uint8))
_UTF8 = "utf-8"

DTYPE, NAME, UNITS = "dtype", "name", "units"
"""Attributes of a dataset."""

NODE = "psyrun_node"
"""The attribute of a file that names the group of its columns."""


def link_name(name: str) -> str:
    """Write a column's name so that it can name a dataset: what HDF5 takes amiss as %XX.

    Examples
    --------
    >>> link_name("root.a"), link_name("x/y"), link_name(".")
    ('root.a', 'x%2Fy', '%2E')
    """
    if name in {"", ".", ".."}:
        return name.replace(".", "%2E") or "%"
    return name.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")


def true_name(link: str, noted: Any) -> str:
    """Tell the name of the column in a dataset.

    Parameters
    ----------
    link : str
        What the dataset is called.
    noted : str or None
        Its attribute `name`, which it has where that differs; but no attribute holds a NUL.
    """
    if noted is None:
        return unquote(link) if "%00" in link else link
    return str(noted)


@contextmanager
def new_file(path: Path, node: str, labels: Labelled) -> Iterator[h5py.Group]:
    """Make a file, and the group of its columns."""
    with h5py.File(path, "w", locking=False) as file:
        group = file.create_group(node, track_order=True)
        file.attrs[NODE] = group.name
        group.attrs.update(labels.attributes)
        yield group


def describe(dataset: h5py.Dataset, name: str, form: Form, labels: Labelled) -> None:
    """Note what a dataset does not tell by itself: its name, its numpy type, its unit."""
    if form.array_dtype.kind in "mM":
        dataset.attrs[DTYPE] = str(form.array_dtype)
    if link_name(name) != name and "\0" not in name:
        dataset.attrs[NAME] = name
    if unit := labels.units.get(name):
        dataset.attrs[UNITS] = unit


def file_dtype(form: Form) -> Any:
    """Choose the element type in a file for a form.

    Raises
    ------
    UnholdableError
        If HDF5 has none.
    """
    kind = form.dtype.kind
    if kind == "U":
        return (
            h5py.string_dtype(_UTF8, form.size or 1)
            if form.size <= LONG
            else h5py.string_dtype()
        )
    if kind == "S" and (form.odd or form.size > LONG):
        return _BYTES
    if kind in "mM":
        return np.dtype(np.int64)
    dtype = form.array_dtype
    try:
        h5py.h5t.py_create(dtype, logical=True)
    except (TypeError, ValueError) as err:
        raise UnholdableError(f"an array of {dtype}") from err
    return dtype


def _is_bytes(dtype: np.dtype[Any]) -> bool:
    """Whether a dataset holds bytes of any length."""
    return bool(h5py.check_vlen_dtype(dtype) == np.uint8)


def _to_file(block: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert an array for a dataset."""
    text = h5py.check_string_dtype(dtype)
    if block.dtype.kind in "mM":
        return block.view(np.int64)
    if text is not None and text.encoding == _UTF8 and text.length is not None:
        return narrowed(
            np.char.encode(block.astype(np.str_), _UTF8), np.dtype(dtype.str)
        ).astype(dtype)
    if _is_bytes(dtype):
        rows = np.empty(block.shape, dtype=_BYTES)
        for place, value in np.ndenumerate(block):
            rows[place] = np.frombuffer(value, np.uint8)
        return rows
    if text is None or text.length is not None:
        return block
    if any("\0" in str(value) for value in block.flat):
        raise UnholdableError("a text with a NUL beside one that is longer than 256 bytes")
    return block.astype(object)


def write_rows(dataset: h5py.Dataset, start: int, block: NDArray[Any]) -> None:
    """Write an array into a dataset, from a row on."""
    if not block.size:
        return
    rows = _to_file(block, dataset.dtype)
    if not _is_bytes(dataset.dtype):
        for low, high in _write_chunks(dataset, start, rows):
            dataset[start + low : start + high] = rows[low:high]
        return
    # what h5py makes of a single byte is not what is meant, so it is told in HDF5's words
    there, here = dataset.id.get_space(), h5py.h5s.create_simple(rows.shape)
    there.select_hyperslab((start, *[0] * (rows.ndim - 1)), rows.shape)
    dataset.id.write(here, there, rows, h5py.h5t.py_create(dataset.dtype))


def _write_chunks(
    dataset: h5py.Dataset, start: int, rows: NDArray[Any]
) -> Iterator[tuple[int, int]]:
    """Write the rows that fill chunks as the bytes they are, past the cache of HDF5.

    Yields
    ------
    low, high : int
        Rows of the array that are left to be written otherwise.
    """
    chunks, size = dataset.chunks, len(rows)
    is_plain = rows.dtype.kind in "iufc" and rows.dtype == dataset.dtype
    if not is_plain or chunks is None or chunks[1:] != rows.shape[1:] or _is_filtered(dataset):
        yield 0, size
        return
    first = min(-start % chunks[0], size)
    last = first + (size - first) // chunks[0] * chunks[0]
    for low in range(first, last, chunks[0]):
        place = (start + low, *[0] * (rows.ndim - 1))
        part = np.ascontiguousarray(rows[low : low + chunks[0]])
        dataset.id.write_direct_chunk(place, part)
    yield from ((low, high) for low, high in ((0, first), (last, size)) if low < high)


def _is_filtered(dataset: h5py.Dataset) -> bool:
    return bool(dataset.id.get_create_plist().get_nfilters())


def form_in_file(dataset: h5py.Dataset) -> Form:
    """Tell the form of a dataset's rows by its type; see `Form.unbounded`."""
    dtype, shape = dataset.dtype, dataset.shape[1:]
    text = h5py.check_string_dtype(dtype)
    if _is_bytes(dtype):
        return Form(np.dtype("S1"), shape, size=LONG + 1, odd=True, unbounded=True)
    if text is not None and text.length is None:
        return Form(np.dtype(("U", LONG + 1)), shape, size=LONG + 1, unbounded=True)
    if text is not None and text.encoding == _UTF8:
        return Form(np.dtype(("U", text.length)), shape, size=text.length)
    if dtype.kind == "S":
        plain = np.dtype(dtype.str)  # without metadata of h5py, of which numpy warns
        return Form(plain, shape, size=dtype.itemsize)
    return Form(_numpy_dtype(dataset), shape)


def _numpy_dtype(dataset: h5py.Dataset) -> Any:
    """Tell the type of numbers and dates."""
    if DTYPE in dataset.attrs:
        return np.dtype(str(dataset.attrs[DTYPE]))
    if isinstance(dataset.id.get_type(), h5py.h5t.TypeBitfieldID):  # a boolean of PyTables
        return np.dtype(bool)
    dtype = dataset.dtype
    return np.dtype(dtype.str) if dtype.kind == "S" else dtype.newbyteorder("=")


def from_file(dataset: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
    """Read some rows of a dataset."""
    text = h5py.check_string_dtype(dataset.dtype)
    if text is not None and text.encoding == _UTF8 and text.length is not None:
        return np.char.decode(dataset[start:stop].astype(np.bytes_), _UTF8)
    if text is not None and text.length is None:
        decoded: NDArray[Any] = dataset.asstr()[start:stop]
        return decoded
    array: NDArray[Any] = dataset[start:stop]
    if _is_bytes(dataset.dtype):
        rows = np.empty(array.shape, dtype=object)
        for place, value in np.ndenumerate(array):
            rows[place] = value.tobytes()
        return rows
    dtype = _numpy_dtype(dataset)
    return array.view(dtype) if dtype.kind in "mMS" else array.astype(dtype, copy=False)
