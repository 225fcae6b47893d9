"""Own how values become arrays of a form, and arrays values again.

Gaps are filled: with NaN among numbers (integers and booleans become floats there), '' among
texts, NaT among times, None among objects.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.store.forms import (
    OBJECT,
    TIMES,
    Form,
    UnholdableError,
    form_of_row,
    is_wide,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

__all__ = ["narrowed", "to_array", "values_of"]


def to_array(values: Sequence[Any] | NDArray[Any], form: Form) -> NDArray[Any]:
    """Make an array of the values of some rows.

    Parameters
    ----------
    values : sequence or array
        A value for each row.
    form : Form
        A form that holds these and perhaps more: where a row is smaller, it is filled.

    Returns
    -------
    array of shape (rows, ...)
        Of the form's element type and row shape.

    Raises
    ------
    UnholdableError
        If a number or time would not be the same in it.
    """
    dtype = form.array_dtype
    is_array = isinstance(values, np.ndarray) and values.dtype != OBJECT
    if form.dtype == OBJECT:
        return _objects(values_of(values) if is_array else list(values), form)  # type: ignore[arg-type]
    if is_array:
        return _of_array(values, form, dtype)  # type: ignore[arg-type]
    if dtype.kind in "iu":  # numpy by itself takes large and small ones together for floats
        return np.array(list(values), dtype).reshape(len(values), *form.shape)
    if not form.fills and dtype != OBJECT and dtype.kind not in "mM":
        return _cast(np.array(list(values)).reshape(len(values), *form.shape), dtype)
    return _filled(list(values), form, dtype)


def _of_array(values: NDArray[Any], form: Form, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert an array, of which all may be gaps, to the element type and shape of a form."""
    kind = values.dtype.kind
    target = form.dtype.kind if dtype == OBJECT else dtype.kind
    if _is_gaps(values, form, target):
        return np.full((len(values), *form.shape), form.filler, dtype=dtype)
    if _RANKS.get(kind, kind) not in _held_by(target):
        raise UnholdableError(f"values of {values.dtype} among those of {form.dtype}")
    if values.shape[1:] == form.shape:
        return _cast(values, dtype)
    return _padded(values, form, dtype)


def _padded(values: NDArray[Any], form: Form, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Set an array into a larger one of fillers."""
    array = np.full((len(values), *form.shape), form.filler, dtype=dtype)
    array[(slice(None), *_corner(values.shape[1:], form.shape))] = _cast(values, dtype)
    return array


def _is_gaps(values: NDArray[Any], form: Form, target: str) -> bool:
    """Whether an array holds nothing but the gaps of rows that lack a value of this form.

    Where others of its rows had values of another kind, its gaps are fillers of that kind.
    """
    kind = values.dtype.kind
    single = kind == "f" and values.ndim == 1
    if not (single and form.shape) and _RANKS.get(kind, kind) in _held_by(target):
        return False
    if kind in "fc":
        return bool(np.isnan(values).all())
    if kind in "mM":
        return bool(np.isnat(values).all())
    return kind in "US" and not values.astype(bool).any()


_RANKS = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}
"""Of numbers: each kind is held by those of a higher rank."""


def _held_by(kind: str) -> Collection[int | str]:
    """Name the ranks, or the kind, of values that a kind of array holds."""
    return range(_RANKS[kind] + 1) if kind in _RANKS else (kind,)


def _filled(values: Sequence[Any], form: Form, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Set one row after the other into an array of fillers."""
    array = np.full((len(values), *form.shape), form.filler, dtype=dtype)
    inner = replace(form, shape=form.shape[1:])
    for place, value in enumerate(values):
        if isinstance(value, float) and value != value:  # noqa: PLR0124 - a NaN is a gap
            continue
        if isinstance(value, (list, tuple)) or _is_objects(value):
            if len(value):
                depth = len(form.shape) - len(form_of_row(value).shape)
                lower = replace(inner, shape=form.shape[depth + 1 :])
                row = to_array(list(value), lower)
                array[(place, *_corner(row.shape, form.shape))] = row
            continue
        row = np.asarray(value, TIMES.get(type(value), object if dtype == OBJECT else None))
        array[(place, *_corner(row.shape, form.shape))] = _cast(row, dtype)[()]
    return array


def _is_objects(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == OBJECT and bool(value.shape)


def _corner(small: Sequence[int], large: Sequence[int]) -> tuple[int | slice, ...]:
    """Index the part of a large row that a small one takes: its last axes, from their start."""
    return (*[0] * (len(large) - len(small)), *(slice(size) for size in small))


def _objects(values: Sequence[Any], form: Form) -> NDArray[Any]:
    """Set objects, or arrays of objects, into an array."""
    array = np.full((len(values), *form.shape), None, dtype=object)
    for place, value in enumerate(values):
        if form.shape:
            array[(place, *_corner(value.shape, form.shape))] = value
        else:
            array[place] = value
    return array


def _cast(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert an array to another type that holds the same values."""
    if array.dtype == dtype:
        return array
    kinds = array.dtype.kind + dtype.kind
    if kinds in {"UU", "SS"}:
        return narrowed(array, dtype)
    found = array.astype(dtype)
    if kinds in {"if", "uf", "ic", "uc"} and array.dtype.itemsize > 4:
        if array.size and is_wide(array):
            raise UnholdableError("integers beyond 2**53 together with other numbers or gaps")
    elif kinds in {"MM", "mm", "ff", "cc"} and not np.array_equal(
        found.astype(array.dtype), array, equal_nan=True
    ):
        what = "times too far apart for" if kinds in {"MM", "mm"} else "numbers too exact for"
        raise UnholdableError(f"{what} {dtype}")
    return found


def narrowed(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give texts or bytes, which may be objects, a fixed width.

    Raises
    ------
    UnholdableError
        If one is longer.
    """
    if array.dtype.kind in "OUS" and dtype.kind in "US" and array.dtype != dtype:
        array = array.astype(dtype.kind)
        if array.dtype.itemsize > dtype.itemsize:
            raise UnholdableError(f"texts or bytes longer than {dtype}")
    return array.astype(dtype, order="C", copy=False)


def values_of(array: NDArray[Any]) -> list[Any]:
    """Return the values of an array's rows: plain ones where Python has the same type.

    Examples
    --------
    >>> values_of(np.array([1, 2])), values_of(np.array([[0.5], [1.5]]))
    ([1, 2], [array([0.5]), array([1.5])])
    """
    plain = array.dtype in (np.int64, np.float64, np.complex128, bool, OBJECT)
    if array.ndim == 1 and (plain or array.dtype.kind in "US"):
        return array.tolist()  # type: ignore[no-any-return]
    return list(array)
