"""Labelled arrays, by example: names, element types, empty cells."""

import datetime as dt
from typing import Any

import numpy as np
import pytest

from psyrun.exceptions import ResultsError
from psyrun.pspace import Param, ParameterSpace
from psyrun.results import Results
from psyrun.results.base import About
from psyrun.rows import RowState

xr = pytest.importorskip("xarray")


def results(space: ParameterSpace, states: bytes = b"", **columns: Any) -> Results:
    """Make results of a space; without states, all rows are done."""
    states = states or bytes([RowState.DONE]) * space.size
    done = [row for row, state in enumerate(states) if state == RowState.DONE]
    return Results(space.take(done) | columns, About("t", space, states))


def test_the_factors_of_a_product_are_dimensions():
    space = Param(a=[1, 2]) * Param(b=["x", "y", "z"])
    found = results(space, y=range(6)).to_xarray()
    assert found["y"].dims == ("a", "b")
    assert found["y"].sel(a=2, b="y") == 4
    assert {found["a"].dtype.str, found["y"].dtype.str} == {"<i8"}


def test_a_zipped_param_is_a_dimension_with_its_members_as_coordinates():
    found = results(Param(a=[1, 2], b=[3, 4]), y=[5, 6]).to_xarray()
    assert found["y"].dims == ("a_b",)
    assert (found["a"].dims, found["b"].dims) == (("a_b",), ("a_b",))
    assert found["y"].where(found["b"] == 4, drop=True).values.tolist() == [6]


def test_a_sum_is_an_outer_join():
    space = Param(a=[1, 2]) + Param(a=[3], b=["x"])
    found = results(space, y=[1, 2, 3]).to_xarray()
    assert dict(found.sizes) == {"a": 3, "b": 2}
    assert found["y"].sel(a=3, b="x") == 3
    assert found["status"].sel(a=3).values.tolist() == ["", "done"]
    assert np.isnan(found["y"].sel(a=1, b="x"))


def test_a_difference_has_empty_cells():
    space = Param(a=[1, 2]) * Param(b=[1, 2]) - Param(a=1, b=1)
    found = results(space, y=[1, 2, 3]).to_xarray()
    assert found["status"].values.tolist() == [["", "done"], ["done", "done"]]


def test_rows_that_share_a_cell_are_along_a_dimension_of_their_own():
    space = Param(a=[1, 2]) + Param(a=[2])
    found = results(space, y=[1, 2, 3]).to_xarray()
    assert found["y"].dims == ("a", "occurrence")
    assert found["y"].sel(a=2).values.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("values", "kind", "empty"),
    [
        ([1, 2], "f8", np.nan),
        ([1.5, 2.5], "f8", np.nan),
        ([True, False], "f8", np.nan),
        (["x", "yy"], "U2", ""),
        ([1j, 2j], "c16", np.nan),
        ([dt.date(2020, 1, 1), dt.date(2020, 1, 2)], "M8[s]", np.datetime64("NaT")),
        ([2**60 + 1, 1], "O", np.nan),
        ([{"k": 1}, {"k": 2}], "O", np.nan),
    ],
)
def test_cells_without_a_result(values, kind, empty):
    found = results(Param(a=[1, 2, 3]), bytes([2, 1, 2]), y=values).to_xarray()
    assert found["status"].values.tolist() == ["done", "failed", "done"]
    got = found["y"].values
    assert got.dtype == kind
    assert got.dtype.kind == "M" or [got[0], got[2]] == values
    assert np.array_equal(
        got[1:2], np.array([empty], dtype=got.dtype), equal_nan=got.dtype.kind in "fcM"
    ) or (got[1] != got[1])


def test_array_results_have_further_dimensions():
    found = results(Param(a=[1, 2]), y=[np.zeros((2, 3)), np.ones((2, 3))]).to_xarray()
    assert found["y"].dims == ("a", "y_dim_0", "y_dim_1")
    assert found["y"].sel(a=2).values.tolist() == [[1, 1, 1]] * 2


