"""Tests of the store: what comes back, what is refused, a whole task, and the entry point."""

import contextlib
import math
import runpy
import sqlite3
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from psyrun_sqlite import SqliteStore

import psyrun
from psyrun.exceptions import StoreError
from psyrun.main import psy_main

HERE = Path(__file__).parent
INSTALLED = ".sqlite" in entry_points(group="psyrun.stores").names


@pytest.fixture
def path(tmp_path):
    return tmp_path / "r.sqlite"


@pytest.mark.parametrize(
    "column",
    [
        [1, -(2**63), 2**63 - 1],
        [0.5, math.inf, -0.0],
        ["", "1", 'a"b', "日本\0"],
        [b"", b"\xff\0"],
        [True, 1.0, "both"],
        [np.float32(0.5), np.int8(3), np.str_("a")],
    ],
)
def test_values_come_back(path, column):
    SqliteStore().save(path, {"x": column, 'a "name"': column})
    assert SqliteStore().load(path) == {"x": column, 'a "name"': column}
    assert SqliteStore().load(path, row=1)["x"] == column[1:2]


def test_a_gap_comes_back_as_nan(path):
    SqliteStore().save(path, {"x": [1, math.nan]})
    found = SqliteStore().load(path)["x"]
    assert found[0] == 1
    assert math.isnan(found[1])


def test_a_file_is_replaced(path):
    SqliteStore().save(path, {"x": [1, 2]})
    SqliteStore().save(path, {"y": [3]})
    assert SqliteStore().load(path) == {"y": [3]}


def test_rows_with_other_columns_are_appended(path):
    SqliteStore().append(path, {"x": [1]})
    SqliteStore().append(path, {"y": [2], "x": [3]})
    found = SqliteStore().load(path)
    assert found["x"] == [1, 3]
    assert math.isnan(found["y"][0])
    assert found["y"][1] == 2


@pytest.mark.parametrize("value", [None, [1, 2], {"a": 1}, np.arange(3), 1j, 2**63])
def test_what_it_cannot_hold_is_refused_by_name(path, value):
    for refused in (lambda: SqliteStore().check({"trace": value}), lambda: save(path, value)):
        with pytest.raises(StoreError, match=r"cannot hold 'trace': .*PickleStore can"):
            refused()


def save(path, value):
    SqliteStore().save(path, {"a": [1, 2], "trace": [0, value]})


def test_what_is_no_result_is_told(path):
    with pytest.raises(FileNotFoundError):
        SqliteStore().load(path)
    path.write_bytes(b"no database at all")
    with pytest.raises(StoreError, match="not a database"):
        SqliteStore().load(path)
    path.unlink()
    sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
    assert not SqliteStore().holds_result(path)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Run the example task, and give the columns that a plain loop gives."""
    with contextlib.chdir(tmp_path_factory.mktemp("project")):
        assert psy_main(["--taskdir", str(HERE), "run", "percolation"]) == 0
        task = runpy.run_path(str(HERE / "task_percolation.py"))
        rows = [row | task["execute"](**row) for row in task["pspace"]]
        yield {name: [row[name] for row in rows] for name in rows[0]}


def test_a_whole_task_gives_what_a_plain_loop_gives(result):
    assert SqliteStore().load("psy-work/percolation/result.sqlite") == result


@pytest.mark.skipif(not INSTALLED, reason="needs: python -m pip install -e .")
def test_psyrun_knows_the_store_by_the_extension(result, capfd):
    loaded = psyrun.load_result("percolation")
    assert {name: list(loaded[name]) for name in loaded} == result
    assert psy_main(["merge", "psy-work/percolation", "other.sqlite"]) == 0
    assert SqliteStore().load("other.sqlite") == result
    capfd.readouterr()
    assert psy_main(["--taskdir", str(HERE), "show", "percolation", "--head", "1"]) == 0
    assert "100 of 100 rows done" in capfd.readouterr().out
