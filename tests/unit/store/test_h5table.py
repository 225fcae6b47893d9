"""Results as one table: what is kept, that PyTables reads it, and what indexes find."""

import datetime as dt
import math
import random
import subprocess
import sys
from typing import Any

import h5py
import numpy as np
import pytest
import tables

from psyrun.exceptions import StoreError
from psyrun.store import AutodetectStore, H5Store, arraycolumns, h5index, store_for
from psyrun.store.base import Labelled
from psyrun.store.h5table import TableReader

NAN = math.nan
VALUES: dict[str, Any] = {
    "i": [1, -2, 3],
    "f": [0.5, NAN, math.inf],
    "b": [True, False, True],
    "c": [1j, 2 + 0j, 0j],
    "t": ["ä", "", "日本"],
    "raw": [b"ab", b"", b"\0a"],
    "when": [dt.datetime.fromisoformat("2024-01-01T12:30"), NAN, NAN],
    "day": [dt.date(2024, 1, 1), dt.date(1, 1, 1), NAN],
    "took": [dt.timedelta(1), dt.timedelta(-2), NAN],
    "padded": [[1, 2], [3], []],
    "texts": [["a", "bcd"], ["e"], []],
    "grid": list(np.arange(18).reshape(3, 2, 3)),
    "u8": [2**63, 1, 2],
    "half": np.arange(3, dtype=np.float16),
    "long": np.arange(3, dtype=np.longdouble),
    "clong": np.arange(3, dtype=np.clongdouble),
    "single": np.arange(3, dtype=np.complex64),
    "swapped": np.arange(3, dtype=">i4"),
    "i1": np.arange(3, dtype=np.int8),
    "wide": ["x" * 300, "é" * 2000, ""],
    "wide raw": [b"x" * 4096, b"y", b""],
    "gap": [1, NAN, 3],
    "flags": [True, NAN, False],
    "nothing": [NAN, NAN, NAN],
}
NAMES = [
    *("", " ", "root.a", "x/y", "日本", "a\0b", "_v_x", "_f_x", "_g_x", "_c_x", "_", "lambda"),
    *("table", "column_0", "c0", "c1", "c2_", "filler", "no_columns", "CLASS", "x" * 200),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "r.h5"


@pytest.fixture
def indexed(monkeypatch):
    """Give even small tables an index."""
    monkeypatch.setattr(h5index, "FEWEST_ROWS", 0)


def same(one, other):
    one, other = np.asarray(one), np.asarray(other)
    numbers = one.dtype.kind in "fcmM"
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=numbers)


TABLE = H5Store(layout="table")


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_as_other_formats_give_them_back(path, name):
    column = arraycolumns.ListColumn(VALUES[name])
    TABLE.save(path, {name: VALUES[name]})
    back = H5Store().load(path)[name]
    expected = column.array(0, 3)
    assert same(back, expected)
    assert back.dtype.kind == expected.dtype.kind
    assert back.dtype.kind == "U" or back.dtype == expected.dtype.newbyteorder("=")


def test_all_kinds_of_columns_stand_in_one_table(path):
    TABLE.save(path, VALUES)
    back = TABLE.load(path)
    assert list(back) == list(VALUES)
    for row in range(3):
        one = TABLE.load(path, row=row)
        assert all(same(one[name], back[name][row : row + 1]) for name in VALUES)


def test_names_come_back(path):
    data = {name: [place] for place, name in enumerate(NAMES)}
    TABLE.save(path, data)
    back = TABLE.load(path)
    assert {name: column.tolist() for name, column in back.items()} == data
    assert list(back) == NAMES


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
@pytest.mark.parametrize("dtype", ["f8", "U1", "M8[s]", "S3", "?"])
def test_rows_without_elements_come_back(path, shape, dtype):
    data = {"a": np.empty((3, *shape), dtype), "b": [1, 2, 3], "c": np.empty((3, 0), dtype)}
    TABLE.save(path, data)
    back = TABLE.load(path)
    assert list(back) == ["a", "b", "c"]
    assert (back["a"].shape, back["c"].shape) == ((3, *shape), (3, 0))
    assert back["a"].dtype.kind == np.dtype(dtype).kind
    TABLE.save(path, {"a": data["a"]})
    assert TABLE.load(path)["a"].shape == (3, *shape)


