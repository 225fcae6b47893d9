"""Tasks that keep their results as arrays: NPZ and HDF5, from `psy run` to `load_result`."""

import json
import shutil
import sys
from typing import Any

import h5py
import numpy as np
import pytest

from psyrun import Param, load_result, map_pspace_hdd_backed
from psyrun.exceptions import StoreError
from psyrun.store import H5Store, NpzStore

STORES = ["NpzStore()", "H5Store()", "H5Store(layout='table')", "H5Store(virtual=True)"]

HEAD = "from psyrun.store import AutodetectStore, H5Store, NpzStore, PickleStore\n"


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def squares(store="H5Store()", size=6, more="", result="{'y': a * a}"):
    return f"""{HEAD}
pspace = Param(a=range({size}))
store = {store}
max_jobs = 2
{more}
def execute(a):
    counted(a)
    return {result}
"""


BAD = {"None": "NoneType", "{'k': 1}": "dict", "10**30": "64 bits", "[1, 'a']": "texts"}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("value", BAD)
def test_a_row_that_no_array_holds_fails_alone(project, store, value):
    bad = f"{{'y': {value} if a == 2 else a, 'z': 1}}"
    project.task("t", squares(store, result=bad))
    assert project.psy("run").code == 1
    assert "5 of 6 rows done" in project.psy("status").out
    (error,) = json.loads(project.psy("errors", "t", "--json").out)
    assert (error["type"], error["rows"]) == ("RowError", 1)
    for word in ("'y'", BAD[value], store.partition("(")[0], "PickleStore can"):
        assert word in error["message"]
    assert load_result("t")["y"].tolist() == [0, 1, 3, 4, 5]


def test_texts_among_numbers_are_told_when_rows_are_merged(project):
    project.task("t", squares(result="{'y': 'x' if a == 2 else a}"))
    ran = project.psy("run")
    assert ran.code == 1
    assert "cannot hold 'y': numbers in some rows and texts in others" in ran.err
    assert "PickleStore can" in ran.err
    project.evaluated()
    project.task("t", squares(result="{'y': 'x' if a == 2 else a}", store="PickleStore()"))
    assert project.psy("run").code == 0
    assert project.evaluated() == []
    assert project.result("t")["y"] == [0, 1, "x", 3, 4, 5]


@pytest.mark.parametrize("store", STORES)
def test_a_result_that_is_left_out_need_not_be_held(project, store):
    more = "exclude_from_result = ['z']"
    project.task("t", squares(store, more=more, result="{'y': a, 'z': {a}}"))
    assert project.psy("test").code == 0
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert list(load_result("t")) == ["a", "y"]


def test_psy_test_tells_before(project):
    project.task("t", squares("NpzStore()", result="{'y': None}"))
    tested = project.psy("test")
    assert tested.code == 1
    assert "NpzStore cannot hold 'y': a value of type NoneType" in tested.err


@pytest.mark.parametrize("store", ["NpzStore()", "H5Store()"])
def test_parameters_that_cannot_be_held_are_told_before_any_row(project, store):
    source = squares(store).replace("Param(a=range(6))", "Param(a=[1, 2, None])")
    project.task("t", source)
    for command in ("test", "run"):
        ran = project.psy(command)
        assert ran.code == 1
        assert "the parameters cannot be kept" in ran.err
        assert "exclude_from_result" in ran.err
    assert "None" not in project.evaluated()


@pytest.mark.parametrize(
    ("resultfile", "name"), [("'r.h5'", "r.h5"), ("'r.npz'", "r.npz"), ("None", None)]
)
def test_the_store_may_go_by_the_file(project, resultfile, name):
    more = f"resultfile = {resultfile}\nunits = {{'y': 'm'}}"
    project.task("t", squares("AutodetectStore", more=more))
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert (project.root / (name or "psy-work/t/result.pkl")).exists()
    assert load_result("t")["y"].tolist() == [0, 1, 4, 9, 16, 25]
    if name == "r.h5":
        with h5py.File(project.root / "r.h5") as file:
            assert file["psyrun/y"].attrs["units"] == "m"


OTHER = """
import json
from psyrun.store import Store

class LinesStore(Store):
    ext = ".lines"

    def save(self, filename, data):
        with open(filename, "w") as file:
            json.dump({n: list(c) for n, c in data.items()}, file)

    def load(self, filename, row=None):
        with open(filename) as file:
            return json.load(file)

    def append(self, filename, data):
        raise NotImplementedError
"""


def test_another_package_may_bring_a_format(project, monkeypatch):
    site = project.root / "site"
    info = site / "lines_store-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "lines_store.py").write_text(OTHER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lines-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[psyrun.stores]\n.lines = lines_store:LinesStore\n")
    monkeypatch.syspath_prepend(site)
    project.task("t", squares("H5Store()"))
    assert project.psy("run").code == 0
    merged = project.psy("merge", "psy-work/t", "out.lines")
    assert merged.code == 0, merged.err
    assert json.loads((project.root / "out.lines").read_text())["y"] == [0, 1, 4, 9, 16, 25]
    assert load_result("out.lines")["y"].tolist() == [0, 1, 4, 9, 16, 25]
    sys.modules.pop("lines_store")


