"""Results that refer to partial results: never a filler where a row should be."""

import datetime as dt
import os
import resource
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from psyrun import gather, merge
from psyrun.exceptions import StoreError
from psyrun.merge import Merger
from psyrun.partial import save_whole
from psyrun.pspace import Param
from psyrun.store import H5Store, NpzStore, PickleStore
from psyrun.store.base import Labelled

VIRTUAL = H5Store(virtual=True)


@pytest.fixture
def parts(desk):
    """Write partial results of HDF5, a run of rows each."""

    def write(*results, store=None, space=None):
        desk.store = store or H5Store()
        digest = desk.space(space or Param(a=range(sum(map(len, results)))))
        row = 0
        for place, values in enumerate(results):
            stop = row + len(values)
            job = desk.job(f"1-{place}", digest, ((row, stop),))
            desk.partial(job, dict(zip(range(row, stop), values, strict=True)))
            row = stop
        return digest

    return write


def merged(desk, digest, path, store=VIRTUAL):
    merger = Merger(desk.state(desk.run(digest)), desk.spaces[digest], store)
    save_whole(store, path, Labelled(merger.columns(), merger.attributes))
    merger.close()
    return merger


def virtual(path):
    with h5py.File(path) as file:
        return {name for name, item in file["psyrun"].items() if item.is_virtual}


def loaded(path):
    return {name: values.tolist() for name, values in H5Store().load(path).items()}


def numbers(*values):
    return [{"y": value} for value in values]


def test_results_are_mapped_and_parameters_are_copied(desk, parts, tmp_path):
    digest = parts(numbers(1, 2), numbers(3))
    merged(desk, digest, tmp_path / "r.h5")
    assert virtual(tmp_path / "r.h5") == {"y"}
    assert loaded(tmp_path / "r.h5") == {"a": [0, 1, 2], "y": [1, 2, 3]}


def test_a_copied_folder_opens(desk, parts, tmp_path, monkeypatch):
    digest = parts(numbers(1, 2), numbers(3))
    merged(desk, digest, desk.workdir.root / "r.h5")
    shutil.move(tmp_path / "psy-work", tmp_path / "moved")
    monkeypatch.chdir("/")
    assert loaded(tmp_path / "moved" / "task" / "r.h5")["y"] == [1, 2, 3]


@pytest.mark.parametrize("value", [1, 1.5, True, "text", dt.date(2024, 2, 29)])
def test_a_result_that_was_moved_alone_is_told(desk, parts, tmp_path, value):
    digest = parts(numbers(value, value))
    merged(desk, digest, desk.workdir.root / "r.h5")
    (tmp_path / "alone").mkdir()
    shutil.move(desk.workdir.root / "r.h5", tmp_path / "alone" / "r.h5")
    with pytest.raises(StoreError, match=r"r\.h5 is virtual: .* out/1-0\.h5"):
        H5Store().load(tmp_path / "alone" / "r.h5")


def test_another_file_of_that_name_where_psy_is_called_is_not_read(
    desk, parts, tmp_path, monkeypatch
):
    digest = parts(numbers(1, 2))
    merged(desk, digest, desk.workdir.root / "r.h5")
    (tmp_path / "alone").mkdir()
    shutil.move(desk.workdir.root / "r.h5", tmp_path / "alone" / "r.h5")
    (tmp_path / "out").mkdir()
    H5Store().save(tmp_path / "out" / "1-0.h5", {"a": [0, 1], "y": [7, 7]})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="is virtual"):
        H5Store().load(tmp_path / "alone" / "r.h5")


@pytest.mark.parametrize("how", ["text", "cut", "emptied", "other", "shorter", "locked"])
def test_a_source_that_is_another_file_now_is_told(desk, parts, tmp_path, how):
    digest = parts(numbers(1, 2), numbers(3))
    merged(desk, digest, tmp_path / "r.h5")
    path = desk.workdir.out_folder / "1-0.h5"
    if how in {"text", "emptied"}:
        path.write_bytes(b"no HDF5" if how == "text" else b"")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "locked" and os.getuid():
        path.chmod(0)
    else:
        data = {"z": [1, 2]} if how == "other" else {"y": [1]}
        H5Store().save(path, data)
    with pytest.raises(StoreError, match=r"r\.h5 is virtual: .*1-0\.h5"):
        H5Store().load(tmp_path / "r.h5")


