"""Rows read from the files that hold them: journals, partial results, a few open at once."""

import math

import numpy as np
import pytest

from psyrun import journalreader
from psyrun.exceptions import WorkdirError
from psyrun.gather import Layout, Pool, open_source
from psyrun.journalreader import ABSENT, JournalReader
from psyrun.pspace import Param
from psyrun.snapshot import write_moves
from psyrun.state import read_sources
from psyrun.store import H5Store, NpzStore, PickleStore
from psyrun.store.forms import UnholdableError


@pytest.fixture
def space(desk):
    return desk.space(Param(a=range(8)))


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(journalreader, "_BLOCK_BYTES", 60)


def journal(desk, space, results, parameters=()):
    desk.journal(desk.job("1-0", space, ((0, 8),)), results)
    (source,) = read_sources(desk.workdir)
    return JournalReader(source, parameters)


def test_rows_of_a_journal_are_read_in_their_order(desk, space):
    reader = journal(desk, space, {5: {"y": 5}, 0: {"y": 0}, 2: {"y": 2}, 3: {"y": 3}})
    assert (reader.size, reader.names) == (4, ["y"])
    assert len(reader._cuts) > 2
    assert reader.read("y", 0, 4) == [0, 2, 3, 5]
    assert reader.read("y", 1, 3) == [2, 3]
    assert list(reader.take("y", np.array([3, 0]))) == [5, 0]


def test_of_a_row_that_is_there_twice_the_last_counts(desk, space):
    job = desk.job("1-0", space, ((0, 8),))
    path = desk.journal(job, {0: {"y": "first"}, 1: {"y": 1}})
    other = desk.journal(job, {0: {"y": "second"}})
    with path.open("ab") as file:
        raw = other.read_bytes()
        file.write(raw)
    other.unlink()
    (source,) = read_sources(desk.workdir)
    assert JournalReader(source).read("y", 0, 2) == ["second", 1]


def test_what_was_added_since_does_not_count(desk, space):
    job = desk.job("1-0", space, ((0, 8),))
    path = desk.journal(job, {0: {"y": 0}})
    (source,) = read_sources(desk.workdir)
    other = desk.journal(job, {7: {"z": 7}})
    with path.open("ab") as file:
        file.write(other.read_bytes())
    reader = JournalReader(source)
    assert (reader.size, reader.names, reader.read("y", 0, 1)) == (1, ["y"], [0])


def test_a_row_that_was_damaged_since_is_told(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 8),)), {0: {"y": "x" * 50}, 1: {"y": 1}})
    (source,) = read_sources(desk.workdir)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"x" * 50)] ^= 1
    path.write_bytes(raw)
    with pytest.raises(WorkdirError, match=r"1-0.*\.part is damaged; run the task again"):
        JournalReader(source)


def test_a_journal_that_was_emptied_since_is_told(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 8),)), {0: {"y": 1}})
    (source,) = read_sources(desk.workdir)
    path.write_bytes(b"")
    with pytest.raises(WorkdirError, match="is damaged"):
        JournalReader(source)


def test_names_that_appear_late_have_gaps_before(desk, space):
    results = {row: {"y": row} for row in range(6)} | {6: {"z": 1, "y": 6}}
    reader = journal(desk, space, results)
    assert reader.names == ["y", "z"]
    assert all(map(math.isnan, reader.read("z", 0, 6)))
    assert reader.read("z", 6, 7) == [1]
    assert reader.form("y").array_dtype == np.int64
    assert reader.form("z").array_dtype == np.float64


def test_a_parameter_that_is_not_overridden_is_absent(desk, space):
    results = {row: {"y": row} for row in range(6)} | {6: {"a": "x", "y": 6}}
    reader = journal(desk, space, results, ["a"])
    assert reader.read("a", 0, 7) == [ABSENT] * 6 + ["x"]
    assert reader.form("a").dtype.kind == "U"
    assert reader.lacking == {"a"}


def test_a_column_that_no_array_holds_is_told_by_itself(desk, space):
    reader = journal(desk, space, {0: {"y": 1, "z": 1}, 1: {"y": "a", "z": 2}, 2: {"y": 1}})
    assert reader.form("z").fills
    with pytest.raises(UnholdableError, match="numbers in some rows and texts in others"):
        reader.form("y")


def layout(desk, space, **options):
    return Layout(desk.state(desk.run(space)), **options)


def pieces(found, start, stop):
    return [
        (number, *(np.arange(20)[place].tolist() for place in each))
        for number, *each in found.pieces(start, stop)
    ]