def test_dimensions_can_be_named():
    given = results(Param(a=[1, 2], b=[3, 4]), y=[[1, 2], [3, 4]], z=[[1, 2], [3, 4]])
    found = given.to_xarray(dims={"a_b": "point", "y": ("time",), "z": "time"})
    assert found["y"].dims == found["z"].dims == ("point", "time")


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ({"a_c": "p"}, "no dimension or array result 'a_c'; dimensions are 'a_b', 'y_dim_0'"),
        ({"a_b": ("p", "q")}, "'a_b' needs one name"),
        ({"a_b": "a"}, "'a_b' cannot be named 'a': that name is taken"),
        ({"y": ("s", "t")}, "'y' has 1 dimensions of its own, not 2"),
        ({"y": "a_b"}, "'y' cannot have 'a_b': that name is taken"),
        ({"y": "t", "z": "t"}, "the results make no labelled arrays: .*t"),
    ],
)
def test_names_that_do_not_fit(dims, message):
    space = Param(a=[1, 2], b=[3, 4])
    given = results(space, y=[[1, 2], [3, 4]], z=[[1, 2, 3], [3, 4, 5]])
    with pytest.raises(ResultsError, match=message):
        given.to_xarray(dims=dims)


def test_names_that_are_taken_are_changed():
    space = Param(a=[1, 2], b=[3, 4])
    found = results(space, status=[1, 2], a_b=[3, 4]).to_xarray()
    assert found["status_result"].values.tolist() == [1, 2]
    assert found["a_b_result"].values.tolist() == [3, 4]
    found = results(Param(status=[1], row=[2]), y=[3]).to_xarray(stacked=True)
    assert found["status_"].dims == ("row_",)


def test_a_result_with_the_name_of_a_parameter():
    space = Param(a=[1, 2])
    about = About("t", space, bytes([2, 2]), overridden=["a"])
    found = Results({"a": [-1, -2]}, about).to_xarray()
    assert found["a"].values.tolist() == [1, 2]
    assert found["a_result"].values.tolist() == [-1, -2]


def test_parameters_that_are_arrays():
    found = results(Param(w=[np.array([1, 2]), np.array([3, 4])]), y=[1, 2]).to_xarray()
    assert found["w"].dims == ("w_index", "w_dim_0")
    assert found["w"].values.tolist() == [[1, 2], [3, 4]]
    found = results(Param(w=[(1,), (2, 3)]), y=[1, 2]).to_xarray()
    assert found["w"].values.tolist() == [(1,), (2, 3)]


def test_none_is_a_label():
    found = results(Param(depth=[None, 3, 5]), y=[1, 2, 3]).to_xarray()
    assert found["y"].sel(depth=3) == 2
    assert found["depth"].values[0] is None


def test_rows_can_be_stacked():
    space = Param(a=[1, 2]) * Param(b=["x", "y"])
    found = results(space, bytes([2, 0, 2, 2]), y=[1, 2, 3]).to_xarray(stacked=True)
    assert found["y"].dims == ("row",)
    assert found["y"].sel(a=2, b="x") == 2
    assert found["status"].values.tolist() == ["done", "missing", "done", "done"]
    assert found["y"].unstack("row").sel(a=2, b="y") == 3


def test_a_space_that_is_no_grid_is_refused():
    values = list(range(2000))
    small = Param(a=values[:100]) + Param(b=values[:100])
    assert results(small, y=range(200)).to_xarray()["y"].shape == (101, 101)
    sparse = (Param(a=values) * Param(b=values))[::2001]
    with pytest.raises(ResultsError, match=r"2,000 rows would lie in .* cells.*stacked=True"):
        results(sparse, y=range(2000)).to_xarray()


def test_units_are_attributes():
    about = About("t", Param(a=[1]), bytes([2]), units={"a": "mV", "y": "s"})
    found = Results({"a": [1], "y": [2]}, about).to_xarray()
    assert (found["a"].attrs["units"], found["y"].attrs["units"]) == ("mV", "s")


def test_some_of_the_rows():
    space = Param(a=[1, 2]) * Param(b=[3, 4])
    found = results(space, y=[1, 2, 3, 4]).select([1, 3]).to_xarray()
    assert found["y"].values.tolist() == [[2], [4]]
    assert found["b"].values.tolist() == [4]
