from __future__ import annotations

import math
import warnings
from types import MappingProxyType

import pytest

from psyrun import Param
from psyrun.exceptions import IneffectiveExcludeWarning, ParameterSpaceError
from psyrun.mapper import get_result, map_pspace


def test_parameters_and_results_become_columns():
    columns = map_pspace(lambda a, b: {"c": a * b}, Param(a=[1, 2]) * Param(b=[3, 4]))
    assert columns == {"a": [1, 1, 2, 2], "b": [3, 4, 3, 4], "c": [3, 4, 6, 8]}
    assert list(columns) == ["a", "b", "c"]


@pytest.mark.parametrize("value", [1, None, "text", [1, 2], (3,)])
def test_a_plain_value_is_called_result(value):
    assert map_pspace(lambda a: value, Param(a=[1])) == {"a": [1], "result": [value]}


def test_any_mapping_is_a_result():
    columns = map_pspace(lambda a: MappingProxyType({"b": a}), Param(a=[1, 2]))
    assert columns == {"a": [1, 2], "b": [1, 2]}


def test_a_result_replaces_a_parameter_of_the_same_name():
    assert map_pspace(lambda a: {"a": -a}, Param(a=[1, 2])) == {"a": [-1, -2]}


def test_a_row_without_the_result_keeps_its_parameter():
    columns = map_pspace(lambda a: {"a": -a} if a > 1 else {}, Param(a=[1, 2]))
    assert columns == {"a": [1, -2]}


def test_results_that_only_some_rows_have_are_filled_with_nan():
    columns = map_pspace(lambda a: {"x": 1} if a else {"y": 2}, Param(a=[0, 1]))
    assert [str(value) for value in columns["x"]] == ["nan", "1"]
    assert [str(value) for value in columns["y"]] == ["2", "nan"]


def test_results_that_appear_in_a_later_block_are_filled_with_nan():
    columns = map_pspace(lambda a: {"x": 1} if a == 39_999 else {}, Param(a=range(40_000)))
    assert math.isnan(columns["x"][0])
    assert columns["x"][-1] == 1
    assert len(columns["x"]) == 40_000


def test_a_dict_that_the_function_uses_again_is_copied():
    shared = {}

    def fn(a):
        shared["b"] = a
        return shared

    assert map_pspace(fn, Param(a=[1, 2])) == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize("fn", [lambda **row: row["b"], lambda b, a: b, lambda a, b, c=3: b])
def test_any_signature_that_takes_the_names(fn):
    assert map_pspace(fn, Param(a=[1, 2], b=[3, 4]))["result"] == [3, 4]


@pytest.mark.parametrize("name", ["self", "row", "fn", "pspace", "root.a", "日本"])
def test_parameters_of_any_name(name):
    assert map_pspace(lambda **row: row[name], Param(**{name: [1, 2]}))["result"] == [1, 2]


def test_an_empty_space_has_empty_columns():
    assert map_pspace(lambda a, b: 1, Param(a=[], b=[]), exclude=["b"]) == {"a": []}
    assert map_pspace(lambda a: 1, Param()) == {}


def test_arguments_that_do_not_fit_are_named_before_the_first_row():
    called = []

    def execute(a, b):
        called.append(a)

    with pytest.raises(ParameterSpaceError, match=r"execute\(\) needs 'b'.*not take 'c'"):
        map_pspace(execute, Param(a=1, c=2))
    assert not called


def test_names_to_exclude_are_left_out():
    space = Param(a=[1, 2], b=3)
    columns = map_pspace(lambda a, b: {"c": a, "d": b}, space, exclude=["b", "c"])
    assert columns == {"a": [1, 2], "d": [3, 3]}
    assert map_pspace(lambda a, b: {"cd": a}, space, exclude="cd") == space.build()


def test_excluding_what_is_not_there_warns_once_and_names_it():
    with pytest.warns(IneffectiveExcludeWarning, match="cannot leave out 'x', 'y'") as caught:
        map_pspace(lambda a: {"c": a}, Param(a=[1, 2]), exclude=["x", "c", "y"])
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_name_that_one_row_has_is_excluded_without_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns = map_pspace(lambda a: {"x": a} if a else {}, Param(a=[0, 1]), exclude=["x"])
    assert columns == {"a": [0, 1]}


def test_a_failing_row_raises_with_its_assignment():
    with pytest.raises(ZeroDivisionError) as caught:
        map_pspace(lambda a, b: 1 // a, Param(a=[1, 0], b="x" * 1000))
    (note,) = caught.value.__notes__
    assert note.startswith("at the assignment a=0, b='xxx")
    assert len(note) < 200


@pytest.mark.parametrize("fn", [lambda a: next(iter(())), lambda **row: next(iter(()))])
def test_stop_iteration_does_not_end_the_map_quietly(fn):
    with pytest.raises(RuntimeError, match="raised StopIteration") as caught:
        map_pspace(fn, Param(a=[7, 8]))
    assert caught.value.__notes__ == ["at the assignment a=7"]


def test_get_result_updates_the_row():
    row = {"a": 1, "b": 2}
    assert get_result(lambda a, b: {"b": 3, "c": 4}, row) == {"a": 1, "b": 3, "c": 4}
    assert row == {"a": 1, "b": 2}


def test_get_result_leaves_names_out():
    assert get_result(lambda a: a, {"a": 1}, exclude=["a"]) == {"result": 1}
    with pytest.warns(IneffectiveExcludeWarning, match="'x'") as caught:
        get_result(lambda a: a, {"a": 1}, exclude=["x"])
    assert caught[0].filename == __file__
