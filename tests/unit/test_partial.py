"""Journals become one file of the task's store, and no row is lost on the way."""

import errno
import json
import math
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psyrun import files, rows
from psyrun.exceptions import StoreError, WorkdirError
from psyrun.files import read_record, write_record
from psyrun.gather import open_source
from psyrun.partial import AtHand, _from_journals, unpickled, verified, write_partial
from psyrun.pspace import Param
from psyrun.state import read_sources
from psyrun.store import H5Store, NpzStore, PickleStore, Store


class JsonStore(Store):
    """A user's own format, with the most likely extension of all."""

    ext = ".json"

    def save(self, filename, data):
        with Path(filename).open("w") as file:
            json.dump(data, file)

    def load(self, filename, row=None):
        with Path(filename).open() as file:
            return json.load(file)

    def append(self, filename, data):
        raise NotImplementedError


@pytest.fixture
def space(desk):
    return desk.space(Param(a=[10, 11, 12], b="x"))


def results_of(source, store):
    """Read all results of a source."""
    reader = open_source(source, store)
    return {name: list(reader.read(name, 0, reader.size)) for name in reader.names}


def only_source(desk):
    (source,) = read_sources(desk.workdir)
    return source


def names(desk):
    return sorted(path.name for path in desk.workdir.out_folder.iterdir())


def test_the_journals_go_once_the_partial_result_stands(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 2),)), {1: {"y": 1}, 0: {"y": 0}})
    assert names(desk) == ["1-0.json", "1-0.pkl"]
    source = only_source(desk)
    assert source.done == ((0, 2),)
    assert not source.is_journal
    data = pickle.loads(source.path.read_bytes())
    assert data == {"a": [10, 11], "b": ["x", "x"], "y": [0, 1]}


@pytest.mark.parametrize("others", [{"failed": {1: "no"}}, {}])
def test_nothing_is_written_while_a_row_is_failed_or_missing(desk, space, others):
    job = desk.job("1-0", space, ((0, 2),))
    desk.journal(job, {0: {}}, **others)
    assert not write_partial(desk.workdir, job, desk.spaces[space], desk.store)
    assert names(desk) == ["1-0.0.part"]


def test_journals_of_several_attempts_are_joined(desk, space):
    job = desk.job("1-0", space, ((0, 3),))
    desk.journal(job, {2: {"y": 2}, 0: {"y": "old"}})
    desk.journal(job, {1: {"y": 1}, 0: {"y": 0}})
    assert write_partial(desk.workdir, job, desk.spaces[space], desk.store)
    assert desk.store.load(only_source(desk).path)["y"] == [0, 1, 2]


def test_rows_with_gaps_keep_their_order(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 1), (2, 3))), {2: {"y": 2}, 0: {"y": 0}})
    assert desk.store.load(only_source(desk).path)["a"] == [10, 12]


def test_ranges_that_touch_are_one(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 1), (1, 2))), {0: {}, 1: {}})
    assert rows.count(only_source(desk).done) == 2


def test_a_partial_result_that_stands_is_left_alone(desk, space):
    job = desk.job("1-0", space, ((0, 1),))
    path = desk.partial(job, {0: {"y": 0}})
    before = path.stat().st_mtime_ns
    assert write_partial(desk.workdir, job, desk.spaces[space], desk.store)
    assert path.stat().st_mtime_ns == before


def test_a_partial_result_whose_note_is_missing_is_written_again(desk, space):
    job = desk.job("1-0", space, ((0, 1),))
    desk.workdir.out_folder.joinpath("1-0.pkl").write_bytes(b"half")
    desk.partial(job, {0: {"y": 5}})
    assert desk.store.load(only_source(desk).path)["y"] == [5]


def test_a_store_of_the_extension_json_does_not_lose_rows(desk, space):
    desk.store = JsonStore()
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {"y": 0}, 1: {"y": 1}})
    source = only_source(desk)
    assert source.done == ((0, 2),)
    assert results_of(source, desk.store) == {"y": [0, 1]}


def test_a_store_that_fails_leaves_the_journals(desk, space):
    class Failing(PickleStore):
        def save(self, filename, data):
            raise StoreError("cannot hold that")

    desk.store = Failing()
    with pytest.raises(StoreError, match="cannot hold that"):
        desk.partial(desk.job("1-0", space, ((0, 1),)), {0: {"y": 0}})
    assert names(desk) == ["1-0.0.part"]


def test_a_missing_result_key_becomes_nan(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {"y": 0}, 1: {"z": 1}})
    found = results_of(only_source(desk), desk.store)
    assert found["y"][0] == 0
    assert math.isnan(found["y"][1])
    assert math.isnan(found["z"][0])


