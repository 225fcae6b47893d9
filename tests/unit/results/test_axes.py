"""The axes of spaces, by example; the laws are in `tests/property/test_results_laws.py`."""

import math
from typing import Any

import numpy as np
import pytest

from psyrun.pspace import Param, ParameterSpace, Product, Selection
from psyrun.results.axes import layout_of

GRID = Param(a=[1, 2]) * Param(b=[10, 20])


def axes_of(space: ParameterSpace) -> list[dict[str, list[Any]]]:
    return [axis.labels for axis in layout_of(space).axes]


def places_of(space: ParameterSpace) -> list[list[int]]:
    return [place.tolist() for place in layout_of(space).places]


def test_factors_are_axes():
    assert axes_of(GRID) == [{"a": [1, 2]}, {"b": [10, 20]}]
    assert places_of(GRID) == [[0, 0, 1, 1], [0, 1, 0, 1]]


def test_a_zipped_param_is_one_axis():
    space = Param(a=[1, 2], b=[3, 4]) * Param(c=[5])
    assert axes_of(space) == [{"a": [1, 2], "b": [3, 4]}, {"c": [5]}]


def test_a_sum_joins_labels_that_are_the_same():
    space = GRID + Param(a=[2, 3]) * Param(b=[20.0, 30])
    assert axes_of(space) == [{"a": [1, 2, 3]}, {"b": [10, 20, 30]}]
    assert places_of(space)[0][4:] == [1, 1, 2, 2]
    assert places_of(space)[1][4:] == [1, 2, 1, 2]


def test_labels_that_occur_again_are_joined_in_their_order():
    space = Param(a=[1, 1, 2]) + Param(a=[1, 2, 1, 1])
    assert axes_of(space) == [{"a": [1, 1, 2, 1]}]
    assert places_of(space) == [[0, 1, 2, 0, 2, 1, 3]]


def test_a_side_that_lacks_a_name_has_nan():
    (a, b) = axes_of(Param(a=[1, 2]) + Param(b=["x"]))
    assert a["a"][:2] == [1, 2]
    assert math.isnan(a["a"][2])
    assert math.isnan(b["b"][0])
    assert b["b"][1] == "x"


def test_nan_of_a_side_and_nan_that_is_given_are_one_label():
    assert len(axes_of(Param(a=[1, math.nan]) + Param(b=[1]))[0]["a"]) == 2


def test_axes_with_a_member_in_common_become_one():
    space = GRID + Param(a=[1, 3], b=[10, 30])
    assert axes_of(space) == [{"a": [1, 1, 2, 2, 3], "b": [10, 20, 10, 20, 30]}]
    assert places_of(space) == [[0, 1, 2, 3, 0, 4]]


def test_a_point_that_is_added_to_a_grid_leaves_it_a_grid():
    assert axes_of(GRID + Param(a=3, b=20)) == [{"a": [1, 2, 3]}, {"b": [10, 20]}]


def test_points_that_are_added_are_zipped():
    assert axes_of(Param(a=1, b=2) + Param(a=3, b=4)) == [{"a": [1, 3], "b": [2, 4]}]


def test_labels_that_no_row_uses_are_left_out():
    assert axes_of(GRID - Param(a=1)) == [{"a": [2]}, {"b": [10, 20]}]
    assert axes_of(GRID.where(lambda a, b: a * 10 == b)) == [{"a": [1, 2]}, {"b": [10, 20]}]
    assert axes_of(GRID[:1]) == [{"a": [1]}, {"b": [10]}]


def test_a_name_that_only_parts_without_rows_have():
    (a, b) = axes_of((Param(a=[1]) + Param(b=[2]))[:1])
    assert a == {"a": [1]}
    assert math.isnan(b["b"][0])


@pytest.mark.parametrize(
    "space", [Param(), Param(a=[]), Param(a=[]) * Param(b=[1]), Param(a=[]) + Param(b=[])]
)
def test_spaces_without_rows(space):
    layout = layout_of(space)
    assert sorted(name for axis in layout.axes for name in axis.names) == space.keys()
    assert all(len(places) == 0 for places in layout.places)


def test_a_part_of_a_huge_space_costs_no_more_than_the_part():
    huge = Param(a=range(10**15)) * Param(b=range(10**15))
    space = huge[:: 10**29]
    assert axes_of(space)[0]["a"][:2] == [0, 10**14]
    assert axes_of(Selection(Product(Param(c=[7]), Param(a=range(10**12))), [5, 10**11])) == [
        {"c": [7]},
        {"a": [5, 10**11]},
    ]


def test_positions_are_integers_of_64_bits():
    for place in layout_of(GRID + GRID).places:
        assert place.dtype == np.int64
