"""The laws of labelled arrays: each cell holds what its row in the space says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psyrun.pspace import Param, ParameterSpace, Selection
from psyrun.pspace.keys import value_key
from psyrun.results import Results
from psyrun.results.axes import layout_of
from psyrun.results.base import About
from psyrun.rows import RowState

if TYPE_CHECKING:
    from collections.abc import Sequence

pytest.importorskip("xarray")

NAMES = ["a", "b", "c", "d"]
VALUES = st.sampled_from([0, 1, 2, 0.5, math.nan, "x", "", True, None, (1, 2)])
FEW = settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)


@st.composite
def params(draw: st.DrawFn, names: Sequence[str]) -> ParameterSpace:
    size = draw(st.integers(0, 4))
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    return Param(**{n: draw(st.lists(VALUES, min_size=size, max_size=size)) for n in chosen})


@st.composite
def spaces(draw: st.DrawFn, depth: int = 3, names: Sequence[str] = NAMES) -> ParameterSpace:
    """Draw a tree of products, sums, differences and selections."""
    kind = draw(st.integers(0, 5)) if depth else 0
    if kind <= 1:
        return draw(params(names))
    if kind == 2 and len(names) > 1:
        cut = draw(st.integers(1, len(names) - 1))
        return draw(spaces(depth - 1, names[:cut])) * draw(spaces(depth - 1, names[cut:]))
    left = draw(spaces(depth - 1, names))
    if kind == 3:
        return left + draw(spaces(depth - 1, names))
    if kind == 4 and left.keys():
        return left - draw(params(left.keys()))
    rows = st.integers(0, left.size - 1)
    return Selection(left, draw(st.lists(rows, max_size=5)) if left.size else [])


@given(spaces())
@FEW
def test_labels_say_of_each_row_what_the_space_says(space):
    layout = layout_of(space)
    names = [name for axis in layout.axes for name in axis.names]
    assert sorted(names) == sorted(space.keys())
    for row, assignment in enumerate(space):
        for axis, places in zip(layout.axes, layout.places, strict=True):
            for name in axis.names:
                label = axis.labels[name][places[row]]
                assert value_key(label) == value_key(assignment[name])


@given(spaces())
@FEW
def test_each_label_is_used(space):
    for axis, places in zip(*vars(layout_of(space)).values(), strict=True):
        assert set(places.tolist()) == set(range(axis.size))


def is_same(one: Any, other: Any) -> bool:
    """Tell whether a coordinate is a value, as far as arrays keep it apart from others."""
    one = one.item() if isinstance(one, np.generic) else one
    if one is None or other is None:  # an index of texts has NaN for None
        return one is other or one != one  # noqa: PLR0124
    if isinstance(one, np.ndarray):
        return np.array_equal(one, np.asarray(other), equal_nan=True)
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124


def results_of(space: ParameterSpace, states: list[int]) -> Results:
    done = [row for row, state in enumerate(states) if state == RowState.DONE]
    columns = dict(Selection(space, done).build())
    columns |= {"y": done, "z": [[row, -row] for row in done], "t": list(map(str, done))}
    return Results(columns, About("task", space, bytes(states)))


@given(spaces(), st.data())
@FEW
def test_each_cell_holds_the_result_of_its_row(space, data):
    states = data.draw(st.lists(st.integers(0, 2), min_size=space.size, max_size=space.size))
    found = results_of(space, states).to_xarray()
    layout = layout_of(space)
    words = {0: "missing", 1: "failed", 2: "done"}
    seen: dict[tuple[int, ...], int] = {}
    for row, state in enumerate(states):
        where = tuple(int(places[row]) for places in layout.places) or (row,)
        if "occurrence" in found.dims:
            seen[where] = occurrence = seen.get(where, -1) + 1
            where = (*where, occurrence)
        cell = found.isel(dict(zip(found["status"].dims, where, strict=True)))
        assert cell["status"].item() == words[state]
        for name, value in space[row].items():
            assert is_same(cell[name].values[()], value)
        if state == RowState.DONE:
            assert (cell["y"].item(), cell["t"].item()) == (row, str(row))
            assert cell["z"].values.tolist() == [row, -row]
        else:
            assert math.isnan(cell["y"].item())
            assert cell["t"].item() == "" or RowState.DONE not in states
    assert int((found["status"] != "").sum()) == space.size


@given(spaces(), st.data())
@FEW
def test_rows_are_stacked_in_the_order_of_the_space(space, data):
    states = data.draw(st.lists(st.integers(0, 2), min_size=space.size, max_size=space.size))
    found = results_of(space, states).to_xarray(stacked=True)
    assert found["status"].shape == (space.size,)
    for row, state in enumerate(states):
        if state == RowState.DONE:
            assert found["y"].values[row] == row
        for name, value in space[row].items():
            assert is_same(found[name].values[row], value)
