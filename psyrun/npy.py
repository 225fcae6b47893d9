"""Own the reading and writing of NPY files without numpy, for columns of plain numbers.

Loading numpy takes longer than a small task does. The format is that of numpy's
`numpy.lib.format`, version 1.0, restricted to one dimension.
"""

import ast
import mmap
import struct
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, overload

from psyrun.exceptions import WorkdirError

_MAGIC = b"\x93NUMPY\x01\x00"
_LENGTH = struct.Struct("<H")
_ALIGNMENT = 64
_ORDER = "<" if sys.byteorder == "little" else ">"

DESCRIPTIONS = {"q": f"{_ORDER}i8", "d": f"{_ORDER}f8", "?": "|b1"}
"""numpy's name of each type that can be written, by `struct`'s."""

_CODES = {description: code for code, description in DESCRIPTIONS.items()}


def encode(code: str, values: Sequence[Any]) -> list[bytes | memoryview]:
    """Encode numbers as the pieces of an NPY file.

    Parameters
    ----------
    code : str
        `struct`'s name of the type: 'q' int64, 'd' float64, '?' bool.
    values : sequence
        Numbers that fit the type exactly.
    """
    raw = bytes(values) if code == "?" else memoryview(array(code, values)).cast("B")
    fields = {"descr": DESCRIPTIONS[code], "fortran_order": False, "shape": (len(values),)}
    text = repr(fields).encode()
    missing = -(len(_MAGIC) + _LENGTH.size + len(text) + 1) % _ALIGNMENT
    text += b" " * missing + b"\n"
    return [_MAGIC + _LENGTH.pack(len(text)) + text, raw]


class NumberColumn(Sequence[Any]):
    """Plain Python numbers that stay in a file until they are asked for.

    Parameters
    ----------
    path : Path
        An NPY file of one dimension, of a type in `DESCRIPTIONS`.

    Raises
    ------
    WorkdirError
        If it is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._values = _view(path)

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._values[index].tolist()
        return self._values[index]

    def __reduce__(self) -> tuple[type["NumberColumn"], tuple[Path]]:
        return NumberColumn, (self.path,)


def _view(path: Path) -> "memoryview[Any]":
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as err:
        raise WorkdirError(f"{path} is damaged ({err}); run the task again") from err
    return decode(data, path)


def decode(data: memoryview, path: Path) -> "memoryview[Any]":
    """Decode the bytes of an NPY file; the numbers are not copied.

    Parameters
    ----------
    data : memoryview of bytes
        All of the file.
    path : Path
        Where they are from, for the message.

    Raises
    ------
    WorkdirError
        If they are no such file.
    """
    try:
        (length,) = _LENGTH.unpack_from(data, len(_MAGIC))
        start = len(_MAGIC) + _LENGTH.size + length
        fields = ast.literal_eval(bytes(data[start - length : start]).decode())
        view: memoryview[Any] = data[start:].cast(cast("Any", _CODES[fields["descr"]]))
        shape = fields["shape"]
    except (ValueError, KeyError, TypeError, SyntaxError, struct.error) as err:
        raise WorkdirError(f"{path} is damaged ({err}); run the task again") from err
    if bytes(data[: len(_MAGIC)]) != _MAGIC or shape != (len(view),):
        raise WorkdirError(f"{path} is damaged (its size is wrong); run the task again")
    return view
