"""What every store has to do; a store's class inherits the contract."""

import datetime as dt
import json
import math
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest
import tables

from psyrun.exceptions import StoreError
from psyrun.partial import save_whole
from psyrun.store import AutodetectStore, H5Store, NpzStore, PickleStore, Store, store_for
from psyrun.store.arraycolumns import ReaderColumn
from psyrun.store.base import Labelled


class Made:
    """A column that is made while it is read."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Any:
        return iter(self.values)


NAN = math.nan
DAY = np.datetime64("2024-02-29")
SECOND = np.datetime64("2024-02-29T12:30:00", "s")
LONG_AGO = dt.datetime(1500, 1, 1)  # noqa: DTZ001
MICROS = dt.datetime(2024, 2, 29, 0, 0, 0, 5)  # noqa: DTZ001

VALUES: dict[str, tuple[list[Any], list[Any], str]] = {
    # what is saved, what comes back, the numpy type it comes back as from a store of arrays
    "integers": ([1, -2, 2**62], [1, -2, 2**62], "int64"),
    "large integers": ([2**64 - 1, 0], [2**64 - 1, 0], "uint64"),
    "small integers": ([np.int8(-1), np.int8(5)], [-1, 5], "int8"),
    "floats": ([0.1, -0.0, math.inf, NAN], [0.1, -0.0, math.inf, NAN], "float64"),
    "halves": ([np.float32(0.5), np.float32(NAN)], [0.5, NAN], "float32"),
    "booleans": ([True, False], [True, False], "bool"),
    "complex": ([1j, 2 + 0.5j], [1j, 2 + 0.5j], "complex128"),
    "complex of 64 bits": ([np.complex64(1j)], [1j], "complex64"),
    "texts": (["", "ä", "日本", "a b\n"], ["", "ä", "日本", "a b\n"], "str"),
    "long texts": (["x" * 300, "日" * 100, ""], ["x" * 300, "日" * 100, ""], "str"),
    "bytes": ([b"", b"a\0b", b"\xff"], [b"", b"a\0b", b"\xff"], "bytes"),
    "long bytes": ([b"x" * 300, b"y"], [b"x" * 300, b"y"], "bytes"),
    "days": ([DAY, DAY + 1], [DAY, DAY + 1], "datetime64[D]"),
    "seconds": (
        [SECOND, np.datetime64("NaT")],
        [SECOND, np.datetime64("NaT")],
        "datetime64[s]",
    ),
    "spans": ([np.timedelta64(5, "ms")], [np.timedelta64(5, "ms")], "timedelta64[ms]"),
    "arrays": ([np.arange(3), np.arange(3) + 1], [[0, 1, 2], [1, 2, 3]], "int64"),
    "matrices": ([np.ones((2, 3), "f4")], [[[1.0] * 3] * 2], "float32"),
    "arrays of no dimension": ([np.array(1), np.array(2)], [1, 2], "int64"),
    "empty arrays": ([np.zeros((0, 2)), np.zeros((0, 2))], [[], []], "float64"),
    "arrays of texts": ([np.array(["a", "bc"])], [["a", "bc"]], "str"),
    "lists": ([[1, 2], [3, 4]], [[1, 2], [3, 4]], "int64"),
    "tuples": ([(True, False)], [[True, False]], "bool"),
}
"""Values that every store brings back as they are."""

PADDED: dict[str, tuple[list[Any], list[Any], str]] = {
    "integers become floats": ([[1], [2, 3]], [[1, NAN], [2, 3]], "float64"),
    "floats": ([np.ones(1, "f4"), np.zeros(2, "f4")], [[1, NAN], [0, 0]], "float32"),
    "booleans become floats": ([[True], [False, True]], [[1, NAN], [0, 1]], "float64"),
    "texts": ([["a"], ["b", "c"]], [["a", ""], ["b", "c"]], "str"),
    "days": (
        [np.array([DAY]), np.array([DAY] * 2)],
        [[DAY, "NaT"], [DAY] * 2],
        "datetime64[D]",
    ),
    "matrices": (
        [np.ones((1, 2)), np.ones((2, 1))],
        [[[1, 1], [NAN] * 2], [[1, NAN]] * 2],
        "float64",
    ),
    "numbers and arrays": ([5, [1, 2]], [[5, NAN], [1, 2]], "float64"),
    "nothing and something": ([[], [1.5]], [[NAN], [1.5]], "float64"),
    "rows that lack it": ([NAN, [1, 2]], [[NAN, NAN], [1, 2]], "float64"),
    "a number that is missing": ([1, NAN], [1, NAN], "float64"),
    "a text that is missing": (["a", NAN], ["a", ""], "str"),
    "bytes that are missing": ([b"a", NAN], [b"a", b""], "bytes"),
    "a truth that is missing": ([True, NAN], [1, NAN], "float64"),
    "a day that is missing": ([DAY, NAN], [DAY, np.datetime64("NaT")], "datetime64[D]"),
}
"""Values of rows that differ, and what a store of arrays makes of them."""

UNHOLDABLE: dict[str, tuple[Any, str]] = {
    "nothing": (None, "NoneType"),
    "a dict": ({"a": 1}, "dict"),
    "a set": ({1}, "set"),
    "a fraction": (Fraction(1, 3), "Fraction"),
    "a list of both": ([1, "a"], "numbers .* texts|texts .* numbers"),
    "objects": (np.array([None, 1], dtype=object), "NoneType"),
    "a huge integer": (10**30, "64 bits"),
    "a text that ends in NUL": ("a\0", "NUL"),
    "a broken text": ("\ud800", "Unicode"),
    "a masked array": (np.ma.masked_array([1, 2], [True, False]), "masked"),
    "a time with a zone": (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "time zone"),
}
"""Values that no store of arrays holds."""

NAMES = ["root.a", "x/y", "日本", "a b", "50%", ".", "..", "__a", "file", "x.npy", "", "a\tb"]


def listed(column: Any) -> list[Any]:
    """Return a column as nested lists, where they are arrays."""
    return [
        v.tolist() if isinstance(v, np.ndarray) and v.dtype != object else v for v in column
    ]


def same(one: Any, other: Any) -> bool:
    """Compare values; NaN and NaT equal themselves."""
    if isinstance(one, (list, tuple)):
        pairs = zip(one, other, strict=True)
        return len(one) == len(other) and all(same(a, b) for a, b in pairs)
    if isinstance(one, np.datetime64) and np.isnat(one):
        return bool(np.isnat(other))
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN


class StoreContract:
    """Inherit, and set `store`."""

    store: ClassVar[Store]

    def round_trip(self, path: Path, data: dict[str, Any]) -> dict[str, Any]:
        self.store.save(path, data)
        return self.store.load(path)

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / f"r{self.store.ext}"

    @pytest.mark.parametrize("name", NAMES)
    def test_names_of_any_kind_come_back(self, path, name):
        back = self.round_trip(path, {name: [1, 2], "other": [0.5, 1.5]})
        assert list(back) == [name, "other"]
        assert list(back[name]) == [1, 2]

    def test_columns_come_back_with_their_order_and_types(self, path):
        data = {"b": [1, 2], "a": ["x", "ä"], "c": [0.5, -1.5]}
        self.store.save(path, data)
        back = self.store.load(path)
        assert {name: list(column) for name, column in back.items()} == data
        assert list(back) == ["b", "a", "c"]

    def test_nan_comes_back(self, path):
        self.store.save(path, {"a": [math.nan, 1.0]})
        assert math.isnan(self.store.load(path)["a"][0])

    @pytest.mark.parametrize("data", [{}, {"a": []}])
    def test_no_rows_come_back(self, path, data):
        self.store.save(path, data)
        assert {name: list(column) for name, column in self.store.load(path).items()} == data

    @pytest.mark.parametrize(("row", "value"), [(0, 1), (1, 2), (-1, 3)])
    def test_one_row_is_read(self, path, row, value):
        self.store.save(path, {"a": [1, 2, 3]})
        assert list(self.store.load(path, row=row)["a"]) == [value]

    def test_a_file_is_replaced(self, path):
        self.store.save(path, {"a": [1]})
        self.store.save(path, {"b": [2]})
        assert list(self.store.load(path)) == ["b"]

    def test_rows_are_appended(self, path):
        self.store.append(path, {"a": [1]})
        self.store.append(path, {"a": [2, 3]})
        assert list(self.store.load(path)["a"]) == [1, 2, 3]

    def test_columns_of_one_side_are_filled_with_nan(self, path):
        self.store.append(path, {"a": [1.0]})
        self.store.append(path, {"b": [2.0]})
        back = {name: list(map(str, column)) for name, column in self.store.load(path).items()}
        assert back == {"a": ["1.0", "nan"], "b": ["nan", "2.0"]}

    def test_a_path_may_be_a_text(self, path):
        self.store.save(str(path), {"a": [1]})
        assert list(self.store.load(str(path))["a"]) == [1]

    def test_a_result_is_known_as_such(self, path):
        self.store.save(path, {"a": [1]})
        assert self.store.holds_result(path)

    @pytest.mark.parametrize("raw", [b"", b"text", b"\x00\xff" * 40])
    def test_another_file_is_no_result(self, path, raw):
        path.write_bytes(raw)
        assert not self.store.holds_result(path)
        with pytest.raises(StoreError, match=path.name):
            self.store.load(path)

    def test_a_file_that_is_not_there_is_no_result(self, path):
        assert not self.store.holds_result(path)
        with pytest.raises(FileNotFoundError):
            self.store.load(path)

    def test_a_value_that_cannot_be_held_is_refused_by_the_name_of_its_column(self, path):
        self.store.save(path, {"a": [1]})
        with pytest.raises(StoreError, match="bad"):
            self.store.save(path, {"a": [1], "bad": [iter("z"), (x for x in "z")]})
        assert list(self.store.load(path)["a"]) == [1], "what stood there stays"

    def test_columns_that_are_made_while_they_are_read_are_written(self, path):
        save_whole(self.store, path, {"a": Made([1, 2])})
        assert list(self.store.load(path)["a"]) == [1, 2]

    def test_a_store_can_be_pickled(self):
        assert type(pickle.loads(pickle.dumps(self.store))) is type(self.store)


class ValuesContract(StoreContract):
    """What the stores of Psyrun bring back besides what any store does."""

    @pytest.mark.parametrize("case", VALUES)
    def test_values_come_back(self, path, case):
        values, expected, _ = VALUES[case]
        back = self.round_trip(path, {"y": values})["y"]
        assert same(listed(back), expected)

    @pytest.mark.parametrize("case", VALUES)
    def test_values_are_appended(self, path, case):
        values, expected, _ = VALUES[case]
        self.store.save(path, {"y": values})
        self.store.append(path, {"y": values[:1]})
        assert same(listed(self.store.load(path)["y"]), [*expected, expected[0]])


class TestPickleStore(ValuesContract):
    store = PickleStore()

    @pytest.mark.parametrize("protocol", range(6))
    def test_a_result_is_a_plain_dict_of_lists(self, path, protocol):
        PickleStore(protocol=protocol).save(
            path, {"a": Made([1, None, {2}]), "b": [(), "", b""]}
        )
        data = pickle.loads(path.read_bytes())
        assert data == {"a": [1, None, {2}], "b": [(), "", b""]}
        assert type(data["a"]) is list
        assert b"psyrun" not in path.read_bytes()

    def test_it_is_found_by_its_extension(self):
        assert type(store_for("x.PKL")) is PickleStore

    def test_an_unknown_extension_lists_the_known(self):
        with pytest.raises(StoreError, match=r"'x\.nope'; known extensions: .*\.pkl"):
            store_for("x.nope")

    @pytest.mark.parametrize("value", [[1], {"a": 1}, {"a": (1,)}, None])
    def test_a_pickle_of_something_else_is_no_result(self, path, value):
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(StoreError, match="no result of Psyrun"):
            self.store.load(path)

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
    def test_a_file_cut_short_is_told(self, path, share):
        self.store.save(path, {"a": [1, 2.5, "x"], "b": [{1: (2,)}, None, b"y"]})
        raw = path.read_bytes()
        path.write_bytes(raw[: int(share * len(raw))])
        with pytest.raises(StoreError, match="no whole pickle"):
            self.store.load(path)

    @pytest.mark.parametrize(
        "raw", [b"}K\x01.", b"}]K\x01s.", b"cos\nnothing\n.", b"N)R.", b"\x80\xff."]
    )
    def test_a_damaged_file_is_told(self, path, raw):
        path.write_bytes(raw)
        with pytest.raises(StoreError, match=path.name):
            self.store.load(path)


class LinesStore(Store):
    """A user's own format: one column a line, as JSON."""

    ext = ".lines"

    def save(self, filename, data):
        try:
            text = "".join(json.dumps([name, column]) + "\n" for name, column in data.items())
        except TypeError as err:
            raise StoreError(f"cannot hold one of {', '.join(data)}: {err}") from err
        Path(filename).write_text(f"columns\n{text}")

    def load(self, filename, row=None):
        lines = Path(filename).read_bytes().splitlines()
        if lines[:1] != [b"columns"]:
            raise StoreError(f"{filename} is no result")
        data = dict(map(json.loads, lines[1:]))
        return data if row is None else {name: [column[row]] for name, column in data.items()}

    def append(self, filename, data):
        old = self.load(filename) if Path(filename).exists() else {}
        sizes = [max(map(len, block.values()), default=0) for block in (old, data)]
        nan = [[math.nan] * size for size in sizes]
        names = dict.fromkeys([*old, *data])
        self.save(filename, {n: old.get(n, nan[0]) + data.get(n, nan[1]) for n in names})