def test_a_result_that_overrides_a_parameter_in_some_rows_only(desk, space):
    job = desk.job("1-0", space, ((1, 3),))
    desk.partial(job, {1: {"a": "new"}, 2: {"y": 1}})
    found = results_of(only_source(desk), desk.store)
    assert found["a"] == ["new", 12]


def test_a_journal_is_read_as_the_partial_result_would_be(desk, space):
    results = {0: {"y": 0, "a": "new"}, 1: {"z": 1}}
    desk.journal(desk.job("1-0", space, ((0, 3),)), results)
    from_journal = desk.merged(desk.run(space))
    for path in desk.workdir.journals():
        path.unlink()
    desk.partial(desk.job("2-0", space, ((0, 2),)), results)
    from_partial = desk.merged(desk.run(space))
    assert from_partial["a"] == ["new", 11]
    assert repr(from_journal) == repr(from_partial)


def test_excluded_parameters_are_left_out_of_the_file(desk, space):
    path = desk.partial(desk.job("1-0", space, ((0, 1),)), {0: {"y": 0}}, ("a", "y"))
    assert desk.store.load(path) == {"b": ["x"], "y": [0]}


def test_a_partial_result_of_wrong_crc_is_never_unpickled(desk, space):
    path = desk.partial(desk.job("1-0", space, ((0, 1),)), {0: {"y": 0}})
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)
    source = only_source(desk)
    with pytest.raises(WorkdirError, match=r"1-0\.pkl is damaged; remove it and run"):
        results_of(source, desk.store)
    assert verified([source]) == ([], [f"{path} is damaged and left out"])


def test_a_note_of_more_rows_than_the_file_has_is_damage(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {"y": 0}, 1: {"y": 1}})
    note = desk.workdir.partial_info("1-0")
    write_record(note, 1, read_record(note, 1) | {"rows": [[0, 3]]})
    with pytest.raises(WorkdirError, match="damaged"):
        results_of(only_source(desk), desk.store)


def test_a_damaged_place_in_a_journal_is_told(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 3),)), {0: "x" * 50, 1: {}})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"x" * 50) - 45] ^= 0xFF
    path.write_bytes(raw)
    kept, notes = verified(read_sources(desk.workdir))
    assert [source.done for source in kept] == [((1, 2),)]
    assert notes == [f"{path} is damaged in places; those rows are left out"]


