from __future__ import annotations

import math

import numpy as np
import pytest

from psyrun.pspace import Param, match
from psyrun.pspace.matching import row_keys


def test_a_reordered_and_grown_space():
    old = Param(a=[1, 2]) * Param(b=[math.nan, "x"])
    new = Param(b=["x", "y", float("nan")]) * Param(a=[2.0, 1.0, 3.0])
    assert list(match(old, new)) == [7, 1, 6, 0]


def test_occurrences_are_paired_in_order():
    assert list(match(Param(a=[1, 2, 1, 1]), Param(a=[1, 3, 1]))) == [0, -1, 2, -1]
    assert list(match(Param(a=[1]), Param(a=[1, 1]))) == [0]


@pytest.mark.parametrize("other", [Param(a=1), Param(a=1, c=2), Param(a=1, b=2, c=3), Param()])
def test_other_names_match_nothing(other):
    assert list(match(Param(a=[1, 1], b=2), other)) == [-1, -1]


def test_equal_spaces_match_in_place():
    space = Param(a=[1, 1]) * Param(b=np.zeros((2, 2)))
    assert list(match(space, space)) == [0, 1, 2, 3]
    assert match(space, space).typecode == "q"


def test_blocks_do_not_show():
    old = Param(a=range(40_000), b=1)
    assert list(match(old, old[::-1])) == list(range(39_999, -1, -1))


def test_keys_of_rows_follow_the_names():
    columns = {"a": [1, 2], "b": [3, 4]}
    assert row_keys(columns) == [(1, 3), (2, 4)]
    assert row_keys(columns, ["b", "a"]) == [(3, 1), (4, 2)]
    assert row_keys(columns, ["b"]) == [3, 4]
