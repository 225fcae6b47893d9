"""What is written of a parameter space comes back as it was: values and types."""

import enum
import json
import math
import pickle
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from psyrun import snapshot
from psyrun.exceptions import ParameterSpaceError, WorkdirError
from psyrun.pspace import Param, ParameterSpace


class Pair(NamedTuple):
    x: float
    y: float


@dataclass
class Point:
    x: int
    y: float


class Colour(enum.IntEnum):
    RED = 1


def written(space: ParameterSpace, folder: Path) -> Path:
    encoded = snapshot.encode(space)
    encoded.write(folder / encoded.digest())
    return folder / encoded.digest()


def again(space: ParameterSpace, folder: Path) -> ParameterSpace:
    return snapshot.load(written(space, folder))


def same(one, other) -> bool:
    """Equal in value and type, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray) and one.dtype == object:
        return one.shape == other.shape and same(one.tolist(), other.tolist())
    if isinstance(one, np.ndarray | np.generic):
        return (one.dtype, one.shape, one.tobytes()) == (
            other.dtype,
            other.shape,
            other.tobytes(),
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return repr(one) == repr(other) if isinstance(one, float) else bool(one == other)


COLUMNS = {
    "ints": [1, -2, 2**63 - 1, -(2**63)],
    "one beyond 64 bits": [1, 2**63],
    "one below 64 bits": [-(2**63) - 1],
    "huge ints": [10**400, -(10**400)],
    "bools": [True, False],
    "bools and ints": [True, 1, 0, False],
    "floats": [0.1, -0.0, math.inf, 5e-324],
    "ints and floats": [1, 1.0, 2],
    "nan": [math.nan, 1.0],
    "nan and ints": [math.nan, 1],
    "complex": [1j, -0j],
    "none": [None, None],
    "texts": ["", "a\0", "ä", "\U0001f600"],
    "lone surrogates": ["\ud800", "a\udc80b"],
    "bytes with zeros": [b"", b"\0", b"a\0\0"],
    "int enum": [Colour.RED, Colour.RED],
    "tuples": [(1, (2.0, "x")), ()],
    "named tuples": [Pair(1, 2), Pair(1.0, True)],
    "lists": [[1], [[]]],
    "dicts": [{"b": 1, "a": {2: 3}}, {}],
    "sets": [{1, 2}, frozenset({3})],
    "objects": [Point(1, 2.0), Point(3, 4.0)],
    "classes and functions": [Point, same, len, math.sin],
    "decimals": [Decimal("1.10"), Decimal("1.1")],
    "ranges": [range(3), range(0, 10, 2)],
    "scalars of numpy": [np.float32(0.1), np.int8(3), np.bool_(True), np.str_("x")],
    "a range": range(5, 0, -2),
    "an int array": np.array([1, 2], "i8"),
    "a small int array": np.array([1, 200], "u1"),
    "a bool array": np.array([True, False]),
    "a float32 array": np.array([0.1, np.nan], "f4"),
    "a float16 array": np.array([0.1, -0.0], "f2"),
    "a complex array": np.array([1j, 2]),
    "a big-endian array": np.array([1, 2], ">i4"),
    "an array of texts": np.array(["a", "\ud800"]),
    "an array of bytes": np.array([b"a", b"bcd"]),
    "an array of dates": np.array(["2020-01-01", "NaT"], "M8[s]"),
    "an array of durations": np.array([1, 2], "m8[ms]"),
    "a structured array": np.array([(1, 2.5, b"x"), (3, 4.5, b"y")], "i4,f8,S3"),
    "a nested structure": np.zeros(2, [("x", "f4", (2, 2)), ("y", [("z", "i2")])]),
    "an aligned structure": np.zeros(2, np.dtype("i1,f8", align=True)),
    "a 2-d array": np.arange(6).reshape(2, 3),
    "a 2-d array in Fortran's order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every second of an array": np.arange(10)[::2],
    "rows of no values": np.zeros((3, 0)),
    "an object array": np.array([None, "x", 2**70], dtype=object),
    "a 2-d object array": np.array([[None, "x"], [1, 2.0]], dtype=object),
    "no values": [],
    "no values in an array": np.zeros(0, "f4"),
    "no values in a range": range(0),
}


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_a_column_comes_back(tmp_path, values):
    space = Param(a=values)
    back = again(space, tmp_path)
    assert back.size == space.size
    assert same(back.build(), space.build())


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_one_row_and_a_block_come_back(tmp_path, values):
    space = Param(a=values)
    back = again(space, tmp_path)
    for row in range(space.size):
        assert same(back[row], space[row])
    assert same(back.columns(1, space.size), space.columns(1, space.size))
    backwards = range(space.size - 1, -1, -1)
    assert same(back.take(backwards), space.take(backwards))


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_what_came_back_has_the_same_digest(tmp_path, values):
    space = Param(a=values)
    back = again(space, tmp_path)
    assert back == space
    assert snapshot.encode(back).digest() == snapshot.encode(space).digest()


CONSTANTS = [1, 2**70, True, 1.5, math.nan, None, "x", b"\0", {"a": 1}, {1}, np.float32(0.1)]


@pytest.mark.parametrize("value", CONSTANTS, ids=repr)
def test_a_constant_comes_back(tmp_path, value):
    space = Param(a=value, b=range(3))
    assert same(again(space, tmp_path).build(), space.build())


def test_a_function_without_a_name_comes_back(tmp_path):
    offset = 10
    back = again(Param(f=[lambda x: x + offset, lambda x: x * 2]), tmp_path)
    assert [f(1) for f in back.build()["f"]] == [11, 2]


def test_what_cannot_be_pickled_is_refused_by_name():
    with pytest.raises(
        ParameterSpaceError, match=r"parameter 'b' .*make the object in execute"
    ):
        snapshot.encode(Param(a=[1], b=[(x for x in "abc")]))


BASE = Param(a=range(4)) * Param(b=[0.5, 1.5], c="x")

SPACES = {
    "nothing": Param(),
    "product": BASE,
    "product of products": Param(a=range(2)) * (Param(b=range(2)) * Param(c=range(2))),
    "sum": BASE + Param(a=[7], d=["new"]),
    "sum of sums": (Param(a=[1]) + Param(b=[2])) + (Param() + Param(a=[3], c=[None])),
    "difference": BASE - Param(a=[1, 3]),
    "difference with nothing left": Param(a=[1]) - Param(a=[1]),
    "where": BASE.where(lambda a, b: a > b),
    "where nothing holds": BASE.where(lambda a: False),
    "slice": BASE[2:6],
    "backwards": BASE[::-2],
    "empty slice": BASE[3:3],
    "slice of where of sum": (BASE + BASE).where(lambda a: a % 2)[1:],
    "product of where": BASE.where(lambda a: a) * Param(d=[True, 2]),
    "sum of slices": BASE[:2] + BASE[-2:],
    "empty product": Param(a=[]) * Param(b=[1]),
    "arrays": Param(a=np.arange(3)) * Param(b=np.eye(2)),
    "names": Param(**{"self": [1], "row": [2], "a b": [3], "ä": [4], "": [5], "\ud800": [6]}),
    "drawn": Param.random(5, seed=1, a=(0.0, 1.0), b=["x", "y"]),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_space_comes_back(tmp_path, space):
    back = again(space, tmp_path)
    assert back == space
    assert back.keys() == space.keys()
    assert same(back.build(), space.build())
    assert snapshot.encode(back).digest() == snapshot.encode(space).digest()


def test_a_huge_space_is_written_in_no_time(tmp_path):
    space = Param(a=range(10**12)) * Param(b=range(10**12))
    back = again(space, tmp_path)
    assert back.size == 10**24
    assert back[10**24 - 1] == {"a": 10**12 - 1, "b": 10**12 - 1}
    assert snapshot.load(next(tmp_path.iterdir()), verify=True).size == 10**24


def test_functions_of_where_are_not_written(tmp_path):
    folder = written(Param(a=range(3)).where(lambda a: a == 1), tmp_path)
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npy"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Param(a=[1]), Param(a=[2])),
        (Param(a=[1]), Param(b=[1])),
        (Param(a=[1]), Param(a=[1, 1])),
        (Param(a=[1], b=[2]), Param(b=[2], a=[1])),
        (Param(a=range(3)), Param(a=range(4))),
        (BASE[1:], BASE[2:]),
        (BASE.where(lambda a: a > 1), BASE.where(lambda a: a > 2)),
    ],
)
def test_other_spaces_have_other_digests(one, other):
    assert snapshot.encode(one).digest() != snapshot.encode(other).digest()


def test_a_snapshot_that_stands_is_left_alone(tmp_path):
    folder = written(Param(a=[1]), tmp_path)
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.iterdir())
    written(Param(a=[1]), tmp_path)
    assert before == sorted((path, path.stat().st_mtime_ns) for path in folder.iterdir())


SCRIPT = """
    import math, sys
    from pathlib import Path
    import numpy as np
    from psyrun import snapshot
    from psyrun.pspace import Param

    space = (
        Param(a=range(3), t=["x" + str(i) for i in range(3)], n=[{"k": (1, 2.5)}, None, 1j])
        * Param(b=[0.1, math.nan], c="const" + "ant", d=np.eye(2))
        + Param(a=[2**80], e=[b"\\0"])
    ).where(lambda a: a != 1)[1:]
