"""The law of merging: whatever the sources and the format, each row is what was returned."""

from __future__ import annotations

import math
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psyrun import gather, journalreader, merge, rows, snapshot
from psyrun.exceptions import StoreError
from psyrun.merge import Merger
from psyrun.partial import save_whole
from psyrun.pspace import Param, ParameterSpace
from psyrun.store import (
    H5Store,
    NpzStore,
    PickleStore,
    Store,
    arraycolumns,
    h5,
    h5moves,
    moving,
    scattered,
)
from psyrun.store.base import Labelled
from psyrun.workdir import Workdir
from tests.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Mapping

STORES: dict[str, Store] = {
    "pickle": PickleStore(),
    "npz": NpzStore(),
    "columns": H5Store(),
    "table": H5Store(layout="table"),
    "virtual": H5Store(virtual=True),
}
SOURCES = [None, *(store for name, store in STORES.items() if name != "virtual")]
"""What a job leaves: a journal, or a partial result of a store."""

DAY = np.datetime64("2024-02-29")
INTEGERS = st.sampled_from([0, 1, -7, 2**40])
FLOATS = st.sampled_from([0.0, -1.5, math.nan, math.inf])
TEXTS = st.sampled_from(["", "a", "äöü", "日本語" * 4])
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "integers": INTEGERS,
    "large": st.sampled_from([2**62 + 1, -(2**62) - 1, 5]),
    "small": st.sampled_from([np.int8(3), np.int8(-3)]),
    "floats": FLOATS,
    "numbers": INTEGERS | FLOATS | st.sampled_from([np.float32(0.5), np.int16(9)]),
    "truths": st.booleans(),
    "complex": st.sampled_from([1j, 2 - 0.5j]),
    "texts": TEXTS,
    "long": TEXTS | st.just("日" * 500),
    "bytes": st.sampled_from([b"", b"a", b"\xff" * 5, b"x" * 300]),
    "days": st.sampled_from([DAY, DAY + 5]),
    "lists": st.lists(INTEGERS, max_size=3),
    "vectors": st.lists(FLOATS, min_size=1, max_size=3).map(np.array),
    "matrices": st.sampled_from(
        [np.ones((1, 2)), np.zeros((2, 1)), np.arange(6).reshape(2, 3)]
    ),
    "words": st.lists(TEXTS, min_size=1, max_size=2),
}
EXACT = {"integers": "i", "large": "i", "small": "i", "truths": "b", "floats": "f"}
"""Kinds of which the array's kind is known where no row lacks one."""


Left: TypeAlias = dict[tuple[str, str | None], dict[int, dict[str, Any]]]
"""Which job left what, by which store."""


