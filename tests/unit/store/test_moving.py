"""Bytes moved into a file, and the datasets that this is done for."""

import zlib

import h5py
import numpy as np
import pytest
import tables

from psyrun.exceptions import StoreError
from psyrun.merge import Merger
from psyrun.partial import save_whole, write_note
from psyrun.pspace import Param
from psyrun.store import H5Store, h5moves, h5reader, h5types, hastening, moving
from psyrun.store.h5moves import stretch_of
from psyrun.store.hastening import hastened
from psyrun.store.moving import Move, carry_out


@pytest.fixture(params=[3, 8, 1 << 10])
def _block(request, monkeypatch):
    monkeypatch.setattr(moving, "_BLOCK", request.param)
    monkeypatch.setattr(moving, "_RESERVED_BYTES", request.param)


@pytest.mark.usefixtures("_block")
def test_bytes_move_between_those_that_stay(tmp_path):
    one, other, target = (tmp_path / name for name in ("one", "other", "target"))
    one.write_bytes(b"0123456789")
    other.write_bytes(b"abcdefghij")
    target.write_bytes(b"." * 20)
    moves = [Move(12, 4, one, 6), Move(3, 5, other, 0), Move(8, 2, one, 1)]
    crc = carry_out(target, moves)
    assert target.read_bytes() == b"...abcde12..6789...."
    assert crc == zlib.crc32(target.read_bytes())


def test_a_source_that_ends_too_early_is_told(tmp_path):
    (tmp_path / "one").write_bytes(b"0123")
    (tmp_path / "target").write_bytes(b"." * 20)
    with pytest.raises(StoreError, match="one is damaged: it ends too early"):
        carry_out(tmp_path / "target", [Move(0, 5, tmp_path / "one", 0)])


def test_few_sources_are_open_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(moving, "_MOST_FILES", 1)
    for number in range(3):
        (tmp_path / str(number)).write_bytes(bytes([number]) * 4)
    (tmp_path / "target").write_bytes(b"." * 8)
    carry_out(tmp_path / "target", [Move(k, 1, tmp_path / str(k % 3), 0) for k in range(8)])
    assert (tmp_path / "target").read_bytes() == bytes([0, 1, 2, 0, 1, 2, 0, 1])


@pytest.mark.parametrize(
    ("options", "moves"),
    [
        ({"chunks": (4, 3)}, True),
        ({"chunks": None}, True),
        ({"chunks": (4, 2)}, False),
        ({"chunks": (4, 3), "compression": "gzip"}, False),
        ({"chunks": (4, 3), "fletcher32": True}, False),
    ],
)
def test_rows_have_a_place_where_they_are_whole_and_plain(tmp_path, options, moves):
    values = np.arange(30.0).reshape(10, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("v", data=values, **options)
    with h5py.File(tmp_path / "a.h5") as file:
        stretch = stretch_of(file["v"])
    assert (stretch is not None) is moves
    if stretch is not None:
        raw = (tmp_path / "a.h5").read_bytes()
        for row in range(10):
            place, together = stretch.at(row)
            assert together >= 1
            assert raw[place : place + 24] == values[row].tobytes()


def test_rows_have_no_place_where_some_were_never_written(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("v", (8,), "f8", chunks=(4,), maxshape=(None,))
        dataset[:4] = 1
        file.create_dataset("texts", data=["a", "b"])
    with h5py.File(tmp_path / "a.h5") as file:
        assert stretch_of(file["v"]) is None
        assert stretch_of(file["texts"]) is None


def partials(desk, jobs, share):
    space = desk.space(Param(a=range(jobs * share)))
    for number in range(jobs):
        bounds = number * share, (number + 1) * share
        job = desk.job(f"1-{number}", space, (bounds,))
        path = next(iter(desk.workdir.new_partial(job.name, ".h5")))
        values = np.arange(*bounds)[:, None] + np.zeros(200)
        check = save_whole(desk.store, path, {"v": values, "w": values[:, 0]})
        write_note(desk.workdir, job, path, check, [], ["v", "w"])
    return space


def merged(desk, space, path):
    merger = Merger(desk.state(desk.run(space)), desk.spaces[space], desk.store)
    save_whole(desk.store, path, merger.columns())
    merger.close()


def test_where_all_rows_move_no_value_is_read(desk, tmp_path, monkeypatch):
    desk.store = H5Store()
    space = partials(desk, jobs=7, share=301)
    opened, written = [], []
    opening, writing = h5reader._opened, h5types.write_rows

    def count_opening(path, cache):
        opened.append(path)
        return opening(path, cache)

    def count_writing(dataset, start, block):
        written.append(dataset.name)
        writing(dataset, start, block)

    monkeypatch.setattr(h5moves, "_WORTH_MOVING", 0)
    monkeypatch.setattr(h5reader, "_opened", count_opening)
    monkeypatch.setattr(h5types, "write_rows", count_writing)
    monkeypatch.setattr(h5reader, "from_file", None)  # a read would fail
    merged(desk, space, tmp_path / "r.h5")
    assert {*written} == {"/psyrun/a"}
    assert len(opened) == len({*opened}) == 7


def test_a_result_of_moved_rows_is_read_and_extended_by_others(desk, tmp_path):
    desk.store = H5Store()
    space = partials(desk, jobs=3, share=301)
    merged(desk, space, tmp_path / "r.h5")
    with tables.open_file(str(tmp_path / "r.h5")) as file:
        assert file.root.psyrun.v[:, 7].tolist() == list(range(903))
    with h5py.File(tmp_path / "r.h5", "r+") as file:
        file["psyrun/v"].resize(1000, axis=0)
        file["psyrun/v"][903:] = -1
        assert file["psyrun/v"][902:905, 0].tolist() == [902, -1, -1]


def test_runs_too_short_to_be_worth_it_do_not_move(desk, tmp_path, monkeypatch):
    desk.store = H5Store()
    space = partials(desk, jobs=3, share=2)
    monkeypatch.setattr(moving, "carry_out", None)
    merged(desk, space, tmp_path / "r.h5")
    assert H5Store().load(tmp_path / "r.h5")["w"].tolist() == list(range(6))


def test_what_the_disk_does_not_take_meanwhile_is_told(tmp_path, monkeypatch):
    def fail(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hastening, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr("os.fsync", fail)
    path = tmp_path / "large"
    path.write_bytes(b"x")
    with pytest.raises(OSError, match="No space left"), hastened(path, 1 << 30):
        pass


def test_the_disk_is_not_hastened_for_a_small_file(tmp_path):
    with hastened(tmp_path / "not there", 5):
        pass
    with hastened(tmp_path / "not there", 1 << 30):
        pass