class UnloadableError(Exception):
    """Pickles well, and cannot be made again from its message alone."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def test_a_result_that_cannot_be_loaded_again_is_told():
    with pytest.raises(StoreError, match=r"cannot be loaded.*TypeError"):
        unpickled([pickle.dumps({"error": UnloadableError(1, 2)})])


def test_a_result_of_a_class_that_is_gone_is_told():
    with pytest.raises(StoreError, match=r"not_there"):
        unpickled([b"cnot_there\nThing\n."])


def test_a_journal_that_shrank_since_is_damage(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 2),)), {0: {}, 1: {}})
    source = only_source(desk)
    os.truncate(path, path.stat().st_size - 3)
    with pytest.raises(WorkdirError, match="is damaged; run the task again"):
        results_of(source, desk.store)


class Outrun(PickleStore):
    """A store that, before it writes, lets another self of its job come first; then it dies."""

    atomic = True

    def __init__(self, first):
        self.first = first

    def save(self, filename, data):
        self.first()
        Path(filename).write_bytes(b"other bytes than those of the first")
        raise KeyboardInterrupt


def test_a_job_that_runs_twice_at_once_spoils_nothing(desk, space):
    job = desk.job("1-0", space, ((0, 2),))
    desk.journal(job, {0: {"y": 0}, 1: {"y": 1}})
    of_space = desk.spaces[space]

    def first():
        assert write_partial(desk.workdir, job, of_space, PickleStore())

    with pytest.raises(KeyboardInterrupt):
        write_partial(desk.workdir, job, of_space, Outrun(first))
    assert desk.merged(desk.run(space, size=2))["y"][:2] == [0, 1]
    assert verified(read_sources(desk.workdir))[1] == []


def test_both_selves_of_a_job_may_finish(desk, space):
    job = desk.job("1-0", space, ((0, 3),))
    desk.journal(job, {0: {"y": 0}, 1: {"y": 1}, 2: {"y": 2}})
    of_space = desk.spaces[space]

    class Late(PickleStore):
        def save(self, filename, data):
            assert write_partial(desk.workdir, job, of_space, PickleStore())
            super().save(filename, data)

    assert write_partial(desk.workdir, job, of_space, Late())
    assert desk.merged(desk.run(space))["y"] == [0, 1, 2]
    assert verified(read_sources(desk.workdir))[1] == []


def test_a_torn_tail_is_told_before_rows_are_relied_on(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 3),)), {0: {"y": 0}, 1: {"y": 1}})
    path.write_bytes(path.read_bytes()[:-3])
    (source,), (note,) = verified(read_sources(desk.workdir))
    assert source.done == ((0, 1),)
    assert str(path) in note
    assert "ends within a row" in note


def test_journals_stay_where_the_partial_result_is_damaged(desk, space):
    job = desk.job("1-0", space, ((0, 2),))
    path = desk.partial(job, {0: {"y": 0}, 1: {"y": 1}})
    desk.journal(job, {0: {"y": 0}, 1: {"y": 1}})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert write_partial(desk.workdir, job, desk.spaces[space], desk.store)
    sources, notes = verified(read_sources(desk.workdir))
    assert notes == []
    assert rows.count(sources[0].done) == 2


class Counting(PickleStore):
    """A store of a user whose `save` returns what it likes."""

    def save(self, filename, data):
        assert all(type(column) is list for column in data.values())
        with Path(filename).open("wb") as file:
            return file.write(pickle.dumps(data))


def test_what_a_users_store_returns_is_no_checksum(desk, space):
    desk.store = Counting()
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {"y": 0}, 1: {"y": 1}})
    source = only_source(desk)
    assert verified([source]) == ([replace(source, verified=True)], [])


def test_a_store_made_of_an_array_store_is_given_lists(desk, space):
    class Compressed(NpzStore):
        def save(self, filename, data):
            assert all(type(column) is list for column in data.values())
            np.savez_compressed(filename, **data)

    desk.store = Compressed()
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {"y": 0}, 1: {"y": 1}})
    assert results_of(only_source(desk), desk.store) == {"y": [0, 1]}


def test_a_job_is_written_part_by_part_where_its_journals_are_read(desk, space):
    job = desk.job("1-0", space, ((0, 1), (2, 3)))
    desk.journal(job, {2: {"y": 2}})
    desk.journal(job, {0: {"y": 0, "a": "own"}})
    for store in (H5Store(), PickleStore()):
        made = _from_journals(desk.workdir, job, desk.spaces[space], store)
        assert made is not None
        columns, results = made
        found = {name: list(column) for name, column in columns.items()}
        assert found == {"a": ["own", 12], "b": ["x", "x"], "y": [0, 2]}
        assert sorted(results) == ["a", "y"]


def test_journals_go_when_the_partial_result_is_on_the_disk_and_not_before(desk, monkeypatch):
    space = desk.space(Param(a=[1, 2]))
    job = desk.job("1-0", space, ((0, 2),))
    path = desk.journal(job, {0: {"b": 1}, 1: {"b": 2}})
    waiting: list[Any] = []
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync", synced.append)
    assert write_partial(
        desk.workdir,
        job,
        desk.spaces[space],
        desk.store,
        at_hand=AtHand(settle=lambda *given: waiting.append(given)),
    )
    assert (path.exists(), synced) == (True, [])
    ((later, then),) = waiting
    later.settle()
    then()
    assert not path.exists()
    out = desk.workdir.out_folder
    assert synced == [out / "1-0.pkl", out / "1-0.json", out]


def test_journals_stay_where_the_disk_does_not_take_the_partial_result(desk, monkeypatch):
    space = desk.space(Param(a=[1, 2]))
    job = desk.job("1-0", space, ((0, 2),))
    path = desk.journal(job, {0: {"b": 1}, 1: {"b": 2}})

    def broken(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "sync", broken)
    with pytest.raises(OSError, match="Input/output"):
        write_partial(desk.workdir, job, desk.spaces[space], desk.store)
    assert path.exists()


def test_a_note_that_stands_is_flushed_before_journals_go(desk, monkeypatch):
    space = desk.space(Param(a=[1, 2]))
    job = desk.job("1-0", space, ((0, 2),))
    desk.journal(job, {0: {"b": 1}, 1: {"b": 2}})
    killed = AtHand(settle=lambda *_: None)
    write_partial(desk.workdir, job, desk.spaces[space], desk.store, at_hand=killed)
    (path,) = desk.workdir.journals("1-0")
    synced = []
    monkeypatch.setattr(files, "sync", lambda p: synced.append((p, path.exists())))
    assert write_partial(desk.workdir, job, desk.spaces[space], desk.store)
    out = desk.workdir.out_folder
    assert synced == [(out / "1-0.pkl", True), (out / "1-0.json", True), (out, True)]
    assert not path.exists()