@pytest.mark.parametrize(("store", "again"), [("H5Store()", True), ("NpzStore()", False)])
def test_changed_units_merge_again_where_the_file_keeps_them(project, store, again):
    project.task("t", squares(store, more="units = {'y': 'm'}"))
    assert project.psy("run").code == 0
    project.evaluated()
    project.task("t", squares(store, more="units = {'y': 'mV'}"))
    ran = project.psy("run")
    assert project.evaluated() == []
    assert ("units changed" in ran.out + ran.err) == again
    if again:
        with h5py.File(project.workdir("t") / "result.h5") as file:
            assert file["psyrun/y"].attrs["units"] == "mV"
            assert file["psyrun"].attrs["task"] == "t"
            assert len(file["psyrun"].attrs["fingerprint"]) > 8


@pytest.mark.parametrize(
    "store",
    [
        "H5Store(compression=3)",
        "H5Store(layout='table')",
        "H5Store(layout='table', index=['y'])",
        "H5Store(virtual=True)",
        "H5Store(node='/other')",
    ],
)
def test_another_store_merges_again_without_evaluation(project, store):
    project.task("t", squares("H5Store()"))
    project.psy("run")
    project.evaluated()
    project.task("t", squares(store))
    assert "store was H5Store, is " in project.psy("run").err
    assert project.evaluated() == []
    assert load_result("t")["y"].tolist() == [0, 1, 4, 9, 16, 25]
    assert "up to date" in project.psy("run").out


@pytest.mark.parametrize("options", ["", ", layout='table'", ", virtual=True"])
def test_another_node_is_read_everywhere(project, options):
    project.task("t", squares(f"H5Store(node='/other/one'{options})"))
    assert project.psy("run").code == 0
    with h5py.File(project.workdir("t") / "result.h5") as file:
        assert list(file) == ["other"] or "other" in file
    assert load_result("t")["y"].tolist() == [0, 1, 4, 9, 16, 25]
    assert load_result(project.workdir("t") / "result.h5").size == 6
    assert "6 rows" in project.psy("show", "t").out or "6 of 6" in project.psy("show", "t").out
    for target in ("x.pkl", "y.h5"):
        merged = project.psy("merge", "psy-work/t", target)
        assert merged.code == 0, merged.err
        assert load_result(target)["y"].tolist() == [0, 1, 4, 9, 16, 25]


@pytest.mark.parametrize("store", [NpzStore(), H5Store(), H5Store(layout="table")])
def test_the_map_goes_on_and_returns_lists(tmp_path, store):
    path = tmp_path / f"r{store.ext}"
    calls: list[Any] = []

    def fn(a):
        if a == 3 and len(calls) < 4:
            calls.append("failed")
            raise ValueError("not yet")
        calls.append(a)
        return {"y": a / 2, "n": a, "s": str(a), "b": a > 1}

    with pytest.raises(ValueError, match="not yet"):
        map_pspace_hdd_backed(fn, Param(a=range(5)), path, store=store)
    first = map_pspace_hdd_backed(fn, Param(a=range(5)), path, store=store)
    second = map_pspace_hdd_backed(fn, Param(a=range(5)), path, store=store)
    assert calls == [0, 1, 2, "failed", 3, 4]
    assert first is not None
    assert second == first
    assert all(type(column) is list for column in [*first.values(), *second.values()])
    assert [type(column[0]) for column in second.values()] == [int, float, int, str, bool]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("place", [-5, 20])
def test_a_flipped_byte_of_a_partial_result_is_found(project, store, place):
    project.task("t", squares(store))
    assert project.psy("run").code == 0
    project.evaluated()
    path = next(p for p in project.workdir("t").glob("out/1-0.*") if p.suffix != ".json")
    flip(path, place)
    merged = project.psy("merge", "psy-work/t", "x.pkl")
    assert f"{path.name} is damaged and left out" in merged.err
    assert "3 rows failed or missing" in merged.err
    assert load_result("x.pkl")["a"].tolist() == [3, 4, 5]


@pytest.mark.parametrize("store", STORES)
def test_a_damaged_result_is_noticed(project, store):
    project.task("t", squares(store))
    project.psy("run")
    project.evaluated()
    path = next(project.workdir("t").glob("result.*"))
    flip(path, -5)
    assert "to merge" in project.psy("status").out
    with pytest.raises(StoreError, match="not as it was written"):
        load_result(path)
    assert project.psy("run").code == 0
    assert project.evaluated() == []
    assert load_result("t")["y"].tolist() == [0, 1, 4, 9, 16, 25]


@pytest.fixture
def virtual(project):
    project.task("t", squares("H5Store(virtual=True)"))
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    project.evaluated()
    return project


def test_a_virtual_result_is_up_to_date(virtual):
    assert "up to date" in virtual.psy("run").out
    assert virtual.evaluated() == []