class ArrayStoreContract(ValuesContract):
    """What stores of arrays have to do besides."""

    @pytest.mark.parametrize("case", VALUES)
    def test_types_come_back(self, path, case):
        values, _, dtype = VALUES[case]
        back = self.round_trip(path, {"y": values})["y"]
        assert is_of(back, dtype)

    @pytest.mark.parametrize("case", PADDED)
    def test_rows_that_differ_are_padded(self, path, case):
        values, expected, dtype = PADDED[case]
        back = self.round_trip(path, {"y": values})["y"]
        assert is_of(back, dtype)
        assert same(
            back.astype(object).tolist(), np.array(expected, back.dtype).astype(object).tolist()
        )

    @pytest.mark.parametrize("case", PADDED)
    def test_rows_that_differ_are_padded_by_append(self, path, case):
        values, expected, dtype = PADDED[case]
        for value in values:
            self.store.append(path, {"y": [value]})
        back = self.store.load(path)["y"]
        assert is_of(back, dtype)
        assert same(
            back.astype(object).tolist(), np.array(expected, back.dtype).astype(object).tolist()
        )

    @pytest.mark.parametrize("case", UNHOLDABLE)
    def test_what_it_cannot_hold_is_told(self, path, case):
        value, word = UNHOLDABLE[case]
        name = type(self.store).__name__
        message = rf"{name} cannot hold 'bad': .*({word}).*; .*PickleStore can"
        with pytest.raises(StoreError, match=message):
            self.store.check({"a": 1, "bad": value})
        with pytest.raises(StoreError, match=message):
            self.store.save(path, {"a": [1], "bad": [value]})
        assert not path.exists()

    @pytest.mark.parametrize("case", VALUES)
    def test_a_row_of_what_it_holds_passes_the_check(self, case):
        for value in VALUES[case][0]:
            self.store.check({"y": value})

    @pytest.mark.parametrize("value", ["日" * 1000, b"x" * 1000])
    def test_long_values_of_hdf5_stay_whole(self, path, tmp_path, value):
        H5Store().save(tmp_path / "long.h5", {"y": [value, value[:1]]})
        with H5Store().open(tmp_path / "long.h5") as reader:
            self.store.save(path, {"y": ReaderColumn(reader, "y")})
        assert list(self.store.load(path)["y"]) == [value, value[:1]]

    @pytest.mark.parametrize("source", [NpzStore(), H5Store(), H5Store(layout="table")])
    def test_texts_of_other_formats_stay_whole(self, path, tmp_path, source):
        values = ["äöü", "日本", "", "a" * 5, "\U0001f600"]
        source.save(tmp_path / f"s{source.ext}", {"y": values})
        with source.open(tmp_path / f"s{source.ext}") as reader:
            self.store.save(path, {"y": ReaderColumn(reader, "y")})
        assert list(self.store.load(path)["y"]) == values

    def test_texts_among_numbers_are_refused(self, path):
        with pytest.raises(
            StoreError, match="cannot hold 'y': numbers in some rows and texts in others"
        ):
            self.store.save(path, {"y": [1, "a"]})

    def test_integers_that_would_change_are_refused(self, path):
        with pytest.raises(StoreError, match=r"cannot hold 'y': integers beyond 2\*\*53"):
            self.store.save(path, {"y": [2**53 + 1, NAN]})

    def test_columns_of_different_lengths_are_refused(self, path):
        with pytest.raises(StoreError, match="different lengths"):
            self.store.save(path, {"a": [1], "b": [1, 2]})
        self.store.save(path, {"a": [1], "b": [1]})
        with pytest.raises(StoreError, match="different lengths"):
            self.store.append(path, {"a": [1, 2, 3], "b": [1, 2]})
        assert self.store.load(path)["b"].tolist() == [1]

    @pytest.mark.parametrize(
        "values",
        [
            [np.datetime64("3000-01-01"), np.datetime64("2020-01-01T00:00:00.000000001")],
            [LONG_AGO, np.datetime64("2020-01-01T00:00:00.000000001")],
            [dt.timedelta(days=300_000), np.timedelta64(1, "ns")],
            [np.array([DAY - 10**6]), np.array([np.datetime64("2020-01-01", "ns")])],
        ],
    )
    def test_times_that_would_change_are_refused(self, path, values):
        with pytest.raises(StoreError, match="cannot hold 'y': times too far apart"):
            self.store.save(path, {"y": values})

    def test_times_of_different_units_meet_in_the_finer_one(self, path):
        values = [DAY, SECOND, MICROS]
        back = self.round_trip(path, {"y": values})["y"]
        assert back.dtype == np.dtype("datetime64[us]")
        assert back.tolist() == [dt.datetime(2024, 2, 29), SECOND.item(), MICROS]  # noqa: DTZ001

    def test_large_integers_in_lists_are_kept(self, path):
        values = [[2**64 - 1, 0], [2**63, 1]]
        back = self.round_trip(path, {"y": values})["y"]
        assert back.dtype == np.uint64
        assert back.tolist() == values

    @pytest.mark.parametrize(
        "column", [[np.str_("a\0")], np.ma.masked_array([1, 2], [True, False])]
    )
    def test_what_numpy_would_change_is_refused(self, path, column):
        with pytest.raises(StoreError, match="cannot hold 'y'"):
            self.store.save(path, {"y": column})

    @pytest.mark.parametrize("value", ["x" * 1000 + "end", "ä" * 300])
    def test_long_texts_of_other_formats_are_not_cut(self, path, tmp_path, value):
        for other in (NpzStore(), H5Store(), H5Store(layout="table"), PickleStore()):
            source = tmp_path / f"source{other.ext}"
            other.save(source, {"y": [value, "short"]})
            with other.open(source) as reader:
                self.store.save(path, {"y": ReaderColumn(reader, "y")})
            assert list(self.store.load(path)["y"]) == [value, "short"]

    def test_parts_are_read(self, path):
        values = np.arange(30_000.0).reshape(10_000, 3)
        self.store.save(path, {"v": values, "s": [str(i) for i in range(10_000)]})
        with self.store.open(path) as reader:
            assert (reader.size, list(reader.names)) == (10_000, ["v", "s"])
            assert np.array_equal(reader.read("v", 17, 23), values[17:23])
            assert list(reader.read("s", 9_999, 10_000)) == ["9999"]
            assert len(reader.read("v", 5, 5)) == 0
            assert reader.form("v").shape == (3,)

    def test_a_row_that_is_not_there_is_told(self, path):
        self.store.save(path, {"a": [1]})
        with pytest.raises(IndexError, match="row 1 of a result of 1 rows"):
            self.store.load(path, row=1)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
    def test_a_file_cut_short_is_told(self, path, share):
        self.store.save(path, {"a": np.arange(1000.0), "b": ["x"] * 1000})
        raw = path.read_bytes()
        path.write_bytes(raw[: int(share * len(raw))])
        with pytest.raises(StoreError, match=path.name):
            self.store.load(path)