@pytest.mark.parametrize("data", [{}, {"a": []}, {"a": np.empty((0, 3), "U2"), "b": []}])
def test_no_rows_come_back(path, data):
    TABLE.save(path, data)
    with TABLE.open(path) as reader:
        assert (reader.size, reader.names) == (0, list(data))
        assert [reader.read(n, 0, 0).shape for n in data] == [
            np.shape(c) for c in data.values()
        ]
        assert reader.where("True").tolist() == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([b"a\0"], ".*bytes that end in NUL; layout='columns' can"),
        (["x" * 5000], ".*up to 5,000 bytes.*4,096; layout='columns' can"),
        (np.zeros(1, "i4,f8"), ".*layout='columns' may"),
        ([object()], ".*type object"),
    ],
)
def test_what_a_table_cannot_hold_is_refused_by_name(path, values, words):
    with pytest.raises(StoreError, match=f"'bad': {words}"):
        TABLE.save(path, {"bad": values})
    assert not path.exists()


def test_too_wide_a_text_is_refused_before_it_is_a_result():
    TABLE.check({"a": 1, "b": "x" * 4096})
    with pytest.raises(StoreError, match=r"'b': .*4,096"):
        TABLE.check({"a": 1, "b": "x" * 4097})
    H5Store().check({"b": "x" * 4097})


def test_more_columns_than_hdf5_takes_are_refused(path):
    with pytest.raises(StoreError, match=r"no place for 5000 columns.*layout='columns'"):
        TABLE.save(path, {f"column {place}": [1] for place in range(5000)})


def test_many_columns_and_wide_rows_are_no_warning(path):
    TABLE.save(
        path, {f"c{place}": [1] for place in range(600)} | {"a": np.zeros((2, 10**5))[:1]}
    )
    assert len(TABLE.load(path)) == 601


def test_attributes_and_units_come_back(path):
    attributes, units = {"task": "té", "fingerprint": ""}, {"a": "mV", "x/y": "µs."}
    TABLE.save(path, Labelled({"a": [1], "b": [2], "x/y": [3]}, attributes, units))
    TABLE.append(path, {"a": [2]})
    with H5Store().open(path) as reader:
        assert (reader.attributes, reader.units) == (attributes, units)


def test_rows_are_appended_and_texts_widen(path):
    TABLE.save(path, {"t": ["a"], "i": [1]})
    TABLE.append(path, {"t": ["b" * 300], "n": [2.5]})
    back = TABLE.load(path)
    assert back["t"].tolist() == ["a", "b" * 300]
    assert same(back["i"], [1.0, NAN])
    assert same(back["n"], [NAN, 2.5])
    with TABLE.open(path) as reader:
        assert reader.form("t").array_dtype == np.dtype(object)


def test_rows_are_written_and_read_in_blocks(path, monkeypatch):
    monkeypatch.setattr(arraycolumns, "BLOCK_BYTES", 100)
    TABLE.save(path, {"a": np.arange(50), "t": list(map(str, range(50)))})
    with TABLE.open(path) as reader:
        assert reader.read("a", 10, 20).tolist() == list(range(10, 20))
        assert reader.read("t", 10, 20).tolist() == list(map(str, range(10, 20)))
        assert reader.read("a", 45, 99).tolist() == list(range(45, 50))
        assert reader.read("a", 9, 3).tolist() == []


def test_what_is_read_can_be_changed_without_changing_what_is_read_next(path):
    TABLE.save(path, {"a": [1, 2]})
    with TABLE.open(path) as reader:
        reader.read("a", 0, 2)[:] = 0
        assert reader.read("a", 0, 2).tolist() == [1, 2]


