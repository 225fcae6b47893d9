"""Laws of the stores of arrays: what comes back is what went in, and gaps are fillers."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyrun.exceptions import StoreError
from psyrun.store import H5Store, NpzStore, PickleStore, Store
from tests.property.examples import examples

STORES: list[Store] = [
    NpzStore(),
    NpzStore(allow_pickle=True),
    H5Store(),
    H5Store(compression="gzip"),
    H5Store(layout="table"),
]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5).filter(
    lambda text: not text.endswith("\0")
)
BYTES = st.binary(max_size=4).filter(lambda value: not value.endswith(b"\0"))

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats() | st.integers(-(2**53), 2**53),
    "truth": st.booleans(),
    "complex": st.complex_numbers(),
    "text": TEXT | st.text("xä", min_size=250, max_size=300),
    "bytes": BYTES,
    "day": st.integers(-9999, 9999).map(lambda day: np.datetime64(day, "D")),
    "span": st.integers(-(10**9), 10**9).map(lambda size: np.timedelta64(size, "us")),
    "small": st.integers(-128, 127).map(np.int8),
    "half": st.floats(width=32).map(np.float32),
}

FILLERS = {"text": "", "bytes": b""}


@st.composite
def values(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """Rows of one kind: single values, or lists and arrays of up to two axes; some missing."""
    kind = draw(st.sampled_from(sorted(SCALARS)))
    scalar = SCALARS[kind]
    shape = draw(st.sampled_from(["scalar", "list", "matrix"]))
    row = scalar
    if shape == "list":
        row = st.lists(scalar, max_size=3)
    elif shape == "matrix":
        row = st.integers(0, 2).flatmap(
            lambda width: st.lists(
                st.lists(scalar, min_size=width, max_size=width), min_size=1, max_size=2
            )
        )
    if draw(st.booleans()):
        row = st.just(math.nan) | row
    return kind, draw(st.lists(row, max_size=6))


def is_same(one: Any, other: Any) -> bool:
    """Compare single values; NaN and NaT are themselves."""
    if isinstance(one, (np.datetime64, np.timedelta64)):
        return bool(one == other)
    return bool(one == other) or bool(one != one and other != other)  # noqa: PLR0124 - NaN


def is_filler(kind: str, value: Any) -> bool:
    if kind in FILLERS:
        return bool(value == FILLERS[kind])
    if kind in {"day", "span"}:
        return bool(np.isnat(value))
    return bool(np.isnan(value))


def agrees(kind: str, value: Any, found: Any) -> bool:
    """Whether a row came back: its values at the start of each axis, and fillers else."""
    found = np.asarray(found)
    if isinstance(value, float) and math.isnan(value):
        return all(is_filler(kind, each) for each in found.ravel())
    given = np.empty(np.shape(value), dtype=object)
    for place in np.ndindex(given.shape):
        each = value
        for index in place:
            each = each[index]
        given[place] = each
    lower = found.ndim - given.ndim
    for place in np.ndindex(found.shape):
        inner = place[lower:]
        inside = not any(place[:lower]) and all(
            index < extent for index, extent in zip(inner, given.shape, strict=True)
        )
        each = found[place]
        fits = is_same(given[inner], each) if inside else is_filler(kind, each)
        if not fits:
            return False
    return True


TOGETHER = ("integers beyond 2", "a text with a NUL beside one that is longer")
"""Why rows cannot stand in one column, each of which can be held."""


def leaves(row: Any) -> bool:
    """Whether a row has a value at all."""
    if isinstance(row, list):
        return any(leaves(each) for each in row)
    return not (isinstance(row, float) and math.isnan(row))


def held(store: Store, rows: list[Any]) -> bool:
    """Whether the store takes these rows together."""
    with TemporaryDirectory() as folder:
        try:
            store.save(Path(folder) / f"x{store.ext}", {"y": rows})
        except StoreError as err:
            if "cannot hold 'y'" not in str(err) or "PickleStore can" not in str(err):
                raise
            return False
    return True


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.description)
@settings(max_examples=examples(60))
@given(given_rows=values())
def test_each_row_comes_back(store: Store, given_rows: tuple[str, list[Any]]) -> None:
    kind, rows = given_rows
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"x{store.ext}"
        try:
            store.save(path, {"y": rows})
        except StoreError as err:
            if not any(reason in str(err) for reason in TOGETHER):
                raise
            return
        found = store.load(path)["y"]
        assert len(found) == len(rows)
        if found.dtype.kind == "O" and kind == "integer":
            return  # of objects, which keep each row as it is
        if not any(leaves(row) for row in rows):
            kind = "number"  # nothing but gaps is what numbers have there
        assert all(agrees(kind, *pair) for pair in zip(rows, found, strict=True))
        if kind in {"integer", "truth"} and rows and np.shape(rows[0]) == ():
            whole = not any(isinstance(row, float) for row in rows)
            assert (found.dtype.kind in "ib") == whole


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.description)
@settings(max_examples=examples(40))
@given(given_rows=values(), share=st.floats(0, 1))
def test_appending_is_saving_all(
    store: Store, given_rows: tuple[str, list[Any]], share: float
) -> None:
    kind, rows = given_rows
    cut = int(share * len(rows))
    if not held(store, rows):
        return
    with TemporaryDirectory() as folder:
        whole, grown = Path(folder) / f"whole{store.ext}", Path(folder) / f"grown{store.ext}"
        store.save(whole, {"y": rows})
        store.append(grown, {"y": rows[:cut]})
        store.append(grown, {"y": rows[cut:]})
        one, other = store.load(whole)["y"], store.load(grown)["y"]
    assert one.shape == other.shape
    assert one.dtype == other.dtype or one.dtype.kind in "USO"
    if one.dtype.kind == "O" and kind == "integer":
        return  # of objects, which keep each row as it was read: a padded one is an array
    for a, b in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True):
        assert is_same(a, b)


def shown(column: list[Any]) -> str:
    """Write values out; texts in an array are as wide as the longest that was read."""
    return repr([v.tolist() if isinstance(v, np.ndarray) else v for v in column])


@pytest.mark.parametrize("store", [*STORES, PickleStore()], ids=lambda store: store.description)
@settings(max_examples=examples(40))
@given(given_rows=values(), data=st.data())
def test_parts_are_parts_of_the_whole(
    store: Store, given_rows: tuple[str, list[Any]], data: st.DataObject
) -> None:
    rows = given_rows[1]
    if not held(store, rows):
        return
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(rows))] * 2)))
    places = data.draw(st.lists(st.sampled_from(range(len(rows))), max_size=9)) if rows else []
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"x{store.ext}"
        store.save(path, {"y": rows, "n": list(range(len(rows)))})
        whole = list(store.load(path)["y"])
        with store.open(path) as reader:
            assert reader.size == len(rows)
            part = list(reader.read("y", start, stop))
            picked = list(reader.take("y", np.array(places, np.int64)))
        single = [store.load(path, row=place)["y"][0] for place in places[:2]]
    assert shown(part) == shown(whole[start:stop])
    assert shown(picked) == shown([whole[place] for place in places])
    assert shown(single) == shown([whole[place] for place in places[:2]])


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.description)
@settings(max_examples=examples(60))
@given(
    value=st.recursive(
        st.one_of(*SCALARS.values(), st.none(), st.integers(), st.text(), st.binary()),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=1)
        ),
        max_leaves=5,
    )
)
def test_a_row_passes_the_check_exactly_if_it_is_held(store: Store, value: Any) -> None:
    try:
        store.check({"y": value})
    except StoreError:
        passes = False
    else:
        passes = True
    assert passes == held(store, [value])


@settings(max_examples=examples(60))
@given(
    column=st.lists(
        st.recursive(
            st.one_of(*SCALARS.values(), st.none(), st.text(), st.binary()),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.tuples(inner, inner)
                | st.dictionaries(st.text(), inner, max_size=2)
            ),
            max_leaves=5,
        ),
        max_size=5,
    )
)
def test_a_pickle_brings_back_anything_as_it_was(column: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.pkl"
        PickleStore().save(path, {"y": column})
        PickleStore().append(path, {"y": column[:1]})
        back = PickleStore().load(path)["y"]
    assert type(back) is list
    assert repr(back) == repr([*column, *column[:1]])