"""


READS = """
import sys
from pathlib import Path
from typing import NamedTuple
from psyrun import snapshot
print(snapshot.load(Path(sys.argv[1])).build())
"""


def run_python(code, *arguments, hash_seed="random"):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={"PYTHONHASHSEED": hash_seed},
        check=True,
        text=True,
        capture_output=True,
    ).stdout


def test_equal_spaces_have_equal_digests_in_every_process():
    code = textwrap.dedent(SCRIPT) + "print(snapshot.encode(space).digest())"
    digests = {run_python(code, hash_seed=seed) for seed in ("1", "2")}
    assert len(digests) == 1


def test_a_fresh_process_reads_the_same_values(tmp_path):
    writes = textwrap.dedent(SCRIPT) + (
        "encoded = snapshot.encode(space)\n"
        "encoded.write(Path(sys.argv[1]) / encoded.digest())\n"
        "print(space.build())"
    )
    shown = run_python(writes, tmp_path)
    (folder,) = tmp_path.iterdir()
    assert run_python(READS, folder) == shown


def test_numbers_are_read_without_numpy(tmp_path):
    folder = written(Param(a=[1, 2], b=[0.5, 1.5], c="x")[1:], tmp_path)
    shown = run_python(READS + "print('numpy' in sys.modules)", folder)
    assert shown == "{'a': [2], 'b': [1.5], 'c': ['x']}\nFalse\n"


class Gone:
    """Stands for a class that the reader does not have."""


def test_values_of_a_class_that_is_gone_are_named(tmp_path, monkeypatch):
    folder = written(Param(thing=[Gone()]), tmp_path)
    monkeypatch.delattr(sys.modules[Gone.__module__], "Gone")
    with pytest.raises(WorkdirError, match=r"parameter 'thing' .*cannot be loaded .*Gone"):
        snapshot.load(folder)


def test_a_snapshot_that_is_not_there(tmp_path):
    with pytest.raises(
        WorkdirError, match=r"not there; remove the folder .*none, and run the task again"
    ):
        snapshot.load(tmp_path / "none")


def test_a_file_that_is_gone_is_named(tmp_path):
    folder = written(Param(a=["x"]), tmp_path)
    (folder / "0.pkl").unlink()
    with pytest.raises(WorkdirError, match=r"0\.pkl"):
        snapshot.load(folder)


def test_a_damaged_pickle_is_never_read(tmp_path):
    folder = written(Param(a=["x"]), tmp_path)
    (folder / "0.pkl").write_bytes(pickle.dumps(("y",)))
    with pytest.raises(WorkdirError, match=r"0\.pkl is damaged"):
        snapshot.load(folder)


def test_damaged_row_numbers_are_never_used(tmp_path):
    folder = written(Param(a=range(9)).where(lambda a: a % 2), tmp_path)
    (path,) = folder.glob("*.npy")
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 1
    path.write_bytes(raw)
    with pytest.raises(WorkdirError, match=r"0\.npy is damaged"):
        snapshot.load(folder)


def test_a_format_of_a_later_psyrun_is_not_misread(tmp_path):
    folder = written(Param(a=["x"]), tmp_path)
    path = folder / "space.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(WorkdirError, match="format 2"):
        snapshot.load(folder)


STRUCTURES = [
    "[]",
    "null",
    "{}",
    '{"format": 1, "size": 1, "names": ["a"]}',
    '{"format": 1, "space": 3}',
    '{"format": 1, "space": {"node": "other"}}',
    '{"format": 1, "space": {"node": "product", "of": []}}',
    '{"format": 1, "space": {"node": "param", "size": 2, "columns": []}}',
    '{"format": 1, "space": {"node": "param", "size": 1, "columns": [3]}}',
    (
        '{"format": 1, "space": {"node": "param", "size": 1, "columns": '
        '[{"name": "a", "as": "range", "range": [0, 1, 0]}]}}'
    ),
    (
        '{"format": 1, "space": {"node": "param", "size": 7, "columns": '
        '[{"name": "a", "as": "range", "range": [0, 3, 1]}]}}'
    ),
]


@pytest.mark.parametrize("text", STRUCTURES)
def test_a_damaged_structure_is_named(tmp_path, text):
    folder = written(Param(a=["x"]), tmp_path)
    (folder / "space.json").write_text(text)
    with pytest.raises(WorkdirError, match="is damaged"):
        snapshot.load(folder)


def test_a_damaged_array_is_named(tmp_path):
    folder = written(Param(a=np.arange(3, dtype="f4")), tmp_path)
    path = folder / "0.npy"
    for raw in (
        b"",
        b"PK\3\4",
        path.read_bytes()[:-1],
        path.read_bytes().replace(b"f4", b"X4"),
    ):
        path.write_bytes(raw)
        with pytest.raises(WorkdirError, match=r"0\.npy is damaged|cannot read .*0\.npy"):
            snapshot.load(folder)


def test_an_array_of_other_length_is_named(tmp_path):
    folder = written(Param(a=np.arange(3, dtype="f4")), tmp_path)
    np.save(folder / "0.npy", np.arange(2, dtype="f4"))
    with pytest.raises(WorkdirError, match=r"0\.npy is damaged .*size"):
        snapshot.load(folder)


def test_moves_come_back(tmp_path):
    snapshot.write_moves(tmp_path / "m.npy", [3, -1, 0])
    assert snapshot.read_moves(tmp_path / "m.npy") == [3, -1, 0]


def test_moves_of_no_rows_come_back(tmp_path):
    snapshot.write_moves(tmp_path / "m.npy", [])
    assert snapshot.read_moves(tmp_path / "m.npy") == []


def test_no_moves_are_none(tmp_path):
    assert snapshot.read_moves(tmp_path / "m.npy") is None


def test_every_file_is_listed_that_is_damaged_or_gone(tmp_path):
    folder = written(Param(a=[1, 2], b=["x", "y"], c=[0.5, 1.5]), tmp_path)
    assert snapshot.damaged_files(folder) == []
    (folder / "0.npy").unlink()
    (folder / "1.pkl").write_bytes(b"not a pickle")
    assert snapshot.damaged_files(folder) == [folder / "0.npy", folder / "1.pkl"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "{"])
def test_a_structure_is_listed_that_cannot_be_used(tmp_path, text):
    folder = written(Param(a=[1, 2]), tmp_path)
    (folder / "space.json").write_text(text)
    assert snapshot.damaged_files(folder) == [folder / "space.json"]