@pytest.mark.parametrize("node", ["/psyrun", "/my group/inner"])
def test_a_store_of_any_layout_reads_both(path, node):
    H5Store(node, layout="table").save(path, {"a": [1]})
    assert H5Store(node).load(path)["a"].tolist() == [1]
    H5Store(node).save(path, {"a": [2], "table": [3]})
    assert H5Store(node, layout="table").load(path)["a"].tolist() == [2]


def test_the_store_of_an_extension_reads_it(path):
    TABLE.save(path, {"a": [1, 2]})
    assert store_for(path).load(path)["a"].tolist() == [1, 2]
    with AutodetectStore().open(path) as reader:
        assert reader.where("a > 1").tolist() == [1]


def test_plain_pytables_reads_a_table(path):
    data = {"a": [1, 2], "name": ["é", "x"], "m": [[1.0, 2.0], [3.0, 4.0]], "root.a": [5, 6]}
    TABLE.save(path, Labelled(data, {"task": "t"}, {"a": "mV"}))
    with tables.open_file(str(path)) as file:
        table = file.root.psyrun.table
        assert table.colnames == ["a", "name", "m", "c3"]
        assert table.read_where("a > 1")["m"].tolist() == [[3.0, 4.0]]
        assert table.col("name")[0].decode() == "é"
        assert table.attrs["column_0"] == '{"units": "mV"}'
        assert table.attrs["column_3"] == '{"name": "root.a"}'
        assert file.root.psyrun._v_attrs["task"] == "t"
        assert (table.filters.complib, table.filters.complevel) == ("blosc:lz4", 5)


def test_what_pytables_adds_to_a_table_is_read(path, indexed):
    H5Store(layout="table", index="a").save(path, {"a": [1, 2]})
    with tables.open_file(str(path), "a") as file:
        file.root.psyrun.table.autoindex = False
        file.root.psyrun.table.append([(3,), (0,)])
    with H5Store().open(path) as reader:
        assert reader.where("a > 1").tolist() == [1, 2], "a dirty index is not asked"
        assert reader.where("a < 1").tolist() == [3]


def test_a_copy_by_pytables_is_read(path, tmp_path):
    TABLE.save(path, Labelled({"root.a": ["é"], "e": np.zeros((1, 0))}, {"task": "t"}))
    with tables.open_file(str(path)) as file:
        file.copy_file(str(tmp_path / "copy.h5"))
    assert TABLE.load(tmp_path / "copy.h5")["root.a"].tolist() == ["é"]


