from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections import OrderedDict
from enum import Enum

import numpy as np
import pytest

from psyrun.exceptions import ParameterSpaceError
from psyrun.pspace import Constant, Param


def test_sequences_are_zipped():
    assert list(Param(a=[1, 2], b=("x", "y"))) == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.mark.parametrize(
    "value",
    [
        1,
        1.5,
        None,
        "text",
        b"bytes",
        bytearray(b"x"),
        {"k": 1},
        OrderedDict(k=1),
        {1, 2},
        frozenset({1}),
        object(),
        len,
        int,
        1j,
    ],
)
def test_scalars_are_replicated(value):
    space = Param(a=[1, 2], b=value)
    assert space.parts["b"] == Constant(value, 2)
    assert space.build()["b"] == [value, value]


def test_an_array_without_dimensions_is_a_scalar():
    value = Param(a=np.array(3), b=[1, 2]).build()["a"][1]
    assert value == 3
    assert isinstance(value, np.int64)


def test_scalars_alone_make_one_row():
    assert Param(a=1, b="x").build() == {"a": [1], "b": ["x"]}


def test_nothing_makes_the_empty_space():
    assert Param().size == 0
    assert Param().keys() == []
    assert Param().build() == {}
    assert list(Param()) == []
    assert not Param()


def test_an_empty_column_makes_no_rows():
    assert Param(a=[], b=1).build() == {"a": [], "b": []}


def test_unequal_lengths_are_named():
    with pytest.raises(ParameterSpaceError, match="a has 2, b has 3 values"):
        Param(a=[1, 2], b=[1, 2, 3], c=4)


def test_a_generator_is_read_once():
    space = Param(a=(i * i for i in range(3)))
    assert space.build() == space.build() == {"a": [0, 1, 4]}


def test_an_error_inside_a_generator_is_not_hidden():
    with pytest.raises(TypeError, match="has no len"):
        Param(a=(len(item) for item in [None]))  # type: ignore[arg-type]


def test_other_iterables_are_columns():
    class Colour(Enum):
        RED = 1
        BLUE = 2

    assert Param(a={"x": 1, "y": 2}.keys()).build() == {"a": ["x", "y"]}
    assert Param(a=Colour).build() == {"a": [Colour.RED, Colour.BLUE]}


def test_later_changes_of_a_list_or_array_do_not_count():
    values, array = [1, 2], np.array([1, 2])
    space = Param(a=values, b=array)
    values[0] = array[0] = 9
    assert space.build() == {"a": [1, 2], "b": [1, 2]}
    with pytest.raises(ValueError, match="read-only"):
        space.parts["b"][0] = 9


def test_an_array_gives_scalars_of_numpy():
    (value,) = Param(a=np.array([0.5], dtype="f4")).build()["a"]
    assert type(value) is np.float32


def test_an_array_of_two_dimensions_is_a_column_of_rows():
    space = Param(a=np.arange(6).reshape(3, 2))
    assert [row["a"].tolist() for row in space] == [[0, 1], [2, 3], [4, 5]]
    assert [row.tolist() for row in space[::-2].build()["a"]] == [[4, 5], [0, 1]]


def test_rows_of_an_array_may_be_changed_by_who_gets_them():
    space = Param(a=np.zeros((2, 2)))
    space[0]["a"] += 1
    assert space[0]["a"].tolist() == [0, 0]


def test_types_of_values_are_kept():
    values = [1, 1.0, True, 2**53 + 1, "a\0", np.float32(0.1), ("x", 1), None]
    decoded = (Param(a=values) * Param(b=range(2))).build()["a"][::2]
    assert list(map(type, decoded)) == list(map(type, values))
    assert decoded == values


