from __future__ import annotations

import math
from types import MappingProxyType

from psyrun.columns import concat, from_rows


def test_rows_of_equal_keys():
    assert from_rows([{"a": 1, "b": 2}, {"b": 4, "a": 3}]) == {"a": [1, 3], "b": [2, 4]}


def test_rows_of_as_many_but_other_keys():
    columns = from_rows([{"a": 1}, {"b": 2}])
    assert list(columns) == ["a", "b"]
    assert columns["a"][0] == 1
    assert math.isnan(columns["a"][1])
    assert math.isnan(columns["b"][0])


def test_a_missing_key_becomes_nan():
    assert math.isnan(from_rows([{"a": 1, "b": 2}, {"a": 1}])["b"][1])


def test_rows_may_be_any_mapping_from_any_iterable():
    assert from_rows(MappingProxyType({"a": i}) for i in range(2)) == {"a": [0, 1]}


def test_no_rows_have_no_columns():
    assert from_rows([]) == {}
    assert from_rows([{}, {}]) == {}


def test_concat_fills_both_ways():
    joined = concat([(1, {"a": [1]}), (2, {"b": [2, 3]}), (0, {}), (1, {"a": [4]})])
    assert [str(value) for value in joined["a"]] == ["1", "nan", "nan", "4"]
    assert [str(value) for value in joined["b"]] == ["nan", "2", "3", "nan"]


def test_concat_makes_new_lists():
    block = {"a": [1]}
    concat([(1, block), (1, block)])
    assert block == {"a": [1]}


def test_concat_of_nothing():
    assert concat([]) == {}
    assert concat([(0, {"a": []})]) == {"a": []}
