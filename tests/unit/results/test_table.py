"""The text that results are shown as."""

import datetime as dt
import math

import numpy as np
import pytest

from psyrun.exceptions import ResultsError
from psyrun.results import Results
from psyrun.results.base import About
from psyrun.results.columns import HeldColumn
from psyrun.results.summary import MOST_DISTINCT, summarize
from psyrun.results.table import (
    TextColumn,
    row_columns,
    sorted_rows,
    summary_lines,
    table_lines,
)
from psyrun.results.texts import cell_text


def results(**columns):
    return Results(columns, About("t"))


def table(width=80, keep=(), parameters=(), **columns):
    found = results(**columns)
    shown = row_columns(found, np.arange(found.size), list(found))
    return table_lines(shown, width, keep, parameters)


def test_numbers_stand_at_the_right_and_texts_at_the_left():
    assert table(n=[1, 100], x=[0.5, -10.25], t=["a", "bb"])[0] == [
        "row    n       x  t",
        "  0    1    0.50  a",
        "  1  100  -10.25  bb",
    ]


def test_wide_texts_are_cut():
    lines, left_out = table(width=30, t=["a" * 100], n=[12345])
    assert max(map(len, lines)) <= 30
    assert "aaa..." in lines[1]
    assert not left_out


def test_columns_that_do_not_fit_are_left_out_from_the_middle():
    many = {f"column{i}": [i] for i in range(20)}
    lines, left_out = table(width=40, **many)
    assert lines[0] == "row  column0  ...  column18  column19"
    assert len(left_out) == 17
    lines, _ = table(width=40, keep=["row", "column9"], **many)
    assert "column9" in lines[0]
    assert max(map(len, lines)) <= 40


def test_parameters_are_left_out_after_results():
    columns = {"rate": [0.5], "depth": [2], "loss": [0.1], "a_long_name_of_a_result": [1.5]}
    lines, left_out = table(30, {"row"}, ["rate", "depth"], **columns)
    assert lines[0] == "row  rate  depth  loss  ..."
    assert left_out == ["a_long_name_of_a_result"]


def test_where_not_all_parameters_fit_a_result_is_shown_too():
    many = {f"parameter{i}": [i] for i in range(8)}
    lines, _ = table(40, {"row"}, list(many), **many, loss=[0.25], time=[1.5])
    assert lines[0] == "row  parameter0  parameter1  ...  time"


def test_a_wide_result_does_not_take_the_place_of_the_first_parameter():
    columns = {"a_long_parameter": [1], "another_parameter": [2], "a_result_as_long_as": ["x"]}
    assert table(30, {"row"}, list(columns)[:2], **columns)[0] == [
        "row  a_long_parameter  ...",
        "  0                 1  ...",
    ]


def test_wide_characters_count_twice():
    assert table(t=["日本", "abcde"], n=[1, 2])[0][1:] == ["  0  日本   1", "  1  abcde  2"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[2J\n", "a\\x1b[2J\\n"),
        (np.float64(1 / 3), "0.333333"),
        (1e-12, "1e-12"),
        (None, "None"),
        (np.zeros((2, 3)), "float64 (2, 3)"),
        ({"k": 1}, "{'k': 1}"),
        (np.datetime64("2020-01-02"), "2020-01-02"),
        (np.True_, "True"),
        (np.float32(0.1), "0.1"),
    ],
)
def test_cells(value, text):
    assert cell_text(value) == text


def test_rows_are_sorted_with_those_without_a_value_last():
    found = results(y=[2.0, math.nan, 1.0, 2.0])
    assert sorted_rows(found, "y").tolist() == [2, 0, 3, 1]
    assert sorted_rows(found, "y", reverse=True).tolist() == [0, 3, 2, 1]
    assert sorted_rows(results(t=["b", "a"]), "t").tolist() == [1, 0]


@pytest.mark.parametrize("values", [[[1, 2], [3, 4]], [1j, 2j], [{}, {}]])
def test_some_columns_have_no_order(values):
    with pytest.raises(ResultsError, match="cannot be sorted by 'y'"):
        sorted_rows(results(y=values), "y")


def summary(values):
    return summarize("y", HeldColumn(values))


def test_numbers_in_short():
    found = summary([1.0, math.nan, 4.0])
    assert (found.type, found.count, found.missing) == ("float64", 2, 1)
    assert (found.low, found.mean, found.high) == (1.0, 2.5, 4.0)


def test_arrays_in_short_are_told_by_their_elements():
    found = summary([[1, 2], [3]])
    assert (found.type, found.count, found.missing, found.high) == ("float64 (2,)", 3, 1, 3)


def test_texts_in_short():
    found = summary(["x", "y", "x"])
    assert (found.type, found.count, found.distinct, found.low) == ("text", 3, 2, None)
    assert summary(["x", math.nan]).missing == 1
    many = summary([str(i) for i in range(2 * MOST_DISTINCT)])
    assert "10,000+ distinct" in summary_lines([many], 80)[1]


def test_other_values_in_short():
    days = summary([dt.date(2020, 1, 1), dt.date(2021, 1, 1)])
    assert (str(days.low), str(days.high)) == ("2020-01-01", "2021-01-01")
    assert summary([1j, 3j]).mean == 2j
    assert (summary([{}, None]).count, summary([{}, None]).missing) == (1, 1)
    assert summary([]).count == 0


def test_columns_in_short_are_blocks_on_a_narrow_terminal():
    lines = summary_lines([summary([1.0, math.nan, 4.0]), summary(["x"])], 40)
    assert lines == [
        "y: float64, 2 values, 1 missing, from 1",
        "    to 4, mean 2.5",
        "y: text, 1 value, 1 distinct",
    ]


def test_a_table_without_rows():
    assert table_lines([TextColumn("x", [])], 80)[0] == ["x"]