def is_of(array: Any, dtype: str) -> bool:
    """Whether an array is of a type; texts and bytes may be of any width, or objects."""
    kinds = {"str": str, "bytes": bytes}
    if dtype in kinds:
        return all(isinstance(value, kinds[dtype]) for value in array.ravel())
    return bool(array.dtype == np.dtype(dtype))


class TestNpzStore(ArrayStoreContract):
    store = NpzStore()

    def test_numpy_reads_it(self, path):
        self.store.save(path, {"y": [[1, 2], [3, 4]], "s": ["a", "ä"], "x/y": [True, False]})
        with np.load(path) as file:
            assert file.files == ["y", "s", "x/y"]
            assert file["y"].tolist() == [[1, 2], [3, 4]]
            assert file["s"].tolist() == ["a", "ä"]
            assert file["x/y"].dtype == bool

    @pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
    def test_what_numpy_writes_is_read(self, path, write):
        fortran = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        write(path, a=[1, 2], f=fortran, big=np.arange(2).astype(">i4"))
        back = self.store.load(path)
        assert back["a"].tolist() == [1, 2]
        assert np.array_equal(back["f"], fortran)
        assert back["big"].tolist() == [0, 1]
        assert self.store.load(path, row=1)["f"].tolist() == [[3.0, 4.0, 5.0]]

    def test_bytes_that_end_in_nul_are_refused(self):
        with pytest.raises(StoreError, match=r"bytes that end in NUL; .*PickleStore can"):
            self.store.check({"y": b"a\0"})

    def test_no_pickled_object_is_written_or_read_without_consent(self, path):
        np.savez(path, y=np.array([None, {}], dtype=object))
        with pytest.raises(StoreError, match=r"NpzStore\(allow_pickle=True\)"):
            self.store.load(path)
        assert NpzStore(allow_pickle=True).load(path)["y"].tolist() == [None, {}]


