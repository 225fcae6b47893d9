"""Own how a row's result becomes the payload of its frame: a pickle of a dict.

Pickling an array takes ten times as long as copying its bytes, as the pickler looks up numpy's
functions anew for each. Results of a task are mostly alike, so what was pickled once is a
template: only the bytes of arrays and numbers are put into it. What comes out has the values
and types that pickle would have kept; an array that has two names is written twice.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from psyrun.failures import check_comes_back

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["MAKES_OBJECTS", "PROTOCOL", "Pickler", "has_objects", "is_plain", "kept"]

PROTOCOL = 5
MAKES_OBJECTS = pickle.STACK_GLOBAL[0]
"""In pickles without it are numbers, texts and the like, which always come back.

It may be part of a number or text, too. A number is looked for much faster than a byte string.
"""

_NO_OBJECTS = frozenset({bool, bytes, float, int, str, type(None)})

_MOST_TEMPLATES = 20
"""After so many kinds of results, the next ones are not expected to be like others."""

_KINDS = "biufcSUVMm"
"""The kinds of types of which a value is its bytes: not objects, nor texts of any length."""

_BytesOf: TypeAlias = "Callable[[Any], bytes | memoryview | None]"
_DOUBLE = struct.Struct(">d")


def is_plain(dtype: Any) -> bool:
    """Tell whether values of a type of numpy are their bytes, and nothing else."""
    return dtype.kind in _KINDS and not dtype.hasobject and not dtype.metadata


def has_objects(result: Mapping[str, Any]) -> bool:
    """Tell whether values are other than numbers and texts."""
    return not _NO_OBJECTS.issuperset(map(type, result.values()))


def kept(result: Mapping[str, Any], payload: bytes) -> dict[str, Any]:
    """Return a result that stays as it was pickled, whatever becomes of its values."""
    copy = dict(result)
    if not has_objects(copy):
        return copy
    numpy = sys.modules.get("numpy")
    for name, value in copy.items():
        if type(value) in _NO_OBJECTS:
            continue
        is_array = numpy is not None and type(value) is numpy.ndarray
        if not is_array or value.dtype.hasobject or not value.flags.writeable:
            found: dict[str, Any] = pickle.loads(payload)
            return found
        copy[name] = value.copy("K")
    return copy


class Pickler:
    """Pickles results, of which many are alike but for their numbers."""

    def __init__(self) -> None:
        self._template: _Template | None = None
        self._tried = 0

    def dumps(self, result: Mapping[str, Any], protocol: int = PROTOCOL) -> bytes:
        """Pickle a result, and make sure that it comes back.

        Raises
        ------
        Exception
            What pickle raises, or what keeps the result from being unpickled.
        """
        if self._template is not None and (filled := self._template.fill(result)) is not None:
            return filled
        payload = pickle.dumps(result, protocol)
        if self._tried < _MOST_TEMPLATES:
            self._tried += 1
            self._template = _template_of(result, protocol)
        if MAKES_OBJECTS in payload and has_objects(result):
            check_comes_back(payload)
        return payload


@dataclass(frozen=True)
class _Template:
    """A pickle with holes for values of fixed sizes.

    Attributes
    ----------
    names : tuple of str
        The keys.
    bytes_of : tuple of callable
        For each value, what returns its bytes; None if it is not of the kind that fits.
    between : tuple of bytes
        What stands before, between and behind the values.
    """

    names: tuple[str, ...]
    bytes_of: tuple[_BytesOf, ...]
    between: tuple[bytes, ...]

    def fill(self, result: Mapping[str, Any]) -> bytes | None:
        """Put a result in; None if it does not fit."""
        if tuple(result) != self.names:
            return None
        parts: list[bytes | memoryview] = [self.between[0]]
        for value, bytes_of, behind in zip(
            result.values(), self.bytes_of, self.between[1:], strict=True
        ):
            data = bytes_of(value)
            if data is None:
                return None
            parts += (data, behind)
        return b"".join(parts)


def _template_of(result: Mapping[str, Any], protocol: int) -> _Template | None:
    """Make a template of a result; None if a value may be of any size."""
    holes = [_hole(value) for value in result.values()]
    if any(hole is None for hole in holes):
        return None
    found = [hole for hole in holes if hole is not None]
    sample = {name: probe for name, (probe, _) in zip(result, found, strict=True)}
    between = _cut(pickle.dumps(sample, protocol), [b(probe) for probe, b in found])
    if between is None:
        return None
    return _Template(tuple(result), tuple(b for _, b in found), between)


def _cut(
    payload: bytes, values: Sequence[bytes | memoryview | None]
) -> tuple[bytes, ...] | None:
    """Cut a pickle where values stand in it, each of which must be there once."""
    between, position = [], 0
    for data in values:
        if data is None or payload.count(data) != 1:
            return None
        start = payload.index(data)
        if start < position:
            return None
        between.append(payload[position:start])
        position = start + memoryview(data).nbytes
    return (*between, payload[position:])


def _hole(value: Any) -> tuple[Any, _BytesOf] | None:
    """Make a value of the same kind that is like no other; and say what tells its bytes."""
    if type(value) is float:
        return _DOUBLE.unpack(b"\x3f" + os.urandom(7))[0], _bytes_of_float
    if type(value) is int:
        return int.from_bytes(os.urandom(7) + b"\x5a", "little"), _bytes_of_int
    return _numpy_hole(value)


def _numpy_hole(value: Any) -> tuple[Any, _BytesOf] | None:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray | numpy.generic):
        return None
    dtype = value.dtype
    if not is_plain(dtype) or not value.nbytes:
        return None
    whole = numpy.frombuffer(bytearray(os.urandom(value.nbytes)), dtype).reshape(value.shape)
    if type(value) is numpy.ndarray:
        return whole, _array_bytes(numpy.ndarray, dtype, value.shape)
    if type(value) is dtype.type and dtype.kind in "iufc":
        return whole[()], _scalar_bytes(dtype.type)
    return None


def _bytes_of_float(value: Any) -> bytes | None:
    return _DOUBLE.pack(value) if type(value) is float else None


def _bytes_of_int(value: Any) -> bytes | None:
    """Return what stands in a pickle for an integer of eight bytes, which also holds others."""
    if type(value) is not int or not -(2**63) <= value < 2**63:
        return None
    return b"\x8a\x08" + value.to_bytes(8, "little", signed=True)


def _array_bytes(ndarray: Any, dtype: Any, shape: tuple[int, ...]) -> _BytesOf:
    is_buffer = dtype.kind not in "MmV"  # those may hold times, which no buffer may

    def bytes_of(value: Any) -> bytes | memoryview | None:
        if type(value) is not ndarray or value.shape != shape:
            return None
        if value.dtype is not dtype and (value.dtype != dtype or value.dtype.metadata):
            return None
        flags = value.flags
        if not (flags.c_contiguous and flags.writeable):
            return None
        found: bytes | memoryview = value.data if is_buffer else value.tobytes()
        return found

    return bytes_of


def _scalar_bytes(kind: Any) -> _BytesOf:
    def bytes_of(value: Any) -> bytes | None:
        return value.tobytes() if type(value) is kind else None

    return bytes_of
