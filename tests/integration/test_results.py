"""Results as a user meets them: loaded, shown, and read back from files of other formats."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import psyrun
from psyrun.exceptions import ExtraError, StoreError, TaskError, WorkdirError
from tests.waiting import until

GRID = """
import numpy as np
pspace = Param(a=[0.5, 1.5]) * Param(b=[1, 2, 3], c=["x", "yy", "zzz"])

def execute(a, b, c):
    return {"y": a * b, "n": b * 10, "v": np.arange(2) * b, "text": c * 2}
"""
FAILING = """
pspace = Param(a=range(6))
max_jobs = 3

def execute(a):
    if a in (1, 4):
        raise ValueError("no")
    return {"y": a * a}
"""


def done_grid(project):
    project.task("grid", GRID)
    assert project.psy("run").code == 0


def failed_task(project):
    project.task("failing", FAILING)
    assert project.psy("run").code == 1


@pytest.fixture
def grid(once):
    return once(done_grid)


@pytest.fixture
def failing(once):
    return once(failed_task)


def test_a_result_is_a_mapping_of_arrays(grid):
    found = psyrun.load_result("grid")
    assert list(found) == ["a", "b", "c", "y", "n", "v", "text"]
    assert found["y"].tolist() == [0.5, 1.0, 1.5, 1.5, 3.0, 4.5]
    assert found["v"].shape == (6, 2)
    assert (found["n"].dtype.kind, found["c"].dtype.kind) == ("i", "U")
    assert found.complete
    assert (len(found.missing), len(found.failed), found.size) == (0, 0, 6)


@pytest.mark.parametrize(
    "place", ["psy-work/grid", "psy-work/grid/out", "psy-work/grid/result.pkl"]
)
def test_a_path_does_as_well_as_a_name(grid, place):
    for path in (place, grid.root / place):
        found = psyrun.load_result(path)
        assert found.complete
        assert found.space == psyrun.load_result("grid").space
        assert found.name == "grid"


def test_a_task_is_found_from_elsewhere_and_when_it_was_moved(grid, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    shutil.move(grid.workdir("grid"), tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = psyrun.load_result(tmp_path / "moved")
    assert found.complete
    assert found["y"].tolist() == [0.5, 1.0, 1.5, 1.5, 3.0, 4.5]
    assert psyrun.load_result(tmp_path / "moved" / "result.pkl").space is not None


@pytest.mark.parametrize("store", ["PickleStore", "NpzStore", "NpzStore(allow_pickle=True)"])
@pytest.mark.parametrize("whole", [True, False])
def test_each_store_gives_the_same(project, store, whole):
    failing = "" if whole else "    if a == 2: raise ValueError\n"
    project.task(
        "t",
        f"from psyrun.store import *\nstore = {store}\npspace = Param(a=[1, 2, 3], b='xyz')\n"
        f"def execute(a, b):\n{failing}    return {{'y': [a] * a, 'b2': b}}\n",
    )
    project.psy("run")
    found = psyrun.load_result("t")
    assert found.complete == whole
    assert found["y"].tolist()[0][:1] == [1]
    assert found["y"].shape == (3 if whole else 2, 3)
    assert np.isnan(found["y"][0, 1])
    assert found["b2"].tolist() == found["b"].tolist() == ["xyz"] * len(found["a"])


def test_hdf5_results_are_read_in_parts(project):
    source = GRID.replace(
        "pspace", "from psyrun.store import H5Store\nstore = H5Store\npspace", 1
    )
    project.task("t", source)
    assert project.psy("run").code == 0
    found = psyrun.load_result("t")
    assert found["text"].tolist() == ["xx", "yyyy", "zzzzzz"] * 2
    assert found.select([5, 0])["y"].tolist() == [4.5, 0.5]


def test_failed_and_missing_rows_are_told(failing):
    found = psyrun.load_result("failing")
    assert not found.complete
    assert found.failed.build() == {"a": [1, 4]}
    assert len(found.missing) == 0
    assert found["y"].tolist() == [0, 4, 9, 25]
    assert found.rows.tolist() == [0, 2, 3, 5]
    labelled = found.to_xarray()
    assert labelled["status"].values.tolist() == ["done", "failed", "done"] * 2
    assert labelled["y"].sel(a=3) == 9
    assert np.isnan(labelled["y"].sel(a=4))
    frame = found.to_pandas()
    assert frame["y"].dtype == np.int64
    assert frame.index.tolist() == [0, 2, 3, 5]


def test_a_run_under_way_can_be_looked_at(project):
    project.task(
        "slow",
        "import pathlib, time\npspace = Param(a=range(3))\npool_size = 1\nmax_jobs = 1\n"
        "def execute(a):\n    while a and not pathlib.Path('../go').exists():\n"
        "        time.sleep(0.01)\n    return {'y': a}\n",
    )
    process = project.start("run")

    def first():
        run_file = project.workdir("slow") / "run.json"
        return run_file.exists() and psyrun.load_result("slow").size

    until(first)
    found = psyrun.load_result("slow")
    assert (found.size, found.complete) == (1, False)
    assert found.missing.build() == {"a": [1, 2]}
    (project.root / "go").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert found["y"].tolist() == [0]  # its journal has gone by now
    assert psyrun.load_result("slow")["y"].tolist() == [0, 1, 2]


def test_an_older_whole_result_is_not_taken_for_the_last_run(project):
    path = project.task("failing", FAILING.replace("(1, 4)", "()"))
    project.psy("run")
    path.write_text(
        path.read_text().replace("in ()", "in (1, 4)").replace("range(6)", "range(7)")
    )
    project.psy("run")
    assert psyrun.load_result("failing").rows.tolist() == [0, 2, 3, 5, 6]
    assert psyrun.load_result("psy-work/failing/result.pkl")["y"].tolist() == [
        *(0, 1, 4, 9, 16, 25)
    ]


def test_a_result_that_overrides_a_parameter(project):
    project.task(
        "t", "pspace = Param(a=[1, 2])\ndef execute(a):\n    return {'a': -a, 'y': a}\n"
    )
    project.psy("run")
    found = psyrun.load_result("t")
    assert found["a"].tolist() == [-1, -2]
    labelled = found.to_xarray()
    assert labelled["a"].values.tolist() == [1, 2]
    assert labelled["a_result"].values.tolist() == [-1, -2]


def test_excluded_columns_are_left_out(project):
    project.task("t", GRID + "exclude_from_result = ['text', 'c']\n")
    project.psy("run")
    labelled = psyrun.load_result("t").to_xarray()
    assert labelled["y"].dims == ("a", "b_c")
    assert set(labelled.variables) == {"a", "b", "y", "n", "v", "status"}


def test_a_result_file_elsewhere_knows_its_task(project):
    project.task("t", GRID + "resultfile = 'there.pkl'\n")
    project.psy("run")
    assert psyrun.load_result("there.pkl").space == psyrun.load_result("t").space
    shutil.copy("there.pkl", "lone.pkl")
    lone = psyrun.load_result("lone.pkl")
    assert lone.space is None
    assert lone.to_xarray()["y"].dims == ("row",)
    assert lone.to_xarray(stacked=True)["status"].values.tolist() == ["done"] * 6


def test_classes_of_the_task_file_need_no_import_of_it(project):
    path = project.task(
        "t",
        "class Thing:\n    def __init__(self, a): self.a = a\n"
        "pspace = Param(a=[1, 2])\ndef execute(a):\n    return {'y': Thing(a)}\n",
    )
    project.psy("run")
    path.write_text("raise RuntimeError('ran')")
    done = project.start("show", "t")
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    assert "object" in out


def test_a_damaged_result_is_not_unpickled(grid):
    path = grid.workdir("grid") / "result.pkl"
    with path.open("r+b") as file:
        file.seek(20)
        file.write(b"\0\1")
    with pytest.raises(StoreError, match=r"is not as it was written.*psy run grid"):
        psyrun.load_result(path)
    assert psyrun.load_result("grid")["y"].tolist()[:2] == [0.5, 1.0]  # from its jobs' files


def test_a_damaged_partial_result_is_left_out_and_told(failing):
    journals = failing.workdir("failing").glob("out/*.part")
    pickled = re.compile(rb"\x80[\x04\x05]\x95")
    journal, data = next((p, d) for p in journals if pickled.search(d := p.read_bytes()))
    journal.write_bytes(pickled.sub(b"\x80\x05\x96", data, count=1))
    found = psyrun.load_result("failing")
    assert found.size == 3
    assert "damaged in places" in found.notes[0]
    ran = failing.psy("show", "failing")
    assert ran.code == 0
    assert "damaged in places" in ran.err


@pytest.mark.parametrize(
    ("task", "error", "message"),
    [
        ("gird", TaskError, "did you mean grid"),
        ("nothing.pkl", TaskError, "and no file of that name"),
        ("psy-tasks", WorkdirError, "is no task's work directory; name a task"),
        ("fresh", WorkdirError, "was never run; run it with: psy run fresh"),
        ("psy-tasks/task_grid.py", StoreError, r"no result file .*\.npz or \.pkl;"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_what_to_do(grid, task, error, message):
    grid.task("fresh", GRID)
    with pytest.raises(error, match=message):
        psyrun.load_result(task)


def test_without_a_folder_with_tasks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match="no folder psy-tasks with tasks; go to"):
        psyrun.load_result("grid")


# show


def test_show_tells_rows_and_columns(failing):
    ran = failing.psy("show", "failing")
    assert ran.code == 0
    assert ran.err == ""
    assert ran.out.splitlines() == [
        "failing: 4 of 6 rows done, 2 failed",
        "",
        "row  a   y",
        "  0  0   0",
        "  2  2   4",
        "  3  3   9",
        "  5  5  25",
        "",
        "column  type   values  missing  min  mean  max",
        "a       int64       4        0    0   2.5    5",
        "y       int64       4        0    0   9.5   25",
    ]


def test_show_sorts(failing):
    ran = failing.psy("show", "failing", "--sort", "y", "--reverse", "--head", "2")
    assert ran.out.splitlines()[2:5] == ["row  a   y", "  5  5  25", "  3  3   9"]


def test_show_chooses_columns(failing):
    ran = failing.psy("show", "failing", "--columns", "y", "--head", "1")
    assert ran.out.splitlines()[2:4] == ["row  y", "  0  0"]


def test_show_fits_the_terminal(grid, monkeypatch):
    for width in (40, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = grid.psy("show", "grid").out.splitlines()
        assert max(map(len, lines)) <= width
    monkeypatch.setenv("COLUMNS", "30")
    ran = grid.psy("show", "grid", "--sort", "n")
    assert "..." in ran.out.splitlines()[2]
    assert " n" in ran.out.splitlines()[2]
    assert "columns do not fit; choose some with: psy show grid --columns " in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "failing", "--sort", "z"], "has no column 'z'; there are: a, y"),
        (["show", "failing", "--columns", "yy"], "did you mean y?"),
        (["show", "faling"], "did you mean failing?"),
        (["export", "failing", "x.txt"], "is of no format that results can be written in"),
        (["export", "failing", "psy-work/failing/x.csv"], "name another file"),
        (["export", "nothing", "x.csv"], "there is no task 'nothing'"),
    ],
)
def test_what_is_wrong_is_told(failing, arguments, message):
    ran = failing.psy(*arguments)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err


def test_rows_are_not_sorted_by_what_has_no_order(grid):
    ran = grid.psy("show", "grid", "--sort", "v")
    assert (ran.code, ran.out) == (1, "")
    assert "cannot be sorted by 'v', which has values of int64 (2,)" in ran.err


# export


def test_a_csv_file_has_a_column_for_each_element(grid):
    ran = grid.psy("export", "grid", "out.csv")
    assert (ran.code, ran.out, ran.err) == (0, "6 rows in out.csv\n", "")
    frame = pd.read_csv("out.csv")
    assert list(frame) == ["a", "b", "c", "y", "n", "v[0]", "v[1]", "text"]
    pd.testing.assert_frame_equal(frame, psyrun.load_result("grid").to_pandas(expand=True))


def test_only_rows_that_meet_a_condition_are_written(grid):
    frame = psyrun.load_result("grid").to_pandas(expand=True).query("1 < y < 4")
    ran = grid.psy("export", "grid", "out.csv", "--where", "1 < y < 4")
    assert (ran.code, ran.out, ran.err) == (0, "3 rows in out.csv\n", "")
    pd.testing.assert_frame_equal(pd.read_csv("out.csv"), frame.reset_index(drop=True))
    assert grid.psy("export", "grid", "out.nc", "--where", "1 < y < 4").code == 0
    with xr.open_dataset("out.nc") as found:
        assert found["n"].count() == 3


def test_a_condition_that_nothing_meets_writes_an_empty_table(grid):
    ran = grid.psy("export", "grid", "out.csv", "--where", "n > 1000")
    assert (ran.code, ran.out) == (0, "0 rows in out.csv\n")
    assert list(pd.read_csv("out.csv")) == ["a", "b", "c", "y", "n", "v[0]", "v[1]", "text"]


def test_no_file_is_written_for_a_condition_that_is_none(grid):
    ran = grid.psy("export", "grid", "out.csv", "--where", "n >")
    assert (ran.code, ran.out) == (1, "")
    assert "condition 'n >': invalid syntax" in ran.err
    assert not Path("out.csv").exists()


def test_a_parquet_file_keeps_types_and_lists(grid):
    assert grid.psy("export", "grid", "out.parquet").code == 0
    frame = pd.read_parquet("out.parquet")
    assert frame["n"].dtype == np.int64
    assert [list(row) for row in frame["v"]] == [[0, 1], [0, 2], [0, 3]] * 2


def test_a_sheet(grid):
    assert grid.psy("export", "grid", "out.xlsx").code == 0
    frame = pd.read_excel("out.xlsx")
    pd.testing.assert_frame_equal(frame, psyrun.load_result("grid").to_pandas(expand=True))


def test_a_json_file_is_exact(project):
    project.task(
        "t", "pspace = Param(a=[0.1, 3])\ndef execute(a):\n    return {'y': a + 0.2}\n"
    )
    project.psy("run")
    project.psy("export", "t", "out.json")
    found = json.loads(Path("out.json").read_text())
    assert found == [{"a": 0.1, "y": 0.1 + 0.2}, {"a": 3, "y": 3.2}]
    assert pd.read_json("out.json")["y"].tolist() == pytest.approx([0.3, 3.2])


@pytest.mark.parametrize("ext", [".nc", ".zarr"])
def test_labelled_files(failing, ext):
    ran = failing.psy("export", "failing", f"out{ext}")
    assert ran.code == 0
    assert ran.err == "2 rows failed or missing\n"
    opened = xr.open_zarr("out.zarr") if ext == ".zarr" else xr.open_dataset("out.nc")
    with opened as found:
        xr.testing.assert_identical(found.load(), psyrun.load_result("failing").to_xarray())


def test_values_that_a_format_lacks_become_texts(project):
    project.task(
        "t",
        "pspace = Param(a=[1, 2], f=[max, min])\n"
        "def execute(a, f):\n    return {'z': a * 1j, 'd': {'k': a}}\n",
    )
    project.psy("run")
    for ext in (".nc", ".zarr", ".csv", ".json", ".parquet", ".xlsx"):
        ran = project.psy("export", "t", f"out{ext}")
        assert ran.code == 0, ran.err
    with xr.open_dataset("out.nc") as found:
        assert found["z_imag"].values.tolist() == [1, 2]
        assert found["d"].values.tolist() == ["{'k': 1}", "{'k': 2}"]
    assert pd.read_parquet("out.parquet")["d"].tolist() == [{"k": 1}, {"k": 2}]


def test_a_space_that_is_no_grid_is_written_in_rows(project):
    project.task(
        "t",
        "p = Param(a=range(300)) * Param(b=range(300)) * Param(c=range(300))\n"
        "pspace = p[::90301]\ndef execute(a, b, c):\n    return {'y': a}\n",
    )
    project.psy("run")
    ran = project.psy("export", "t", "out.nc")
    assert ran.code == 0
    assert "written with one dimension of rows: the parameter space is no grid" in ran.err
    with xr.open_dataset("out.nc") as found:
        assert found["y"].dims == ("row",)
        assert found["a"].values.tolist() == found["y"].values.tolist()


@pytest.mark.parametrize("name", ["out.csv", "out.zarr", "OUT.CSV", "OUT.ZARR"])
def test_files_are_replaced_only_by_force(grid, name):
    assert grid.psy("export", "grid", name).code == 0
    ran = grid.psy("export", "grid", name)
    assert ran.code == 1
    assert f"{name} is there already; replace it with --force" in ran.err
    assert grid.psy("export", "grid", name, "--force").code == 0
    assert list(grid.root.glob(".tmp*")) == []


def test_folders_that_hold_something_else_stay(grid):
    (grid.root / "mine.zarr").mkdir()
    (grid.root / "mine.csv").mkdir()
    for name in ("mine.zarr", "mine.csv"):
        ran = grid.psy("export", "grid", name, "--force")
        assert ran.code == 1
        assert "is in the way" in ran.err


@pytest.mark.parametrize(
    ("module", "file"), [("pandas", "x.csv"), ("xarray", "x.nc"), ("openpyxl", "x.xlsx")]
)
def test_without_a_library_the_message_says_what_to_install(grid, monkeypatch, module, file):
    monkeypatch.setitem(sys.modules, module, None)
    ran = grid.psy("export", "grid", file)
    assert ran.code == 1
    assert f"writing .{file[2:]} needs {module}" in ran.err
    assert f"python -m pip install {module}" in ran.err
    assert grid.psy("show", "grid").code == 0
    assert grid.psy("export", "grid", "x.json").code == 0


def test_tables_need_their_libraries(grid, monkeypatch):
    found = psyrun.load_result("grid")
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ExtraError, match=r"to_pandas needs pandas .*pip install pandas"):
        found.to_pandas()
    with pytest.raises(ImportError, match=r"to_xarray needs xarray"):
        found.to_xarray()


def test_no_rows_yet(project):
    project.task("t", "pspace = Param(a=[1])\ndef execute(a):\n    raise ValueError\n")
    project.psy("run")
    found = psyrun.load_result("t")
    assert (list(found), found["a"].tolist(), found.to_pandas().shape) == (["a"], [], (0, 1))
    assert found.to_xarray()["status"].values.tolist() == ["failed"]
    assert project.psy("show", "t").out == "t: 0 of 1 row done, 1 failed\n"
    for ext in (".csv", ".json", ".nc", ".zarr", ".parquet", ".xlsx"):
        assert project.psy("export", "t", f"x{ext}").code == 0


def test_an_overridden_parameter_is_known_from_journals_that_are_still_there(project):
    project.task(
        "t",
        "import pathlib\npspace = Param(a=[1, 2], b=[3, 4])\nmax_jobs = 1\n"
        "def execute(a, b):\n    if a == 2 and not pathlib.Path('../go').exists():\n"
        "        raise ValueError\n    return {'a': -a}\n",
    )
    project.psy("run")
    assert psyrun.load_result("t").parameters == ["b"]
    (project.root / "go").touch()
    assert project.psy("run").code == 0
    found = psyrun.load_result("t")
    assert found["a"].tolist() == [-1, -2]
    assert found.parameters == ["b"]


def test_objects_are_loaded_when_they_are_asked_for(project):
    project.task(
        "t",
        "from psyrun.store import NpzStore\nstore = NpzStore(allow_pickle=True)\n"
        "class Thing:\n    def __init__(self, a): self.a = a\n"
        "pspace = Param(a=[1, 2])\ndef execute(a):\n    return {'y': Thing(a)}\n",
    )
    assert project.psy("run").code == 0
    sys.modules.pop("task_t", None)
    assert [thing.a for thing in psyrun.load_result("t")["y"]] == [1, 2]


def test_cells_of_a_sheet_hold_what_they_are_given_or_it_is_told(project):
    openpyxl = pytest.importorskip("openpyxl")
    project.task(
        "cells",
        """
        from psyrun import Param
        pspace = Param(a=[0, 1])
        def execute(a):
            return {"formula": "=1+1", "error": "#N/A", "large": 2**60 + 1}
        """,
    )
    assert project.psy("run").code == 0
    ran = project.psy("export", "cells", "cells.xlsx")
    assert "written as texts, as the format has no such values: large" in ran.err
    sheet = openpyxl.load_workbook(project.root / "cells.xlsx").active
    head, *rows = sheet.iter_rows()
    assert [cell.value for cell in head] == ["a", "formula", "error", "large"]
    assert [cell.value for cell in rows[0]] == [0, "=1+1", "#N/A", str(2**60 + 1)]
    assert [cell.data_type for cell in rows[0]] == ["n", "s", "s", "s"]


@pytest.mark.parametrize(
    ("results", "file", "message"),
    [
        ('{"y": [a, a], "y[0]": a}', "x.csv", r"element for the column 'y\[0\]', which is"),
        ('{"z": a * 1j, "z_real": a}', "x.nc", "'z_real' is there already"),
        ('{"t": "x" * 40_000}', "x.xlsx", "32,767 characters, and 't' has longer"),
    ],
)
def test_what_would_overwrite_or_cut_is_refused(project, results, file, message):
    project.task(
        "clash",
        f"""
        from psyrun import Param
        pspace = Param(a=[1, 2])
        def execute(a):
            return {results}
        """,
    )
    assert project.psy("run").code == 0
    ran = project.psy("export", "clash", file)
    assert ran.code == 1
    assert re.search(message, ran.err)
    assert not (project.root / file).exists()


@pytest.mark.parametrize("store", ["PickleStore()", "NpzStore(allow_pickle=True)"])
def test_nothing_is_unpickled_whose_checksum_is_wrong(project, store):
    project.task(
        "t",
        f"""
        from psyrun import Param
        from psyrun.store import *
        pspace = Param(a=[0, 1])
        store = {store}
        def execute(a):
            return {{"y": 22222 + a}}
        """,
    )
    assert project.psy("run").code == 0
    (path,) = (project.root / "psy-work" / "t").glob("result.*")
    stamp = path.stat()
    raw = bytearray(path.read_bytes())
    place = raw.find((22222).to_bytes(2, "little"))
    raw[place] ^= 1
    path.write_bytes(raw)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    ran = project.psy("show", "t")
    assert ran.code == 1
    assert "is not as it was written" in ran.err


@pytest.mark.parametrize(
    ("condition", "hits"),
    [
        ("a*a > 0", 3),
        ("y*4000000000 > 0", 3),
        ("-a < 0", 3),
        ("a + 9223372036854775807 > 0", 3),
    ],
)
def test_integers_in_conditions_do_not_wrap(project, condition, hits):
    project.task(
        "t",
        """
        from psyrun import Param
        pspace = Param(a=[4000000000, 4000000001, 4000000002])
        def execute(a):
            return {"y": a}
        """,
    )
    assert project.psy("run").code == 0
    assert f"{hits} rows where" in project.psy("show", "t", "--where", condition).out


def test_rows_of_a_damaged_source_are_not_shown_as_those_of_a_virtual_result(project):
    project.task(
        "t",
        """
        from psyrun import Param
        from psyrun.store import H5Store
        pspace = Param(a=[0, 1, 2, 3])
        store = H5Store(virtual=True)
        max_jobs = 2
        def execute(a):
            return {"y": 77777 + a}
        """,
    )
    assert project.psy("run").code == 0
    path = project.root / "psy-work" / "t" / "out" / "1-1.h5"
    raw = bytearray(path.read_bytes())
    raw[raw.find((77779).to_bytes(8, "little"))] ^= 1
    path.write_bytes(raw)
    ran = project.psy("show", "t")
    assert "2 of 4 rows done" in ran.out
    assert "1-1.h5 is damaged" in ran.err
    ran = project.psy("run")
    assert "2 of 4 rows" in ran.err
    assert psyrun.load_result("t")["y"].tolist() == [77777, 77778, 77779, 77780]


def test_results_of_failed_rows_only_can_be_displayed(project):
    project.task(
        "t",
        """
        from psyrun import Param
        pspace = Param(a=[0, 1])
        def execute(a):
            raise ValueError(a)
        """,
    )
    assert project.psy("run").code == 1
    assert "2 failed" in psyrun.load_result("t")._repr_html_()


def test_a_result_that_is_merged_onto_itself_stays_the_result(project):
    project.task(
        "t",
        """
        from psyrun import Param
        from psyrun.store import H5Store
        pspace = Param(a=[0, 1])
        store = H5Store
        def execute(a):
            return {"y": a}
        """,
    )
    assert project.psy("run").code == 0
    assert project.psy("merge", "psy-work/t", "psy-work/t/result.h5").code == 0
    assert "up to date" in project.psy("status").out
    assert project.psy("verify").code == 0


@pytest.mark.parametrize("resultfile", ["r", "r.pkl", "r.dat"])
def test_a_result_is_read_by_its_store_whatever_its_name(project, resultfile):
    project.task(
        "t",
        f"""
        from psyrun import Param
        from psyrun.store import H5Store
        pspace = Param(a=[0, 1])
        store = H5Store
        resultfile = "{resultfile}"
        def execute(a):
            return {{"y": a}}
        """,
    )
    ran = project.psy("run")
    assert ran.code == 0
    assert ("writes .h5" in ran.err) == (resultfile == "r.pkl")
    assert psyrun.load_result("t")["y"].tolist() == [0, 1]