class TestNpzStoreWithObjects(ValuesContract):
    store = NpzStore(allow_pickle=True)

    def test_objects_come_back(self, path):
        values = [None, {"a": 1}, Fraction(1, 3), "a\0", [1, "b"]]
        assert list(self.round_trip(path, {"y": values})["y"]) == values

    def test_rows_that_are_objects_go_behind_an_array(self, path):
        self.store.save(path, {"y": [[1]]})
        self.store.append(path, {"y": [[], [9_007_199_254_740_993]]})
        back = self.store.load(path)["y"]
        assert [list(row) for row in back] == [[1], [], [9_007_199_254_740_993]]

    def test_objects_are_padded_with_none(self, path):
        one, two = np.array([1, None], dtype=object), np.array([{}], dtype=object)
        back = self.round_trip(path, {"y": [one, two]})["y"]
        assert [list(value) for value in back] == [[1, None], [{}, None]]


class TestH5Store(ArrayStoreContract):
    store = H5Store()

    @pytest.mark.parametrize(
        "values",
        [[b"a\0", b"", b"\0\0"], [b"\0"], [b"\0", b"\1"], [b"a\0", b"b\0"], [b"x" * 300]],
    )
    def test_bytes_that_end_in_nul_or_are_long_come_back(self, path, values):
        assert list(self.round_trip(path, {"y": values})["y"]) == values

    def test_columns_are_datasets_that_can_grow(self, path):
        self.store.save(path, {"x": [1, 2], "v": np.zeros((2, 3)), "x/y": ["a", "b"]})
        with h5py.File(path) as file:
            assert list(file["psyrun"]) == ["x", "v", "x%2Fy"]
            assert file["psyrun/v"].maxshape == (None, 3)
            assert file["psyrun/v"].chunks is not None
            assert file["psyrun/x%2Fy"].attrs["name"] == "x/y"
            assert file["psyrun/x%2Fy"].asstr()[()].tolist() == ["a", "b"]

    def test_pytables_reads_it(self, path):
        data = {
            "i": [1, 2],
            "f": [0.5, NAN],
            "c": [1j, 2],
            "s": ["a", "ä"],
            "v": [[1, 2], [3, 4]],
        }
        self.store.save(path, {**data, "b": [True, False]})
        with tables.open_file(path) as file:
            node = file.root.psyrun
            assert node.i[:].tolist() == [1, 2]
            assert same(node.f[:].tolist(), [0.5, NAN])
            assert node.c[:].tolist() == [1j, 2]
            assert [text.decode() for text in node.s[:]] == ["a", "ä"]
            assert node.v[1].tolist() == [3, 4]
            assert node.b[:].tolist() == [1, 0]

    def test_a_file_of_psyrun_08_is_read(self, path):
        with tables.open_file(path, "w") as file:
            group = file.create_group("/", "psyrun")
            for name, values in {
                "f": [1.5, 2],
                "b": [True, False],
                "c": [1j, 2],
                "s": [b"a", b"bc"],
                "v": [[1, 2], [3, 4]],
            }.items():
                file.create_earray(group, name, obj=np.array(values))
        back = self.store.load(path)
        assert back["b"].dtype == bool
        assert back["b"].tolist() == [True, False]
        assert back["s"].tolist() == [b"a", b"bc"]
        assert back["c"].tolist() == [1j, 2]
        assert back["v"].tolist() == [[1, 2], [3, 4]]
        self.store.append(
            path, {"f": [3.5], "b": [True], "c": [0j], "s": [b"d"], "v": [[5, 6]]}
        )
        assert self.store.load(path)["b"].tolist() == [True, False, True]

    def test_another_group_may_hold_the_columns(self, path):
        H5Store(node="/a/b").save(path, {"x": [1]})
        with h5py.File(path) as file:
            assert file["a/b/x"][:].tolist() == [1]
        assert H5Store(node="/a/b").load(path)["x"].tolist() == [1]

    def test_a_group_that_is_not_there_is_told(self, path):
        with h5py.File(path, "w") as file:
            file.create_group("other")
        with pytest.raises(StoreError, match=r"no group /psyrun \(it has /other\)"):
            self.store.load(path)

    @pytest.mark.parametrize("compression", ["gzip", "lzf", 3])
    def test_columns_may_be_compressed(self, path, compression):
        store = H5Store(compression=compression)
        store.save(path, {"x": np.zeros(100_000), "s": ["a"] * 100_000})
        assert path.stat().st_size < 100_000
        assert store.load(path)["s"][-1] == "a"

    def test_attributes_and_units_are_kept_by_append(self, path):
        self.store.save(path, Labelled({"x": [1.0]}, {"task": "t"}, {"x": "m"}))
        self.store.append(path, {"x": [2.0]})
        with h5py.File(path) as file:
            assert file["psyrun"].attrs["task"] == "t"
            assert file["psyrun/x"].attrs["units"] == "m"


class TestH5StoreOfATable(ArrayStoreContract):
    store = H5Store(layout="table")


class TestAutodetectStore:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [(".pkl", PickleStore), ("a.npz", NpzStore), ("b.H5", H5Store), ("c.hdf5", H5Store)],
    )
    def test_the_store_goes_by_the_extension(self, name, kind):
        assert type(AutodetectStore.get_concrete_store(name)) is kind

    @pytest.mark.parametrize("ext", [".pkl", ".npz", ".h5"])
    def test_it_reads_and_writes_by_the_extension(self, tmp_path, ext):
        path = tmp_path / f"r{ext}"
        AutodetectStore().save(path, {"a": [1, 2]})
        AutodetectStore().append(path, {"a": [3]})
        assert list(AutodetectStore().load(path)["a"]) == [1, 2, 3]
        assert list(AutodetectStore().load(path, row=1)["a"]) == [2]
        assert AutodetectStore().holds_result(path)


class TestStoreOfAUser(StoreContract):
    store = LinesStore()
