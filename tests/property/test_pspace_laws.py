"""The laws of parameter spaces, held against plain lists of dicts."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psyrun.pspace import (
    AmbiguousOperationError,
    Param,
    ParameterSpace,
    Product,
    Selection,
    Sum,
    match,
    missing,
)

Row = dict[str, Any]

NAMES = ["a", "b", "self", "日本"]
VALUES = st.one_of(
    st.integers(-1, 1),
    st.sampled_from([0.0, -0.0, 1.0, math.nan, None, "x", b"x", True]),
    st.sampled_from([np.int64(1), np.float64("nan"), np.float32(1), np.bool_(False)]),
    st.sampled_from(
        [(0, 1), (0.0, True), [0, 1], [math.nan], {"k": 1}, {1, 2}, frozenset({1})]
    ),
    st.builds(lambda: np.array([0, 1])),
    st.builds(lambda: np.array([0.0, math.nan])),
    st.builds(lambda: np.array([math.nan, -0.0], dtype="f4")[::-1]),
)


def same(one: Any, other: Any) -> bool:
    """Promise 6 in its plainest form."""
    one = one.item() if isinstance(one, np.generic) else one
    other = other.item() if isinstance(other, np.generic) else other
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        both = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
        return both and np.array_equal(one, other, equal_nan=True)
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or bool(one != one and other != other)  # noqa: PLR0124


def same_row(one: Row, other: Row) -> bool:
    return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)


def same_rows(one: list[Row], other: list[Row]) -> bool:
    return len(one) == len(other) and all(map(same_row, one, other))


@dataclass
class Case:
    """A space and the rows it should have."""

    space: ParameterSpace
    names: set[str]
    rows: list[Row] = field(default_factory=list)


@st.composite
def params(draw: st.DrawFn, names: list[str] | None = None) -> Case:
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True)) if names is None else names
    if not chosen:
        return Case(Param(), set())
    size = draw(st.integers(0, 4))
    columns = {name: draw(st.lists(VALUES, min_size=size, max_size=size)) for name in chosen}
    rows = [{name: columns[name][i] for name in chosen} for i in range(size)]
    return Case(Param(**columns), set(chosen), rows)


def filled(rows: list[Row], names: set[str]) -> list[Row]:
    return [{name: row.get(name, math.nan) for name in names} for row in rows]


def is_kept(**row: Any) -> bool:
    return sum(map(ord, repr(sorted(row.items(), key=lambda item: item[0])))) % 2 == 0


def product(one: Case, other: Case) -> Case:
    rows = [left | right for left in one.rows for right in other.rows]
    return Case(one.space * other.space, one.names | other.names, rows)


def total(one: Case, other: Case) -> Case:
    names = one.names | other.names
    return Case(one.space + other.space, names, filled(one.rows + other.rows, names))


def difference(one: Case, other: Case) -> Case:
    rows = [
        row
        for row in one.rows
        if not any(same_row({n: row[n] for n in other.names}, taken) for taken in other.rows)
    ]
    return Case(one.space - other.space, one.names, rows)


@st.composite
def cases(draw: st.DrawFn, depth: int = 3) -> Case:  # noqa: PLR0911 - a return for each operation
    if not depth or draw(st.booleans()):
        return draw(params())
    one = draw(cases(depth - 1))
    kind = draw(st.sampled_from(["sum", "product", "difference", "slice", "where", "take"]))
    if kind == "sum":
        return total(one, draw(cases(depth - 1)))
    if kind == "product":
        return product(one, draw(params([n for n in NAMES if n not in one.names][:1])))
    if kind == "difference":
        return difference(one, draw(params([n for n in NAMES if n in one.names][:2])))
    if kind == "where":
        kept = [row for row in one.rows if is_kept(**row)]
        return Case(one.space.where(is_kept), one.names, kept)
    if kind == "take":
        size = len(one.rows)
        places = draw(st.lists(st.integers(0, size - 1), max_size=4)) if size else []
        picked = [one.rows[place] for place in places]
        return Case(Selection(one.space, places), one.names, picked)
    rows = draw(st.slices(len(one.rows)))
    return Case(one.space[rows], one.names, one.rows[rows])


laws = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@laws
@given(cases())
def test_a_space_has_the_rows_of_the_model(case: Case) -> None:
    assert case.space.size == len(case.space) == len(case.rows)
    assert set(case.space.keys()) == case.names
    assert same_rows(list(case.space), case.rows)
    assert same_rows(list(case.space.iterate()), case.rows)


@laws
@given(cases(), st.data())
def test_columns_of_a_block_are_its_rows(case: Case, data: st.DataObject) -> None:
    ends = st.none() | st.integers(-2, len(case.rows) + 2)
    start, stop = data.draw(st.integers(-2, len(case.rows) + 2)), data.draw(ends)
    columns = case.space.columns(start, stop)
    assert list(columns) == case.space.keys()
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    assert same_rows(rows, case.rows[start:stop])


@laws
@given(cases(), st.data())
def test_rows_are_found_by_index_and_slice(case: Case, data: st.DataObject) -> None:
    rows = data.draw(st.slices(len(case.rows)))
    assert same_rows(list(case.space[rows]), case.rows[rows])
    for place in range(-len(case.rows), len(case.rows)):
        assert same_row(case.space[place], case.rows[place])
    for place in (len(case.rows), -len(case.rows) - 1):
        with pytest.raises(IndexError, match=str(place)):
            case.space[place]


@laws
@given(cases())
def test_a_space_equals_what_comes_back_from_a_pickle(case: Case) -> None:
    back = pickle.loads(pickle.dumps(case.space))
    assert back == case.space
    assert same_rows(list(back), case.rows)


@laws
@given(cases(), cases())
def test_spaces_are_equal_exactly_if_their_rows_are(one: Case, other: Case) -> None:
    expected = one.names == other.names and same_rows(one.rows, other.rows)
    assert (one.space == other.space) is expected
    assert (one.space != other.space) is not expected


@laws
@given(cases())
def test_a_space_equals_its_rows_given_otherwise(case: Case) -> None:
    half = len(case.rows) // 2
    assert case.space[:half] + case.space[half:] == case.space
    assert Param() + case.space == case.space
    names = list(reversed(case.space.keys()))
    if names:
        plain = Param(**{name: [row[name] for row in case.rows] for name in names})
        assert plain == case.space


@laws
@given(cases(), st.data())
def test_missing_projects_on_the_names_of_the_minuend(case: Case, data: st.DataObject) -> None:
    names = sorted(case.names)
    extra = data.draw(params([*names, "result"]))
    projected = [{name: row[name] for name in names} for row in extra.rows]
    expected = [
        row for row in case.rows if not any(same_row(row, other) for other in projected)
    ]
    assert same_rows(list(missing(case.space, extra.space)), expected)


@laws
@given(cases(), cases())
def test_a_clash_of_names_is_an_error(one: Case, other: Case) -> None:
    if one.names & other.names:
        with pytest.raises(AmbiguousOperationError):
            one.space * other.space
    else:
        assert isinstance(one.space * other.space, Product)
    if other.names - one.names:
        with pytest.raises(AmbiguousOperationError):
            one.space - other.space
    else:
        assert same_rows(list(one.space - other.space), difference(one, other).rows)


@laws
@given(cases(), cases())
def test_match_pairs_the_kth_occurrence_with_the_kth(one: Case, other: Case) -> None:
    check_match(one, other)


@laws
@given(st.data())
def test_match_copes_with_duplicates_of_any_kind(data: st.DataObject) -> None:
    names = data.draw(st.sampled_from([["a"], ["a", "b"]]))
    few = data.draw(st.lists(VALUES, min_size=1, max_size=3))

    def draw_case() -> Case:
        size = data.draw(st.integers(0, 8))
        columns = {
            n: data.draw(st.lists(st.sampled_from(few), min_size=size, max_size=size))
            for n in names
        }
        rows = [{n: columns[n][i] for n in names} for i in range(size)]
        return Case(Param(**columns), set(names), rows)

    check_match(draw_case(), draw_case())


def check_match(one: Case, other: Case) -> None:
    free = list(range(len(other.rows)))
    expected = []
    for row in one.rows:
        fits = [place for place in free if same_row(row, other.rows[place])]
        expected.append(fits[0] if one.names == other.names and fits else -1)
        if expected[-1] >= 0:
            free.remove(expected[-1])
    assert list(match(one.space, other.space)) == expected


@laws
@given(st.lists(params(), max_size=4))
def test_sums_are_flat_and_associative(several: list[Case]) -> None:
    left = right = Param() + Param()
    for case in several:
        left = left + case.space
    for case in reversed(several):
        right = case.space + right
    assert left == right
    assert not any(isinstance(part, Sum) for part in left.parts)