def test_rows_that_follow_each_other_are_one_run(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 3), (5, 8))), {r: {} for r in (0, 1, 2, 5, 6, 7)})
    desk.partial(desk.job("1-1", space, ((3, 5),)), {3: {}, 4: {}})
    found = layout(desk, space)
    assert found.starts.tolist() == [0, 3, 5, 8]
    assert (found.owner.tolist(), found.place.tolist()) == ([0, 1, 0], [0, 0, 3])
    assert pieces(found, 2, 6) == [(0, [0], [2]), (1, [1, 2], [0, 1]), (0, [3], [3])]
    assert found.sources() == [0, 1]
    assert [p.tolist() for p in found.places(0, 4)] == [[0, 1, 2, 3], [4, 5]]


def test_many_runs_are_gathered_source_by_source(desk):
    space = desk.space(Param(a=range(20)))
    even = tuple((row, row + 1) for row in range(0, 20, 2))
    odd = tuple((row, row + 1) for row in range(1, 20, 2))
    desk.partial(desk.job("1-0", space, even), {r: {} for r, _ in even})
    desk.partial(desk.job("1-1", space, odd), {r: {} for r, _ in odd})
    found = layout(desk, space)
    assert pieces(found, 3, 17) == [
        (0, list(range(1, 14, 2)), list(range(2, 9))),
        (1, list(range(0, 14, 2)), list(range(1, 8))),
    ]


def test_rows_may_come_in_the_order_of_their_files(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 1), (2, 3))), {0: {}, 2: {}})
    desk.partial(desk.job("1-1", space, ((1, 2), (3, 4))), {1: {}, 3: {}})
    found = layout(desk, space, by_file=True)
    assert found.rows.tolist() == [0, 2, 1, 3]
    assert found.starts.tolist() == [0, 2, 4]


def test_rows_that_are_not_done_have_no_place(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 8),)), {6: {}, 2: {}}, {3: "no"})
    found = layout(desk, space)
    assert found.rows.tolist() == [2, 6]
    assert pieces(found, 0, 2) == [(0, [0, 1], [0, 1])]


def test_nothing_done_is_an_empty_layout(desk, space):
    found = layout(desk, space)
    assert (found.size, found.sources(), pieces(found, 0, 0)) == (0, [], [])


def test_moved_rows_stand_where_they_went(desk, space):
    new = desk.space(Param(a=[2, 1, 9]))
    desk.partial(desk.job("1-0", space, ((0, 8),)), {r: {} for r in range(8)})
    write_moves(desk.workdir.moves(space, new), [-1, 1, 0, -1, -1, -1, -1, -1])
    found = layout(desk, new)
    assert (found.rows.tolist(), found.place.tolist()) == ([0, 1], [2, 1])


@pytest.fixture
def pool(desk, space):
    for row in range(8):
        desk.store = (NpzStore(), H5Store(), H5Store(layout="table"), PickleStore())[row % 4]
        desk.partial(desk.job(f"1-{row}", space, ((row, row + 1),)), {row: {"y": row}})
    return Pool(read_sources(desk.workdir), H5Store(), ["a"])


def closed(reader):
    file = getattr(reader.reader, "_raw", getattr(reader.reader, "_file", None))
    return file is None or getattr(file, "closed", False) or not getattr(file, "id", True)


def test_few_files_stay_open_and_formats_may_differ(pool):
    pool._most = 2
    for row in (*range(8), 0, 7):
        reader = pool.reader(row)
        assert list(pool.read(row, "y", slice(0, 1))) == [row]
        assert list(pool.read(row, "y", np.array([0, 0]))) == [row, row]
        assert pool.names(row) == ["y"] == list(reader.names)
        assert len(pool._open) <= 2
    assert pool.reader(7) is reader


def test_what_is_evicted_is_closed(pool):
    pool._most = 1
    first = pool.reader(0)
    pool.reader(1)
    assert closed(first)
    second = pool.reader(1)
    pool.close()
    assert closed(second)


def test_a_partial_result_without_its_columns_is_told(desk, space):
    path = desk.partial(desk.job("1-0", space, ((0, 1),)), {0: {"y": 1}})
    PickleStore().save(path, {"a": [0]})
    (source,) = [s for s in [open_partial(desk)] if s]
    with pytest.raises(WorkdirError, match=r"1-0\.pkl is damaged"):
        open_source(source, PickleStore())


def open_partial(desk):
    from dataclasses import replace

    from psyrun.files import read_record
    from psyrun.state import PARTIAL_FORMAT, Source

    info = read_record(desk.workdir.partial_info("1-0"), PARTIAL_FORMAT)
    path = desk.workdir.out_folder / info["file"]
    source = Source(path, "1-0", info["snapshot"], info["code"], ((0, 1),), info=info)
    return replace(source, verified=True)
