import math
import pickle
import struct
from array import array

import numpy as np
import pytest

from psyrun import npy
from psyrun.exceptions import WorkdirError
from psyrun.npy import NumberColumn


def written(path, code, values):
    path.write_bytes(b"".join(npy.encode(code, values)))
    return path


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("q", [0, -1, 2**63 - 1, -(2**63)]),
        ("d", [0.0, -0.0, 0.1, 5e-324, math.inf, -math.inf]),
        ("?", [True, False, True]),
    ],
)
def test_values_and_types_come_back(tmp_path, code, values):
    column = NumberColumn(written(tmp_path / "x.npy", code, values))
    assert len(column) == len(values)
    assert column[:] == values
    assert [column[i] for i in range(len(values))] == values
    assert list(map(repr, column[:])) == list(map(repr, values))
    assert set(map(type, column[:])) == {type(values[0])}


def test_the_bits_of_nan_come_back(tmp_path):
    (odd,) = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF))
    column = NumberColumn(written(tmp_path / "x.npy", "d", [odd]))
    assert struct.pack("<d", column[0]) == struct.pack("<d", odd)


@pytest.mark.parametrize(("code", "values"), [("q", [1, 2]), ("d", [1.5]), ("?", [True])])
def test_numpy_reads_what_is_written(tmp_path, code, values):
    array_read = np.load(written(tmp_path / "x.npy", code, values), allow_pickle=False)
    assert array_read.tolist() == values
    assert array_read.dtype.str == npy.DESCRIPTIONS[code]


@pytest.mark.parametrize("dtype", ["i8", "f8", "?"])
def test_what_numpy_writes_is_read(tmp_path, dtype):
    np.save(tmp_path / "x.npy", np.ones(3, dtype))
    assert NumberColumn(tmp_path / "x.npy")[:] == [1, 1, 1]


def test_a_column_of_nothing_comes_back(tmp_path):
    assert NumberColumn(written(tmp_path / "x.npy", "q", []))[:] == []


def test_slices_and_negative_places(tmp_path):
    column = NumberColumn(written(tmp_path / "x.npy", "q", range(10)))
    assert column[2:8:3] == [2, 5]
    assert column[-1] == 9
    with pytest.raises(IndexError):
        column[10]


def test_any_sequence_of_indices_can_be_written(tmp_path):
    for values in (range(3), array("q", [0, 1, 2]), np.arange(3), (0, 1, 2)):
        assert NumberColumn(written(tmp_path / "x.npy", "q", values))[:] == [0, 1, 2]


def test_a_column_is_pickled_as_the_name_of_its_file(tmp_path):
    column = NumberColumn(written(tmp_path / "x.npy", "q", range(100_000)))
    pickled = pickle.dumps(column)
    assert len(pickled) < 1000
    assert pickle.loads(pickled)[:] == list(range(100_000))


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:5],
        lambda raw: raw[:60],
        lambda raw: raw[:-1],
        lambda raw: raw[:-8],
        lambda raw: raw + b"12345678",
        lambda raw: b"X" + raw[1:],
        lambda raw: raw.replace(b"i8", b"i4"),
        lambda raw: raw.replace(b"(3,)", b"(3 )"),
        lambda raw: raw.replace(b"(3,)", b"(03)"),
        lambda raw: raw.replace(b"{", b"["),
        lambda raw: raw.replace(b"shape", b"ship_"),
        lambda raw: raw.replace(b"'<i8'", b"['a']"),
    ],
)
def test_damage_is_named(tmp_path, damage):
    path = written(tmp_path / "x.npy", "q", [1, 2, 3])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WorkdirError, match=r"x\.npy is damaged .*run the task again"):
        NumberColumn(path)


def test_no_file_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        NumberColumn(tmp_path / "x.npy")
