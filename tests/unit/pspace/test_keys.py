"""What makes two values the same assignment (promise 6)."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from collections import Counter, OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest

from psyrun.pspace.keys import column_keys, value_key


class Pair(NamedTuple):
    x: int
    y: int


class Bare:
    def __init__(self, value):
        self.value = value


class Other(Bare):
    pass


@dataclass
class Mutable:
    value: object


@dataclass(frozen=True)
class Frozen:
    value: object


class Unclear:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return np.array([True, False])

    __hash__ = None  # type: ignore[assignment]


def function():
    """Stand for a function as a value."""


BIG = 2**53 + 1

SAME = [
    (1, 1.0, True, np.int8(1), np.uint64(1), np.float32(1), np.bool_(True), 1 + 0j, Decimal(1)),
    (0.0, -0.0, 0, np.float64(-0.0), Fraction(0)),
    (
        math.nan,
        np.float64("nan"),
        np.float32("nan"),
        complex("nan"),
        Decimal("nan"),
        Decimal("snan"),
        np.complex64(complex(1, math.nan)),
        np.longdouble("nan"),
        np.datetime64("NaT", "s"),
        np.timedelta64("NaT", "s"),
    ),
    (2**60, 2.0**60, np.float64(2.0**60), np.longdouble(2) ** 60),
    ("a", np.str_("a")),
    (b"a", np.bytes_(b"a")),
    ((1, 2), (1.0, np.int64(2)), Pair(1, 2)),
    ((1, math.nan), (1, np.float64("nan"))),
    ([1, [2]], [True, [2.0]]),
    ({"a": 1, "b": math.nan}, {"b": float("nan"), "a": 1.0}),
    ({1, 2}, frozenset({1.0, 2})),
    (
        np.array([1, 2]),
        np.array([1.0, 2.0]),
        np.array([1, 2], "u1"),
        np.array([1, 2], object),
        np.array([1, 2], ">i8"),
        np.array([0, 1, 0, 2])[1::2],
        np.array([1 + 0j, 2]),
    ),
    (
        np.array([0.0, math.nan]),
        np.array([-0.0, -math.nan], "f4"),
        np.array([0, math.nan], "O"),
        np.array([0, complex(1, math.nan)]),
    ),
    (np.array([BIG]), np.array([BIG], "u8"), np.array([BIG], object)),
    (np.array([2**60]), np.array([2.0**60]), np.array([2.0**60], "f4")),
    (np.array([1e300, math.inf]), np.array([1e300, math.inf], object)),
    (np.arange(100), np.arange(100.0)),
    (np.array(["a", "b\0c"]), np.array(["a", "b\0c"], "U9"), np.array(["a", "b\0c"], object)),
    (np.array([1j]), np.array([1j], "c8")),
    (np.zeros((0, 2)), np.zeros((0, 2), "U3")),
    (np.datetime64("2020-01"), np.datetime64("2020-01-01T00:00", "ns")),
    (np.timedelta64(1, "h"), np.timedelta64(3600, "s")),
    (np.timedelta64(1, "Y"), np.timedelta64(12, "M")),
    (np.array(["2020"], "M8[Y]"), np.array(["2020-01-01"], "M8[D]")),
    (np.array([(1, 2.0)], "i4,f8"), np.array([(1, 2.0)], "i8,f4")),
    (Bare([1, math.nan]), Bare([1, math.nan])),
    (Mutable([1]), Mutable([1.0])),
    (Mutable(math.nan), Mutable(float("nan"))),
    (Mutable(np.arange(3)), Mutable(np.arange(3))),
    (Frozen(1), Frozen(1.0)),
    (Frozen(np.arange(2)), Frozen(np.arange(2))),
    (Unclear(1), Unclear(1)),
    (function, pickle.loads(pickle.dumps(function))),
    (Counter("aab"), Counter("aba")),
    (range(3), range(0, 3, 1)),
    (None,),
]


@pytest.mark.parametrize("values", SAME, ids=lambda values: repr(values)[:40])
def test_same_values_have_equal_keys(values):
    for one, other in itertools.product(values, values):
        assert value_key(one) == value_key(other)
        assert hash(value_key(one)) == hash(value_key(other))
        assert column_keys([one]) == column_keys([other])


@pytest.mark.parametrize("values", SAME, ids=lambda values: repr(values)[:40])
def test_values_equal_their_copies_through_a_pickle(values):
    for value in values:
        assert value_key(pickle.loads(pickle.dumps(value))) == value_key(value)
        assert value_key(copy.deepcopy(value)) == value_key(value)


def test_values_of_different_groups_have_different_keys():
    keys = [value_key(group[0]) for group in SAME]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1], (1,)),
        (np.array([1]), [1]),
        (np.array([1]), np.array([[1]])),
        (np.array([BIG]), np.array([float(BIG)])),
        (np.array([BIG]), np.array([BIG - 1])),
        (np.array(["1"]), np.array([1])),
        (np.float32(0.1), 0.1),
        (np.datetime64(5, "ns"), 5),
        (np.timedelta64(5, "s"), np.datetime64(5, "s")),
        ("1", 1),
        ("a", b"a"),
        (Bare(1), Bare(2)),
        (Bare(1), Other(1)),
        (Mutable(1), Mutable(2)),
        (Unclear(1), Unclear(2)),
        (Mutable(1), Bare(1)),
        (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1)),
        (None, 0),
        (math.nan, None),
        ({"a": 1}, {"a": 1, "b": 1}),
    ],
)
def test_different_values_have_different_keys(one, other):
    assert value_key(one) != value_key(other)
    assert column_keys([one, one]) != column_keys([other, one])


def test_what_cannot_be_pickled_is_itself_only():
    one, other = (lambda: 1), (lambda: 1)
    assert value_key(one) == value_key(one)
    assert value_key(one) != value_key(other)
    assert value_key(one) != value_key(Bare(1))


def test_parts_shared_inside_an_object_do_not_count():
    one, equal = str(2**70), str(2**70)
    assert one is not equal
    assert value_key(Bare([one, one])) == value_key(Bare([one, equal]))


def test_an_object_that_holds_itself():
    loop = Bare(None)
    loop.value = loop
    assert value_key(loop) == value_key(loop)


def test_plain_columns_are_their_own_keys():
    values = [1, "a", None, 2.0]
    assert column_keys(values) is values


def test_columns_of_mixed_numbers():
    values = [np.float64(1), np.int64(2), 3, math.nan]
    assert column_keys(values)[:3] == [1, 2, 3]
    assert column_keys(values)[3] == value_key(np.float32("nan"))
    assert column_keys(list(np.array([True, False]))) == [True, False]
