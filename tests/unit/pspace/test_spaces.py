"""Sums, products, selections: what the laws do not say, above all about laziness."""

from __future__ import annotations

import math
import pickle
import tracemalloc
from array import array

import numpy as np
import pytest

from psyrun.exceptions import ParameterSpaceError
from psyrun.pspace import AmbiguousOperationError, Difference, Param, Selection, Sum, missing
from psyrun.pspace.selection import rows_of

HUGE = Param(a=range(10**6)) * Param(b=range(10**6))


def test_difference_compares_rows_and_not_columns():
    """A regression of 0.8, which removed both rows."""
    space = Param(a=[1, 2], b=[1, 2])
    assert (space - Param(a=[1, 2], b=[2, 1])) == space


def test_missing_compares_rows_and_not_columns():
    """A regression of 0.8, where nothing counted as missing."""
    grid = Param(a=[1, 2]) * Param(b=[1, 2])
    done = Param(a=[1, 2], b=[1, 2], result=[1, 4])
    assert missing(grid, done).build() == {"a": [1, 2], "b": [2, 1]}


def test_nan_that_a_sum_fills_in_equals_itself_after_loading():
    """A regression of 0.8, where such rows were missing for ever."""
    space = Param(a=[1, 2]) + Param(b=[3])
    loaded = Param(**pickle.loads(pickle.dumps(space.build())))
    assert loaded == space
    assert missing(space, loaded).size == 0
    assert (space - loaded).size == 0


def test_the_right_factor_varies_fastest():
    assert (Param(a=[1, 2]) * Param(b=[3, 4])).build() == {"a": [1, 1, 2, 2], "b": [3, 4, 3, 4]}


def test_a_name_in_both_factors_is_named():
    with pytest.raises(AmbiguousOperationError, match=r"have 'b', 'a':"):
        Param(a=1, b=1) * Param(b=2, a=2, c=1)


def test_a_name_that_the_minuend_lacks_is_named_at_once():
    with pytest.raises(AmbiguousOperationError, match=r"b has 'c', which a lacks"):
        Param(a=1) - Param(a=1, c=2)


def test_missing_names_what_the_subtrahend_lacks():
    with pytest.raises(AmbiguousOperationError, match=r"b lacks 'b', so"):
        missing(Param(a=1, b=2), Param(a=1))


def test_all_is_missing_in_an_empty_space():
    assert missing(Param(a=1, b=2), Param()) == Param(a=1, b=2)
    assert missing(Param(a=1, b=2), Param(a=[], b=[])) == Param(a=1, b=2)


def test_nothing_is_missing_of_an_empty_space():
    assert missing(Param(), Param(a=1)).size == 0


def test_a_subtrahend_without_rows_takes_nothing_away():
    assert Param(a=[1, 2]) - Param() == Param(a=[1, 2])
    assert Param(a=[1, 2]) - Param(a=[]) == Param(a=[1, 2])


@pytest.mark.parametrize("operation", ["__mul__", "__add__", "__sub__", "__eq__"])
def test_foreign_operands_are_left_to_others(operation):
    assert getattr(Param(a=1), operation)({"a": 1}) is NotImplemented


def test_spaces_cannot_be_hashed():
    with pytest.raises(TypeError, match="unhashable"):
        hash(Param(a=1))


def test_huge_products_cost_nothing():
    tracemalloc.start()
    space = Param(a=range(10**6)) * Param(b=range(10**6))
    assert len(space) == 10**12
    assert space[-1] == {"a": 999_999, "b": 999_999}
    assert space.columns(10**11, 10**11 + 2) == {"a": [100_000] * 2, "b": [0, 1]}
    assert space.columns(10**6 - 1, 10**6 + 1) == {"a": [0, 1], "b": [999_999, 0]}
    assert space[::-1][:2].build() == {"a": [999_999] * 2, "b": [999_999, 999_998]}
    assert next(iter(space)) == {"a": 0, "b": 0}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000


def test_huge_factors_of_any_size():
    space = Param(a=range(10**30)) * Param(b=[1, 2]) * Param(c=range(10**30))
    assert space.size == 2 * 10**60
    assert space[10**30] == {"a": 0, "b": 2, "c": 0}
    assert space[10**59 :].columns(0, 1) == {"a": [5 * 10**28], "b": [1], "c": [0]}