@pytest.mark.parametrize("folder", ["a%b", "50%%", "100%", "é ü", "it's", "a:b"])
def test_folders_may_have_any_name(desk, parts, tmp_path, folder):
    digest = parts(numbers(1, 2), numbers(3))
    (tmp_path / folder).mkdir()
    shutil.move(tmp_path / "psy-work", tmp_path / folder / "psy-work")
    desk.workdir = type(desk.workdir)(tmp_path / folder / "psy-work" / "task")
    merged(desk, digest, tmp_path / "r.h5")
    assert loaded(tmp_path / "r.h5")["y"] == [1, 2, 3]


def test_the_folder_of_the_result_may_be_a_link(desk, parts, tmp_path):
    digest = parts(numbers(1, 2), numbers(3))
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
    merged(desk, digest, tmp_path / "link" / "r.h5")
    assert loaded(tmp_path / "link" / "r.h5")["y"] == [1, 2, 3]


@pytest.mark.parametrize("name", ["50%b", "a%%b", "x/y", "%", ".", "日本"])
def test_columns_may_have_any_name(desk, parts, tmp_path, name):
    digest = parts([{name: 1}, {name: 2}], [{name: 3}])
    merged(desk, digest, tmp_path / "r.h5")
    assert loaded(tmp_path / "r.h5")[name] == [1, 2, 3]


def test_another_group_may_hold_the_columns(desk, parts, tmp_path):
    digest = parts(numbers(1, 2), numbers(3), store=H5Store(node="/a/b"))
    store = H5Store(node="/a/b", virtual=True)
    merged(desk, digest, tmp_path / "r.h5", store)
    with h5py.File(tmp_path / "r.h5") as file:
        assert file["a/b/y"].is_virtual
        assert file["a/b/y"][:].tolist() == [1, 2, 3]


VALUES: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "integers and gaps": ([2**53 - 1, -5], {}, "float64"),
    "small integers and gaps": ([np.int32(2**31 - 1)], {}, "float64"),
    "integers and floats": ([1, 2], {"y": 0.5}, "float64"),
    "small and large integers": ([np.int8(-3)], {"y": 2**62 + 1}, "int64"),
    "signed and unsigned": ([np.int8(-3)], {"y": np.uint8(200)}, "int16"),
    "single and double": ([np.float32(0.1)], {"y": 0.1}, "float64"),
    "truths and gaps": ([True, False], {}, "float64"),
    "complex and gaps": ([1j], {}, "complex128"),
    "numbers and complex": ([0.5], {"y": 1j}, "complex128"),
    "texts of two widths": (["a", "bc"], {"y": "日本語"}, ""),
    "texts and gaps": (["a", "bc"], {}, ""),
    "long and short texts": (["x" * 300], {"y": "日"}, "O"),
    "long and longer texts": (["x" * 300], {"y": "日" * 3000}, "O"),
    "bytes": ([b"a", b"b\0"], {"y": b"abc"}, "O"),
    "days": ([dt.date(2024, 2, 29)], {"y": dt.date(1900, 1, 1)}, "M8[D]"),
    "days and gaps": ([dt.date(2024, 2, 29)], {}, "M8[D]"),
    "days and seconds": (
        [np.datetime64("2024-02-29")],
        {"y": np.datetime64("2024-02-29T12", "s")},
        "M8[s]",
    ),
    "arrays": ([[1, 2]], {"y": [3, 4, 5]}, "float64"),
    "arrays and numbers": ([[1.5, 2]], {"y": 7}, "float64"),
    "nothing and arrays": ([[]], {"y": [1.0]}, "float64"),
}


@pytest.mark.parametrize("case", VALUES)
def test_values_are_those_that_copying_gives(desk, parts, tmp_path, case):
    values, other, dtype = VALUES[case]
    digest = parts(numbers(*values), [other])
    merged(desk, digest, tmp_path / "v.h5")
    merged(desk, digest, tmp_path / "c.h5", H5Store())
    found, copied = (H5Store().load(tmp_path / name)["y"] for name in ("v.h5", "c.h5"))
    assert found.dtype.kind == copied.dtype.kind
    assert np.array_equal(found, copied, equal_nan=found.dtype.kind in "fcM")
    if dtype:
        assert found.dtype == np.dtype(dtype)


