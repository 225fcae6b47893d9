"""What every store has to do; a store's class inherits the contract."""

import json
import math
import pickle
from pathlib import Path
from typing import Any, ClassVar

import pytest

from psyrun.exceptions import StoreError
from psyrun.resultfile import save
from psyrun.store import H5Store, NpzStore, PickleStore, Store, store_for


class Made:
    """A column that is made while it is read."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Any:
        return iter(self.values)


class StoreContract:
    """Inherit, and set `store`."""

    store: ClassVar[Store]

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / f"r{self.store.ext}"

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
        save(self.store, path, {"a": Made([1, 2])})
        assert list(self.store.load(path)["a"]) == [1, 2]

    def test_a_store_can_be_pickled(self):
        assert type(pickle.loads(pickle.dumps(self.store))) is type(self.store)


class TestPickleStore(StoreContract):
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


class TestNpzStore(StoreContract):
    store = NpzStore()


class TestH5Store(StoreContract):
    store = H5Store()


class TestH5StoreOfATable(StoreContract):
    store = H5Store(layout="table")


class TestStoreOfAUser(StoreContract):
    store = LinesStore()
