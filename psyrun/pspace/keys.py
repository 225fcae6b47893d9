"""Own what makes two values the same: a hashable key for each value; know no spaces.

Keys of values are equal exactly if the values are the same: equal by ``==``, or both NaN, or
arrays of equal shape and values, or objects without a ``==`` of their own whose class and
pickled bytes agree. Keys live in memory only.

Numbers of NumPy count by their exact value, so ``np.float32(0.1)`` is not ``0.1``. Dates of
NumPy equal each other in any unit, but not those of `datetime`.
"""

from __future__ import annotations

import io
import operator
import pickle
import sys
from numbers import Number
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["column_keys", "value_key"]

_PLAIN = {int, str, bool, bytes, NoneType}
NAN_KEY = object()
"""The key of NaN, of any type."""
_TUPLE, _LIST, _DICT, _SET, _PICKLED = (object() for _ in range(5))


def column_keys(values: list[Any]) -> list[Hashable]:
    """Make a key for each value of a column.

    Parameters
    ----------
    values : list
        Values.

    Returns
    -------
    list of hashable
        Their keys; the very list if every value is its own key.

    Examples
    --------
    >>> column_keys([1, 1.0, float("nan")]) == column_keys([1.0, True, float("nan")])
    True
    """
    types = set(map(type, values))
    if types <= _PLAIN:
        return values
    if types <= _PLAIN | {float}:
        if True in map(operator.ne, values, values):
            return [value if value == value else NAN_KEY for value in values]  # noqa: PLR0124
        return values
    if len(types) == 1 and _is_number_of_numpy(kind := types.pop()):
        array = sys.modules["numpy"].fromiter(values, dtype=kind, count=len(values))
        return column_keys(array.tolist())
    keys: dict[int, Hashable] = {}  # products repeat the same objects
    return [
        keys[id(value)] if id(value) in keys else keys.setdefault(id(value), value_key(value))
        for value in values
    ]


def _is_number_of_numpy(kind: type) -> bool:
    """Whether a type is one of NumPy's that turns into `bool`, `int` or `float` exactly."""
    numpy = sys.modules.get("numpy")
    if numpy is None or kind.__module__ != "numpy" or kind is numpy.timedelta64:
        return False
    exact = (numpy.bool_, numpy.integer, numpy.float64, numpy.float32, numpy.float16)
    return issubclass(kind, exact)


def value_key(value: Any) -> Hashable:
    """Make the key of one value.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    hashable
        Equal for two values exactly if they are the same.

    Examples
    --------
    >>> value_key([1, {"a": 2}]) == value_key([1.0, {"a": 2}])
    True
    >>> value_key([1, 2]) == value_key((1, 2))
    False
    """
    kind = type(value)
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]
    if kind is float:
        return value if value == value else NAN_KEY  # noqa: PLR0124
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
        from psyrun.pspace.arraykeys import numpy_key

        return numpy_key(value)
    equals: Any = kind.__eq__
    if equals is object.__eq__:
        return pickled_key(value)
    make_key = _CONTAINERS.get(equals, _own_key)
    return make_key(value)


def pickled_key(value: Any) -> Hashable:
    """Make a key of an object's class and its pickled bytes, or its identity without these."""
    kind = type(value)
    for fast in (True, False):  # without the memo, shared and equal parts pickle alike
        try:
            data = _pickled(pickle.Pickler, value, fast=fast)
            if any(opcode in data for opcode in _MAKE_SETS):
                data = _pickled(_SortingPickler, value, fast=fast)
        except Exception:  # noqa: BLE001, S112 - users' classes may raise anything here
            continue
        return (_PICKLED, kind.__module__, kind.__qualname__, data)
    return _Same(value)


_MAKE_SETS = (pickle.EMPTY_SET, pickle.FROZENSET)


def _pickled(pickler_class: Any, value: Any, *, fast: bool) -> bytes:
    buffer = io.BytesIO()
    pickler = pickler_class(buffer, protocol=4)
    pickler.fast = fast
    pickler.dump(value)
    return buffer.getvalue()


class _SortingPickler(pickle._Pickler):  # noqa: SLF001 - the one in C saves sets by itself
    """Writes sets in an order that is the same in every process; only to be compared."""

    dispatch: ClassVar[dict[Any, Any]] = {**pickle._Pickler.dispatch}  # noqa: SLF001

    def save_sorted(self, value: Any) -> None:
        """Save a set, or a frozen one, by the sorted pickles of what is in it."""
        items = sorted(_pickled(_SortingPickler, item, fast=bool(self.fast)) for item in value)
        self.save_reduce(type(value), (items,), obj=value)  # type: ignore[attr-defined]

    dispatch[set] = dispatch[frozenset] = save_sorted


def number_key(value: Any) -> Hashable:
    """Make the key of a number of any class: itself, unless it is some kind of NaN."""
    try:
        hash(value)
        number = value == value  # noqa: PLR0124
    except (ArithmeticError, TypeError, ValueError):  # a signalling NaN of decimal
        number = False
    return value if number else NAN_KEY


def _own_key(value: Any) -> Hashable:
    """Make the key of an object whose class has a ``==`` of its own."""
    if isinstance(value, Number):
        return number_key(value)
    try:
        hash(value)
        itself = value == value  # noqa: PLR0124
    except Exception:  # noqa: BLE001 - users' classes may raise anything here
        return _Equal(value)
    return value if itself is True else pickled_key(value)


class _Same:
    """A key that equals the key of the very same object only, and keeps it alive."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


class _Equal:
    """A key for what cannot be hashed: compares by ``==``, then by pickled bytes."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return hash(type(self.value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Equal) or type(self.value) is not type(other.value):
            return False
        try:
            if (self.value == other.value) is True:
                return True
        except Exception:  # noqa: BLE001, S110 - users' classes may raise anything here
            pass
        return pickled_key(self.value) == pickled_key(other.value)


_CONTAINERS: dict[Any, Callable[[Any], Hashable]] = {
    tuple.__eq__: lambda value: (_TUPLE, *map(value_key, value)),
    list.__eq__: lambda value: (_LIST, *map(value_key, value)),
    set.__eq__: lambda value: (_SET, frozenset(map(value_key, value))),
    frozenset.__eq__: lambda value: (_SET, frozenset(map(value_key, value))),
    dict.__eq__: lambda value: (
        _DICT,
        frozenset((value_key(name), value_key(item)) for name, item in value.items()),
    ),
}
"""How containers whose class keeps the builtin's ``==`` get their keys."""
