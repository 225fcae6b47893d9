"""Arrays that go from a worker to its caller by a mapped file arrive as they were."""

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from psyrun.mapper import mapped
from psyrun.mapper.mapped import Mapped

ROWS = 100
TYPES = st.one_of(
    arrays.scalar_dtypes(),
    arrays.array_dtypes(max_size=3),
    st.just(np.dtype(">f8")),
    st.just(np.dtype([("a", "i4"), ("b", "M8[ns]")])),
)


def column(dtype="f8", shape=(1000,), rows=ROWS):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    noise = np.random.default_rng(1)
    values = [np.frombuffer(bytearray(noise.bytes(size)), dtype).reshape(shape)] * rows
    return [value.copy() for value in values]


def bytes_of(values):
    return [(value.dtype, value.shape, value.tobytes()) for value in values]


@settings(deadline=None)
@given(TYPES, st.sampled_from([(64,), (8, 9), (1, 2, 40)]))
def test_any_type_arrives(dtype, shape):
    if not dtype.itemsize:
        return
    before = column(dtype, shape, rows=3)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "_LEAST_BYTES", 0)
        patch.setattr(mapped, "_LEAST_ARRAY_BYTES", 0)
        packed = Mapped.pack({"y": before}, Path(folder))
        assert packed.file is not None
        assert bytes_of(packed.unpack()["y"]) == bytes_of(before)
        assert list(Path(folder).iterdir()) == []


def test_other_columns_and_the_order_of_names_stay(tmp_path):
    before = {"n": list(range(ROWS)), "y": column(), "s": ["x"] * ROWS, "z": column("i2")}
    packed = Mapped.pack(before, tmp_path)
    assert [len(values) for values in packed.results.values()] == [ROWS, 0, ROWS, 0]
    after = packed.unpack()
    assert list(after) == list(before)
    assert (after["n"], after["s"]) == (before["n"], before["s"])
    assert bytes_of(after["z"]) == bytes_of(before["z"])


def test_an_array_that_repeats_is_pickled_once(tmp_path):
    assert Mapped.pack({"y": [np.zeros(1000)] * ROWS}, tmp_path).file is None


def test_no_file_stays_open(tmp_path):
    before = len(list(Path("/dev/fd").iterdir()))
    kept = [Mapped.pack({"y": column()}, tmp_path).unpack() for _ in range(20)]
    assert len(list(Path("/dev/fd").iterdir())) == before
    assert len(kept) == 20


def test_what_arrives_can_be_changed_and_stays_when_the_file_is_gone(tmp_path):
    after = Mapped.pack({"y": column()}, tmp_path).unpack()["y"]
    after[0][:] = 7
    assert (after[0] == 7).all()
    assert not (after[1] == 7).any()


@pytest.mark.parametrize(
    "values",
    [
        [np.array([None] * 200)] * ROWS,
        [*column()[1:], np.zeros(999)],
        [*column()[1:], np.zeros(1000, "f4")],
        [*column()[1:], 0.5],
        [np.asfortranarray(np.zeros((50, 50)))] * ROWS,
        [np.ma.zeros(1000)] * ROWS,
        [np.rec.array(np.zeros(1000, [("a", "f8")]))] * ROWS,
        [np.zeros(())] * ROWS,
        [np.zeros(10)] * ROWS,
        column(rows=2),
        [],
    ],
)
def test_what_is_no_column_of_large_plain_arrays_goes_as_it_is(tmp_path, values):
    packed = Mapped.pack({"y": values}, tmp_path)
    assert packed.file is None
    assert packed.unpack()["y"] is values


def test_arrays_that_must_not_be_written_stay_so(tmp_path):
    values = column()
    values[3].flags.writeable = False
    assert Mapped.pack({"y": values}, tmp_path).file is None


@pytest.mark.parametrize("name", ["writev", "lseek"])
def test_where_there_is_no_room_results_are_not_lost(tmp_path, monkeypatch, name):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, name, full)
    values = column()
    packed = Mapped.pack({"y": values}, tmp_path)
    assert packed.results["y"] is values
    assert list(tmp_path.iterdir()) == []


def test_a_system_that_takes_some_bytes_at_a_time_gets_all(tmp_path, monkeypatch):
    writev = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, parts: writev(fd, [parts[0][:100]]))
    values = column()
    assert bytes_of(Mapped.pack({"y": values}, tmp_path).unpack()["y"]) == bytes_of(values)