def test_integers_lose_no_digits_to_gaps(desk, parts, tmp_path):
    digest = parts(numbers(2**53 + 1, 1), [{}])
    with pytest.raises(StoreError, match=r"cannot hold 'y': integers beyond 2\*\*53"):
        merged(desk, digest, tmp_path / "r.h5")
    assert not (tmp_path / "r.h5").exists()


@pytest.mark.parametrize("store", [PickleStore(), NpzStore(), H5Store(layout="table"), None])
def test_what_is_in_no_datasets_is_copied(desk, tmp_path, store):
    space = desk.space(Param(a=range(4)))
    desk.store = H5Store()
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {"y": 0}, 1: {"y": 1}})
    job = desk.job("1-1", space, ((2, 4),))
    done = {2: {"y": 2}, 3: {"y": 3}}
    if store is None:
        desk.journal(job, done)
    else:
        desk.store = store
        desk.partial(job, done)
    merged(desk, space, tmp_path / "r.h5")
    assert loaded(tmp_path / "r.h5")["y"] == [0, 1, 2, 3]
    desk.workdir.journals() or next(desk.workdir.out_folder.glob("1-1.[a-z0-9]*")).unlink()
    for path in desk.workdir.journals():
        path.unlink()
    assert loaded(tmp_path / "r.h5")["y"] == [0, 1, 2, 3]


@pytest.fixture
def scattered(desk, monkeypatch):
    monkeypatch.setattr(merge, "MOST_RUNS", 3)
    desk.store = H5Store()

    def write(results=lambda row: {"y": row * 10}, space=None):
        digest = desk.space(space or Param(a=range(8)))
        for job in range(2):
            rows = range(job, 8, 2)
            share = tuple((row, row + 1) for row in rows)
            desk.partial(
                desk.job(f"1-{job}", digest, share), {row: results(row) for row in rows}
            )
        return digest

    return write


def test_rows_in_many_pieces_come_in_the_order_of_their_files(desk, scattered, tmp_path):
    digest = scattered()
    merger = merged(desk, digest, tmp_path / "r.h5")
    assert "more than 3 pieces" in merger.notes[0]
    found = loaded(tmp_path / "r.h5")
    assert found["row"] == found["a"] == [0, 2, 4, 6, 1, 3, 5, 7]
    assert found["y"] == [row * 10 for row in found["row"]]
    with H5Store().open(tmp_path / "r.h5") as reader:
        assert reader.attributes["order"] == "row"
        assert list(reader.names) == ["row", "a", "y"]


def test_a_column_called_row_stays(desk, scattered, tmp_path):
    digest = scattered(lambda row: {"row_": -row}, Param(row=range(8)))
    merger = merged(desk, digest, tmp_path / "r.h5")
    found = loaded(tmp_path / "r.h5")
    assert merger.attributes == {"order": "row__"}
    assert found["row"] == found["row__"] == [-row for row in found["row_"]]


def test_journals_alone_keep_the_order_of_the_space(desk, monkeypatch, tmp_path):
    monkeypatch.setattr(merge, "MOST_RUNS", 3)
    space = desk.space(Param(a=range(8)))
    for job in range(2):
        rows = range(job, 8, 2)
        made = desk.job(f"1-{job}", space, tuple((row, row + 1) for row in rows))
        desk.journal(made, {row: {"y": row} for row in rows})
    merger = merged(desk, space, tmp_path / "r.h5")
    assert not merger.by_file
    assert loaded(tmp_path / "r.h5") == {"a": [*range(8)], "y": [*range(8)]}


@pytest.fixture
def allow(monkeypatch):
    """Let few files be open, besides those that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(gather, "_MOST_FILES", 10)
    there = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    yield lambda most: resource.setrlimit(resource.RLIMIT_NOFILE, (there + most, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    ("count", "most"), [(40, 25), pytest.param(1500, 240, marks=pytest.mark.slow)]
)
def test_more_sources_than_files_can_be_open_are_read(
    desk, parts, tmp_path, allow, count, most
):
    digest = parts(*([{"y": row + 1}] for row in range(count)))
    allow(most)
    merged(desk, digest, tmp_path / "r.h5")
    assert loaded(tmp_path / "r.h5")["y"] == [row + 1 for row in range(count)]
    with H5Store().open(tmp_path / "r.h5") as reader:
        places = np.arange(0, count, 20)
        assert list(reader.take("y", places)) == (places + 1).tolist()
        assert reader.where(f"y >= {count}").tolist() == [count - 1]
