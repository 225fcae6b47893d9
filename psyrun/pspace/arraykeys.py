"""Own the keys of NumPy's arrays and scalars; see `keys`. Imported only when NumPy is.

The encoding of an array follows from its values alone, never from its type, so that equal
arrays of different types get equal keys: numbers as 64-bit floats as long as that is exact,
everything else item by item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.pspace import keys

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

__all__ = ["numpy_key"]

_EXACT = 2**53
"""Up to here, every whole number is a 64-bit float."""
_SMALL = 256
"""Bytes up to which a key holds the values themselves instead of their digest."""
_ARRAY, _DATE = object(), object()
_STEPS = {
    "W": 604_800 * 10**18,
    "D": 86_400 * 10**18,
    "h": 3_600 * 10**18,
    "m": 60 * 10**18,
} | {
    unit: 10 ** (18 - 3 * power)
    for power, unit in enumerate(("s", "ms", "us", "ns", "ps", "fs", "as"))
}
"""Attoseconds of each unit of time."""


def numpy_key(value: Any) -> Hashable:
    """Make the key of an array or of a NumPy scalar.

    Parameters
    ----------
    value : numpy.ndarray or numpy.generic
        An array of any shape and type, or a scalar.

    Returns
    -------
    hashable
        Equal for two arrays exactly if shapes and values are equal (NaN equals NaN).

    Examples
    --------
    >>> numpy_key(np.array([1, 2])) == numpy_key(np.array([1.0, 2.0], dtype="f4"))
    True
    >>> numpy_key(np.int64(3)) == 3
    True
    """
    if isinstance(value, np.datetime64 | np.timedelta64):
        return _time_key(value)
    if isinstance(value, np.generic):
        item = value.item()
        if not isinstance(item, np.generic):
            return keys.value_key(item)
        return keys.number_key(item)  # a long double, which Python has no type for
    if type(value) is not np.ndarray:
        return keys.pickled_key(value)
    return (_ARRAY, value.shape, _content(value))


def _content(values: NDArray[Any]) -> Hashable:
    if not values.size:
        return b""
    numbers = _numbers(values)
    if numbers is None:
        return tuple(map(keys.value_key, values.ravel()))
    data = np.where(np.isnan(numbers), np.nan, numbers + 0.0).tobytes()  # no -0.0, one NaN
    if len(data) <= _SMALL:
        return data
    from hashlib import blake2b

    return blake2b(data, digest_size=32).digest()


def _numbers(values: NDArray[Any]) -> NDArray[np.float64] | None:
    """Turn an array into 64-bit floats if that is exact, and cannot be exact by chance only."""
    if values.dtype.kind == "O":
        items = [keys.value_key(item) for item in values.ravel()]
        items = [float("nan") if item is keys.NAN_KEY else item for item in items]
        if not {type(item) for item in items} <= {bool, int, float}:
            return None
        if any(abs(item) > _EXACT for item in items if isinstance(item, int)):
            return None
        values = np.array([float(item) for item in items])  # type: ignore[arg-type]
    if values.dtype.kind == "c":
        values = np.where(np.isnan(values), np.nan, values)
        if np.any(values.imag[~np.isnan(values)] != 0):
            return None
        values = values.real
    if values.dtype.kind not in "biuf":
        return None
    with np.errstate(over="ignore"):
        numbers: NDArray[np.float64] = values.astype(np.float64)
    finite = np.isfinite(values)
    if values.dtype.itemsize > 8 and np.any(numbers[finite] != values[finite]):
        return None
    return None if np.any(np.abs(numbers[finite]) >= _EXACT) else numbers


def _time_key(value: np.datetime64 | np.timedelta64) -> Hashable:
    if np.isnat(value):
        return keys.NAN_KEY
    unit, step = np.datetime_data(value.dtype)
    if value.dtype.kind == "M" and unit in "YM":
        value, unit, step = value.astype("M8[D]"), "D", 1
    count = int(value.astype(np.int64)) * step
    if unit == "Y":
        count, unit = 12 * count, "M"
    if unit in _STEPS:
        count, unit = count * _STEPS[unit], "as"
    return (_DATE, value.dtype.kind, unit, count)