def test_a_virtual_result_can_be_read_while_a_grown_space_is_not_done(virtual):
    source = squares("H5Store(virtual=True)", size=9).replace(
        "    counted(a)", "    counted(a)\n    if a == 8: raise ValueError('no')"
    )
    virtual.task("t", source)
    virtual.psy("run", "-c")
    assert virtual.evaluated() == ["6", "7", "8"]
    old = H5Store().load(virtual.workdir("t") / "result.h5")
    assert old["y"].tolist() == [0, 1, 4, 9, 16, 25]
    virtual.task("t", squares("H5Store(virtual=True)", size=9))
    assert virtual.psy("run", "-c").code == 0
    assert load_result("t")["y"].tolist() == [a * a for a in range(9)]


def test_a_lost_partial_result_of_a_virtual_one_costs_its_rows(virtual):
    only(virtual.workdir("t"), "out/1-0.h5").unlink()
    with pytest.raises(StoreError, match=r"is virtual.*1-0\.h5"):
        H5Store().load(virtual.workdir("t") / "result.h5")
    assert "3 of 6 rows done" in virtual.psy("status").out
    assert virtual.psy("run").code == 0
    assert virtual.evaluated() == ["0", "1", "2"]
    assert load_result("t")["y"].tolist() == [0, 1, 4, 9, 16, 25]


def test_a_virtual_result_elsewhere_tells_what_clean_took(project):
    more = "resultfile = 'results/r.h5'"
    (project.root / "results").mkdir()
    project.task("t", squares("H5Store(virtual=True)", more=more))
    assert project.psy("run").code == 0
    assert load_result("t")["y"].tolist() == [0, 1, 4, 9, 16, 25]
    cleaned = project.psy("clean", "--yes", "t")
    assert "r.h5 stays, but holds no rows itself: it is virtual" in cleaned.out
    with pytest.raises(StoreError, match="is virtual"):
        H5Store().load(project.root / "results" / "r.h5")


def test_rows_are_merged_virtually_into_another_folder(project):
    project.task("t", squares("H5Store()"))
    project.psy("run")
    (project.root / "a" / "b").mkdir(parents=True)
    merged = project.psy("merge", "--virtual", "psy-work/t", "a/b/r.h5")
    assert merged.code == 0, merged.err
    assert H5Store().load("a/b/r.h5")["y"].tolist() == [0, 1, 4, 9, 16, 25]
    with h5py.File("a/b/r.h5") as file:
        assert file["psyrun/y"].is_virtual
    shutil.copytree("psy-work/t/out", "copy")
    assert project.psy("merge", "--virtual", "copy", "c.h5").code == 0
    shutil.rmtree("psy-work")
    assert np.array_equal(H5Store().load("c.h5")["y"], [0, 1, 4, 9, 16, 25])


@pytest.mark.parametrize("name", ["r.npz", "r.pkl"])
def test_only_hdf5_is_virtual(project, name):
    project.task("t", squares("H5Store()"))
    project.psy("run")
    merged = project.psy("merge", "--virtual", "psy-work/t", name)
    assert merged.code == 1
    assert "only HDF5 can be virtual; name a file such as r.h5" in merged.err


def test_rows_in_many_pieces_are_told_and_come_back_in_order(project, monkeypatch):
    from psyrun import merge

    monkeypatch.setattr(merge, "MOST_RUNS", 1)
    project.task("t", squares("H5Store(virtual=True)"))
    ran = project.psy("run")
    assert "in more than 1 pieces" in ran.err
    project.task("t", squares("H5Store(virtual=True)").replace("range(6)", "range(5, -1, -1)"))
    assert project.psy("run", "-c").code == 0
    found = load_result("t")
    assert found["a"].tolist() == [5, 4, 3, 2, 1, 0]
    assert found["y"].tolist() == [25, 16, 9, 4, 1, 0]
    assert list(found) == ["a", "y"]
    shutil.copytree("psy-work/t/out", "copy")
    copied = project.psy("merge", "--virtual", "copy", "c.h5")
    assert copied.code == 0, copied.err
    loaded = H5Store().load("c.h5")
    assert loaded["y"].tolist() == [a * a for a in loaded["a"]]


@pytest.mark.parametrize("ext", [".h5", ".npz"])
def test_a_result_may_stand_in_some_rows_in_a_parameter_s_place(project, ext):
    """Where it is a float in a job that has not ended, and complex in another."""
    source = """
        max_jobs = 2
        pspace = Param(a=[1, 2, 3, 4, 5, 6])

        def execute(a):
            if a == 6:
                raise ValueError
            return {1: {'a': 1j}, 5: {'a': 0.0}}.get(a, {})
    """
    project.task("t", source)
    assert project.psy("run").code == 1
    ran = project.psy("merge", "psy-work/t", f"t{ext}")
    assert ran.code == 0, ran.err
    assert load_result(f"t{ext}")["a"].tolist() == [1j, 2, 3, 4, 0]