def test_ranges_stay_lazy_beyond_the_largest_index():
    space = Param(a=range(0, 10**30, 10))
    assert space.size == 10**29
    assert space[-1] == {"a": 10**30 - 10}
    assert space.columns(10**20, 10**20 + 2) == {"a": [10**21, 10**21 + 10]}
    assert space[10**20 :: 10**28].size == 10
    assert space
    with pytest.raises(OverflowError):
        len(space)


def test_constants_cost_no_memory():
    tracemalloc.start()
    space = Param(a=range(10**9), b="x")
    assert space[10**8]["b"] == "x"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize("name", ["self", "row", "fn", "cls", "columns", "root.a", "日本", ""])
def test_any_name_works(name):
    space = Param(**{name: [1, 2]}) * Param(other=[3])
    assert list(space) == [{name: 1, "other": 3}, {name: 2, "other": 3}]
    assert (space - Param(**{name: 1})).build() == {name: [2], "other": [3]}


def test_ready_columns_are_taken_as_they_are():
    column = (1, 2, 3)
    space = Param.from_parts({"a": column, "b": Constant(0, 3)}, 3)
    assert space.parts["a"] is column
    assert space[1:].build() == {"a": [2, 3], "b": [0, 0]}
    with pytest.raises(ParameterSpaceError, match="3 rows without"):
        Param.from_parts({}, 3)


@pytest.mark.parametrize(
    ("space", "text"),
    [
        (Param(), "Param()"),
        (Param(a=range(10**12), b="x"), "Param(a=range(0, 1000000000000), b='x')"),
        (Param(a=list(range(100))), "Param(a=[0, 1, 2, 3, ...])"),
        (Param(a=np.zeros((3, 2))), "Param(a=<3x2 float64>)"),
        (Param(**{"root.a": 1}), "Param(**{'root.a': 1})"),
        ((Param(a=1) + Param(a=2)) * Param(b=1), "(Param(a=1) + Param(a=2)) * Param(b=1)"),
        (Param(a=1) * (Param(b=1) * Param(c=1)), "Param(a=1) * (Param(b=1) * Param(c=1))"),
        (Param(a=range(9))[2:4], "<2 rows of Param(a=range(0, 9))>"),
        (Param(a=1) - Param(a=2), "<Param(a=1) without Param(a=2)>"),
        (Param(a=1).where(lambda a: a), "<some rows of Param(a=1)>"),
    ],
)
def test_repr(space, text):
    assert repr(space) == text


def test_repr_is_short_however_large_the_space():
    space = Param() + Param()
    for i in range(200):
        space = space + Param(a=i, b=["x" * 1000])
    assert len(repr(space)) < 500


def test_numpy_is_not_imported():
    code = (
        "import sys; from psyrun.pspace import Param, match;"
        "s = Param(a=range(3)) * Param(b=[[1], {2}, None]);"
        "assert list(match(s - Param(a=1), s)) == [0, 1, 2, 6, 7, 8];"
        "assert s == s[:] and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_values_without_a_name_are_told_how_to_name_them():
    told = r"name the parameter: Param\(x=\[1, 2\]\)"
    with pytest.raises(TypeError, match=told):
        Param([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=told):
        Param([1, 2], b=3)  # type: ignore[arg-type]


def test_a_dict_without_a_name_is_told_how_to_spread_it():
    with pytest.raises(TypeError, match=r"Param\(\*\*\{'a': \[1, 2\]\}\)"):
        Param({"a": [1, 2]})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "told"),
    [(Param(a=1), "is a parameter space already"), (np.eye(3), r"Param\(x=\.\.\.\)")],
)
def test_other_values_without_a_name_are_told(value, told):
    with pytest.raises(TypeError, match=told):
        Param(value)


def test_a_table_is_no_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [3, 4]})
    with pytest.raises(ParameterSpaceError, match=r"x is a DataFrame.*: Param\(\*\*frame\)"):
        Param(x=frame)
    assert Param(**frame).build() == {"a": [1, 2], "b": [3, 4]}
    assert Param(a=frame["a"]).build() == {"a": [1, 2]}