@dataclass
class Made:
    """A task, and what its result has to be.

    `expected` holds the result of each row that is done, and `ranks` which job's that is.
    """

    desk: Desk = field(repr=False)
    space: ParameterSpace
    expected: dict[int, dict[str, Any]] = field(default_factory=dict)
    ranks: dict[int, tuple[bool, bool, int]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    left: Left = field(default_factory=dict)
    run: Any = field(default=None, repr=False)

    def columns(self) -> dict[str, list[Any]]:
        done = sorted(self.expected)
        columns = self.space.build()
        found = {name: [columns[name][row] for row in done] for name in columns}
        for place, row in enumerate(done):
            for name, value in self.expected[row].items():
                found.setdefault(name, [math.nan] * len(done))[place] = value
        return found


@st.composite
def results(draw: st.DrawFn, kinds: Mapping[str, str], *, gaps: bool) -> dict[str, Any]:
    names = [name for name in kinds if not gaps or draw(st.booleans())]
    return {name: draw(KINDS[kinds[name]]) for name in names}


@st.composite
def shares(draw: st.DrawFn, size: int) -> list[rows.Ranges]:
    """Deal rows to jobs: one after the other, or anyhow."""
    jobs = draw(st.integers(1, 4))
    owners = draw(st.lists(st.integers(0, jobs), min_size=size, max_size=size))
    if draw(st.booleans()):
        owners.sort()
    mine = ([row for row, owner in enumerate(owners) if owner == job] for job in range(jobs))
    return [rows.of_sorted(each) for each in mine if each]


@st.composite
def made_in(draw: st.DrawFn, folder: Path) -> Made:
    workdir = Workdir(folder / "work" / "task")
    workdir.make()
    desk = Desk(workdir)
    size = draw(st.integers(1, 12))
    b = draw(st.lists(TEXTS | FLOATS if draw(st.booleans()) else TEXTS, min_size=1, max_size=1))
    space: ParameterSpace = Param(a=range(10, 10 + size)) * Param(b=b)
    names = ["y", "z", *(["a"] if draw(st.booleans()) else [])]
    made = Made(desk, space)
    gaps = draw(st.booleans())
    keeps_kinds = draw(st.booleans())
    digest = desk.space(space)
    older, moved = _older(draw, made, digest)
    for number in range(1, draw(st.integers(1, 3)) + 1):
        if not made.kinds or not keeps_kinds:
            made.kinds = {name: draw(st.sampled_from(sorted(KINDS))) for name in names}
        code = draw(st.sampled_from(["code", "old"]))
        moves = draw(st.booleans()) and number < 3 and bool(older)
        _leave(draw, made, (number, code), (older if moves else digest, moved), gaps=gaps)
    made.run = desk.run(digest, accepted=("old",))
    return made


def _older(draw: Any, made: Made, digest: str) -> tuple[str, list[int]]:
    """Make a snapshot with some of the rows in another order, and others."""
    size = made.space.size
    moved = draw(st.permutations(range(-1, size)))
    given = made.space.build()
    a = [given["a"][row] if row >= 0 else 99 for row in moved]
    older = made.desk.space(Param(a=a, b=[given["b"][0]] * len(a)))
    snapshot.write_moves(made.desk.workdir.moves(older, digest), moved)
    return older, moved


def _leave(
    draw: Any, made: Made, origin: tuple[int, str], where: tuple[str, list[int]], *, gaps: bool
) -> None:
    """Leave what the jobs of a run do."""
    (number, code), (space, moved) = origin, where
    desk = made.desk
    is_moved = desk.spaces[space] is not made.space
    for place, share in enumerate(draw(shares(desk.spaces[space].size))):
        job = desk.job(f"{number}-{place}", space, share, code)
        mine = [row for start, stop in share for row in range(start, stop)]
        done = {row: draw(results(made.kinds, gaps=gaps)) for row in mine}
        store = draw(st.sampled_from(SOURCES))
        made.left[job.name, store and store.description] = done
        if store is None:
            desk.journal(job, dict(draw(st.permutations(list(done.items())))))
        else:
            desk.store = store
            with suppress(StoreError):  # texts among numbers, for example: the journal stays
                desk.partial(job, done)
        for row, result in done.items():
            _expect(
                made,
                moved[row] if is_moved else row,
                result,
                (code == "code", not is_moved, number),
            )


def _expect(made: Made, row: int, result: dict[str, Any], rank: tuple[bool, bool, int]) -> None:
    if row >= 0 and rank >= made.ranks.get(row, rank):
        made.expected[row], made.ranks[row] = result, rank


def same(found: Any, expected: Any) -> bool:
    """Tell whether an array's row is a value, but for fillers."""
    if isinstance(expected, float) and math.isnan(expected):
        return all(is_filler(v) for v in np.ravel(np.asarray(found, dtype=object)))
    if isinstance(expected, (list, np.ndarray)):
        one, other = np.asarray(found), np.asarray(expected)
        if not other.size:
            return all(is_filler(v) for v in one.ravel())
        lower = [0] * (one.ndim - other.ndim)
        corner: Any = (*lower, *(slice(n) for n in other.shape))
        if not all(map(same, one[corner].ravel().tolist(), other.ravel().tolist())):
            return False
        rest = one.astype(object)
        rest[corner] = None
        return all(is_filler(v) for v in rest.ravel())
    if isinstance(found, np.ndarray):
        return same(found, np.array(expected))
    return bool(found == expected) or (is_filler(found) and is_filler(expected) and found != "")


def is_filler(value: Any) -> bool:
    nat = isinstance(value, np.datetime64) and np.isnat(value)
    return value is None or value in ("", b"") or nat or value != value  # noqa: PLR0124


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arraycolumns, "BLOCK_BYTES", 64)
    monkeypatch.setattr(merge, "_BLOCK_ROWS", 3)
    monkeypatch.setattr(journalreader, "_BLOCK_BYTES", 60)
    monkeypatch.setattr(gather, "_MOST_FILES", 2)
    monkeypatch.setattr(h5, "_CHUNK_BYTES", 64)
    monkeypatch.setattr(h5moves, "_WORTH_MOVING", 0)
    monkeypatch.setattr(moving, "_BLOCK", 20)
    monkeypatch.setattr(moving, "_MOST_FILES", 2)
    monkeypatch.setattr(scattered, "_GAP", 1)
    monkeypatch.setattr(scattered, "_MOST_READS", 2)
    monkeypatch.setattr(scattered, "_BLOCK_ROWS", 4)