@pytest.mark.parametrize(
    ("compression", "complib", "level"),
    [
        (None, "blosc:lz4", 5),
        (0, None, 0),
        (9, "blosc:lz4", 9),
        ("blosc:zstd", "blosc:zstd", 5),
        ("gzip", "zlib", 5),
    ],
)
def test_tables_are_compressed_as_asked(path, compression, complib, level):
    H5Store(compression=compression, layout="table").save(path, {"a": [1]})
    with tables.open_file(str(path)) as file:
        filters = file.root.psyrun.table.filters
        assert (filters.complib, filters.complevel) == (complib, level)
    assert H5Store().load(path)["a"].tolist() == [1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"layout": "rows"}, "layout='rows'; there are 'columns' and 'table'"),
        ({"index": ["a"]}, "needs layout='table'"),
        ({"compression": "blosc:lz4"}, "needs layout='table'"),
        ({"compression": "lzf", "layout": "table"}, "compression='lzf'; a table takes"),
        ({"compression": 10, "layout": "table"}, "compression=10"),
        ({"compression": 2.5, "layout": "table"}, "compression=2.5"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(StoreError, match=words):
        H5Store(**settings)


@pytest.mark.parametrize("values", [[1j], [2**63], [[1]], np.zeros(1, np.float16)])
def test_an_index_of_values_that_have_none_is_refused(path, values):
    with pytest.raises(StoreError, match="index='a': PyTables has no index"):
        H5Store(layout="table", index=["a"]).save(path, {"a": values})


def test_an_index_of_a_column_that_is_not_there_is_told(path):
    with pytest.raises(StoreError, match="index names 'a', but the columns are 'b'"):
        H5Store(layout="table", index=["a", "b"]).save(path, {"b": [1]})


def test_small_tables_get_no_index(path):
    H5Store(layout="table", index=["a"]).save(path, {"a": [1]})
    with tables.open_file(str(path)) as file:
        assert not file.root.psyrun.table.cols.a.is_indexed


SEARCHED = {
    "i": lambda draw: draw.randrange(-50, 50),
    "f": lambda draw: draw.choice([NAN, math.inf, -math.inf, 0.0, -0.0, draw.gauss(0, 9)]),
    "s": lambda draw: np.float32(draw.random()),
    "b": lambda draw: draw.random() < 0.3,
    "t": lambda draw: draw.choice(["", "a", "é", "日本", "zz", "\x7f"]),
    "raw": lambda draw: draw.choice([b"", b"a", b"\xff", b"\x80"]),
    "d": lambda draw: draw.choice([NAN, dt.date(2024, 1, 1 + draw.randrange(9))]),
    "free": lambda draw: draw.randrange(9),
}
ASKED = [
    *("i > 10", "i >= 10", "i < 10", "i <= 10", "i == 10", "i != 10", "10 < i", "i > 99"),
    *("f > 1", "f >= 0", "f < 0", "f <= 0", "f == 0", "f != 0", "not f < 0", "f == inf"),
    *(
        "f == nan",
        "f != nan",
        "f < nan",
        "i > nan",
        "f >= nan",
        "s > 0.5",
        "s < 0.1",
        "i > 10.5",
        "b == 1",
        "b > 0.5",
    ),
    *("t == 'é'", "t > 'é'", "t < 'é'", "t != 'a'", "t in ['', 'zz']", "t >= '\x7f'"),
    *(
        "raw > b'a'",
        "raw == b'\\x80'",
        "d > '2024-01-04'",
        "d > 'NaT'",
        "d != 'NaT'",
        "d <= '2024-01-04T12'",
    ),
    *("d == '2024-01-02'", "d != '2024-01-02'", "not d > '2024-01-02'"),
    *("i > 10 and f < 0", "i > 10 or f < 0", "i > 45 and free > 5", "i > 45 or free > 5"),
    *("not (i > 45 and free > 5)", "not (i > 10 and f < 0)", "(i > 45) & (i + f > 40)"),
    *("-5 < i < 5 < free", "i > f", "b & (i < 0)", "i in (1, 2, 3) and t == 'a'"),
]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """The same rows without and with indexes; more than one slice of an index."""
    draw = random.Random(1)
    data = {n: [make(draw) for _ in range(30_000)] for n, make in SEARCHED.items()}
    folder = tmp_path_factory.mktemp("searched")
    H5Store().save(folder / "plain.h5", data)
    H5Store(layout="table", index=[n for n in data if n != "free"]).save(
        folder / "table.h5", data
    )
    return folder


@pytest.mark.parametrize("expression", ASKED)
def test_an_index_finds_what_a_search_finds(searched, expression):
    with H5Store().open(searched / "plain.h5") as plain:
        expected = plain.where(expression)
    with H5Store().open(searched / "table.h5") as table:
        found = table.where(expression)
    assert found.dtype == np.int64
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "values", [[b"\0a", b"", b"\0b"], ["a\0b", "a", "a\0a", ""]], ids=["bytes", "texts"]
)
def test_values_with_a_nul_within_are_found(path, indexed, values):
    """PyTables would sort them by what stands before the NUL."""
    H5Store(layout="table", index="a").save(path, {"a": values})
    with H5Store().open(path) as reader:
        for value in values:
            expected = [row for row, other in enumerate(values) if other == value]
            assert reader.where(f"a == {value!r}").tolist() == expected
            expected = [row for row, other in enumerate(values) if other > value]
            assert reader.where(f"a > {value!r}").tolist() == expected