def test_huge_spaces_are_compared_by_structure():
    assert Param(a=range(10**6)) * Param(b=range(10**6), c=1.0) == (
        Param(a=range(10**6)) * Param(c=1, b=range(10**6))
    )
    assert HUGE + HUGE[5:] == HUGE + HUGE[5:]
    assert Param(b=range(10**6)) * Param(a=range(10**6)) != HUGE
    assert HUGE[1:] != HUGE[:-1]


def test_views_of_views_stay_one_step_deep():
    view = HUGE[:]
    for _ in range(5_000):
        view = view[1:-1]
    assert isinstance(view, Selection)
    assert view.space is HUGE
    assert view[0] == HUGE[5_000]


def test_ten_thousand_sums_neither_recurse_nor_nest():
    space = Param() + Param()
    for i in range(10_000):
        space = space + Param(a=i)
    assert len(space.parts) == 10_002
    assert space.build() == {"a": list(range(10_000))}
    assert pickle.loads(pickle.dumps(space))[1234] == {"a": 1234}
    assert space[::-1].columns(0, 2) == {"a": [9_999, 9_998]}


def test_a_sum_of_nothing():
    assert Sum().size == 0
    assert Sum() == Param()


def test_names_missing_on_one_side_are_nan():
    columns = (Param(a=1) + Param(b=2)).build()
    assert columns["a"][0] == 1
    assert math.isnan(columns["a"][1])
    assert math.isnan(columns["b"][0])


def test_where_asks_once_for_each_row_and_not_before_rows_are_needed():
    asked = []

    def odd(a):
        asked.append(a)
        return a % 2

    space = Param(a=range(4), b=0).where(odd)
    assert space.keys() == ["a", "b"]
    assert asked == []
    assert space.size == 2
    assert space.build() == {"a": [1, 3], "b": [0, 0]}
    assert asked == [0, 1, 2, 3]


def test_where_gives_a_function_the_names_it_takes():
    space = Param(a=range(4), b=range(4))
    assert space.where(lambda b: b > 2).build() == {"a": [3], "b": [3]}
    assert space.where(lambda b, limit=1: b <= limit).size == 2
    assert space.where(lambda **row: row == {"a": 0, "b": 0}).size == 1


def test_where_names_an_argument_that_the_space_lacks():
    with pytest.raises(ParameterSpaceError, match="needs 'c'"):
        Param(a=1).where(lambda a, c: a > c)


def test_a_predicate_is_never_pickled():
    space = Param(a=range(4)).where(lambda a: a > 1)
    assert pickle.loads(pickle.dumps(space * Param(b=1))).build() == {"a": [2, 3], "b": [1, 1]}


def test_a_difference_keeps_its_operands_through_a_pickle():
    space = pickle.loads(pickle.dumps(Param(a=range(4)) - Param(a=[1])))
    assert isinstance(space, Difference)
    assert space.minuend == Param(a=range(4))
    assert space.subtrahend == Param(a=1)
    assert space.indices == array("q", [0, 2, 3])


@pytest.mark.parametrize(
    "indices",
    [array("q", [2, 0]), memoryview(array("q", [2, 0])), np.array([2, 0]), range(2, -1, -2)],
)
def test_indices_of_any_kind(indices):
    view = Selection(Param(a=[1, 2, 3]) * Param(b=[0]), indices)
    for space in (view, pickle.loads(pickle.dumps(view))):
        assert space.build() == {"a": [3, 1], "b": [0, 0]}
        assert space[1:].build() == {"a": [1], "b": [0]}


def test_memory_of_a_difference_is_bounded():
    space = Param(a=range(600)) * Param(b=range(1000))
    tracemalloc.start()
    kept = space - Param(a=range(1, 600))
    assert kept.size == 1000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_len_and_index_errors_speak():
    with pytest.raises(IndexError, match="row 2 of a parameter space of 2 rows"):
        Param(a=[1, 2])[2]
    with pytest.raises(TypeError):
        Param(a=[1, 2])["a"]  # type: ignore[call-overload]


def test_where_needs_a_function_of_some_names():
    with pytest.raises(ParameterSpaceError, match=r"takes none of \['a'\]"):
        Param(a=1).where(lambda: True)


@pytest.mark.parametrize("ranges", [(), ((2, 5),), ((0, 1), (3, 3), (5, 8))])
def test_rows_of_ranges_are_selected_in_order(ranges):
    space = Param(a=range(10))
    expected = [row for start, stop in ranges for row in range(start, stop)]
    assert rows_of(ranges, space).build() == {"a": expected}