def merged(made: Made, store: Store, path: Path) -> Merger:
    merger = Merger(made.desk.state(made.run), made.space, store)
    try:
        save_whole(store, path, Labelled(merger.columns(), merger.attributes))
    finally:
        merger.close()
    return merger


def check(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Compare columns."""
    gaps = {*found} - {*expected}  # columns of rows that others have replaced
    assert {*expected} <= {*found}
    for name, column in found.items():
        values = [math.nan] * len(column) if name in gaps else expected[name]
        wrong = [pair for pair in zip(column, values, strict=True) if not same(*pair)]
        assert not wrong, (name, wrong)


def law(data: st.DataObject, store: Store) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = data.draw(made_in(Path(folder)))
        pickled = Path(folder) / "r.pkl"
        merged(made, PickleStore(), pickled)
        expected = PickleStore().load(pickled)
        check(expected, made.columns())
        path = Path(folder) / f"r{store.ext}"
        try:
            merger = merged(made, store, path)
        except StoreError as err:
            # Known: large integers that override a parameter in a source whose other rows do
            # not count are refused at times though they would fit. Refused, never changed.
            if "integers beyond 2**53" in str(err):
                return
            with pytest.raises(StoreError):  # a store may be unable to hold these values
                store.save(path, expected)
            return
        with store.open(path) as reader:
            found: dict[str, Any] = {n: reader.read(n, 0, reader.size) for n in reader.names}
        if merger.by_file:
            order = np.argsort(found.pop(merger.attributes["order"]))
            found = {name: column[order] for name, column in found.items()}
        check(found, expected)
        if store is not STORES["pickle"]:
            check_kinds(found, made.left)


def check_kinds(found: Mapping[str, Any], left: Left) -> None:
    """Integers and truths stay such, where no row of any source lacks one."""
    for name, kind in (("y", int), ("z", bool)):
        values = [result.get(name) for results in left.values() for result in results.values()]
        if values and all(type(value) is kind for value in values) and len(found[name]):
            assert found[name].dtype.kind == np.dtype(kind).kind


FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=300)


@pytest.mark.parametrize("name", STORES)
@given(data=st.data())
@FEW
def test_merging_gives_each_row_as_the_last_job_returned_it(name, data):
    law(data, STORES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", STORES)
@given(data=st.data())
@MANY
def test_merging_gives_each_row_at_length(name, data):
    law(data, STORES[name])


@given(data=st.data())
@FEW
def test_a_virtual_result_in_the_order_of_its_files_has_the_same_rows(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "MOST_RUNS", 1)
        law(data, STORES["virtual"])


@pytest.mark.slow
@given(data=st.data())
@MANY
def test_a_virtual_result_in_the_order_of_its_files_at_length(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "MOST_RUNS", 1)
        law(data, STORES["virtual"])