@pytest.mark.parametrize("last", ["b", "b\0c"])
def test_a_nul_leaves_a_column_without_an_index(path, monkeypatch, indexed, last):
    monkeypatch.setattr(h5index, "_PART", 8)  # several parts
    H5Store(layout="table", index="a").save(path, {"a": ["a", "abc"] * 3 + [last]})
    with tables.open_file(path) as file:
        assert file.root.psyrun.table.cols.a.is_indexed is ("\0" not in last)


def test_an_index_alone_answers_what_it_can(searched, monkeypatch):
    with H5Store().open(searched / "table.h5") as table:
        monkeypatch.setattr(table, "read", None)
        assert len(table.where("(i > 10) & (f < 0) | ~(t == 'a')"))


def test_only_chunks_with_candidates_are_read(path, monkeypatch):
    data = {"a": np.arange(200_000), "b": np.arange(200_000) % 2}
    H5Store(layout="table", index="a").save(path, data)
    with H5Store().open(path) as table:
        assert isinstance(table, TableReader)
        asked, read = [], table.read

        def recorded(name, start, stop):
            asked.append((start, stop))
            return read(name, start, stop)

        monkeypatch.setattr(table, "read", recorded)
        expression = "(a in [100, 101, 150_000, 150_001]) & (b == 1)"
        assert table.where(expression).tolist() == [101, 150_001]
        chunk = table.table.chunkshape[0]
    assert {stop - start for start, stop in asked} == {chunk}
    assert len(set(asked)) == 2


def test_a_damaged_table_is_told(path):
    TABLE.save(path, {"a": np.random.default_rng(1).random(10_000)})
    damage(path, "psyrun/table")
    with pytest.raises(StoreError, match=r"r\.h5 cannot be read in rows 0 to 10000"):
        TABLE.load(path)


def test_a_reader_that_nobody_needs_any_more_closes_its_file(path):
    TABLE.save(path, {"a": [1]})
    reader = TABLE.open(path)
    assert isinstance(reader, TableReader)
    file = reader.table._v_file
    del reader
    assert not file.isopen


def damage(path, node):
    """Spoil the start of every chunk of a dataset."""
    with h5py.File(path) as file:
        chunks = file[node].id
        infos = [chunks.get_chunk_info(number) for number in range(chunks.get_num_chunks())]
    raw = bytearray(path.read_bytes())
    for info in infos:
        raw[info.byte_offset : info.byte_offset + 16] = b"\xff" * 16
    path.write_bytes(raw)


@pytest.mark.parametrize("part", ["sortedLR", "indicesLR"])
def test_a_damaged_index_is_told(path, part):
    values = np.random.default_rng(1).random(150_000)
    H5Store(layout="table", index="a").save(path, {"a": values})
    damage(path, f"psyrun/_i_table/a/{part}")
    with (
        pytest.raises(StoreError, match=r"index of .*r\.h5|r\.h5 is damaged"),
        H5Store().open(path) as reader,
    ):
        reader.where("a > 0.5")


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_table_cut_short_is_told(path, share):
    TABLE.save(path, {"a": np.random.default_rng(1).random(10_000)})
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(StoreError, match=r"r\.h5"):
        TABLE.load(path)


FILLING = """
import resource, signal, sys
import numpy as np
from psyrun.exceptions import WorkdirError
from psyrun.store import H5Store

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    store = H5Store(layout="table", index=sys.argv[3:])
    store.save(sys.argv[1], {"a": np.random.default_rng(1).random(300_000)})
except WorkdirError:
    print("told")
"""


@pytest.mark.parametrize(
    ("limit", "index"),
    [(100, []), (1_000, []), (100_000, []), (2_500_000, ["a"]), (3_000_000, ["a"])],
)
def test_a_full_disk_is_told(path, limit, index):
    command = [sys.executable, "-c", FILLING, str(path), str(limit), *index]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "told\n"
    assert list(path.parent.iterdir()) == []
