"""Results of HDF5, read by other programs than the one that wrote them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import tables

TASK = """
    import numpy as np
    from psyrun import Param
    from psyrun.store import H5Store

    pspace = Param(a=range(4)) * Param(name=["x", "ä"])
    store = H5Store({options})
    units = {{"y": "m/s"}}

    def execute(a, name):
        return {{
            "y": a / 2,
            "flag": a > 1,
            "z": a * 1j,
            "word": name * a,
            "v": np.arange(3) + a,
            "day": np.datetime64("2024-01-01") + a,
        }}
"""


OPTIONS = ["", "virtual=True", "compression='gzip'", "node='/mine'"]


def all_options(project):
    for number, options in enumerate(OPTIONS):
        project.task(f"t{number}", TASK.format(options=options))
    assert project.psy("run").code == 0


@pytest.fixture(params=OPTIONS)
def result(once, request):
    """The result of a task of HDF5, and its node."""
    workdir = once(all_options).workdir(f"t{OPTIONS.index(request.param)}")
    return workdir / "result.h5", "mine" if "node" in request.param else "psyrun"


def test_h5py_reads_all(result):
    path, node = result
    with h5py.File(path) as file:
        group = file[node]
        assert list(group) == ["a", "name", "y", "flag", "z", "word", "v", "day"]
        assert group["a"][:].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        assert group["flag"].dtype == bool
        assert group["z"][-1] == 3j
        assert group["word"].asstr()[:].tolist()[-2:] == ["xxx", "äää"]
        assert group["v"][3].tolist() == [1, 2, 3]
        days = group["day"][:].view(group["day"].attrs["dtype"])
        assert days[-1] == np.datetime64("2024-01-04")
        assert group["y"].attrs["units"] == "m/s"
        assert group.attrs["task"].startswith("t")
        assert re.fullmatch("[0-9a-f]{64}", group.attrs["fingerprint"])


def test_pytables_reads_all(result):
    path, node = result
    if is_virtual(path, node):
        pytest.skip("PyTables knows no virtual datasets")
    with tables.open_file(path) as file:
        group = file.get_node(f"/{node}")
        assert group.y[:].tolist() == [0, 0, 0.5, 0.5, 1, 1, 1.5, 1.5]
        assert group.flag[:].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
        assert group.z[2] == 1j
        assert group.word[-1].decode() == "äää"
        assert group.v[0].tolist() == [0, 1, 2]


def test_pandas_takes_the_columns(result):
    path, node = result
    with h5py.File(path) as file:
        numbers = {name: file[node][name][:] for name in ("a", "y", "flag")}
    frame = pd.DataFrame(numbers)
    assert frame.groupby("a")["y"].mean().tolist() == [0, 0.5, 1, 1.5]


def test_h5dump_reads_all(result):
    path, node = result
    assert dumped(path, f"/{node}/a") == [str(a) for a in [0, 0, 1, 1, 2, 2, 3, 3]]
    assert dumped(path, f"/{node}/y")[-2:] == ["1.5", "1.5"]
    assert dumped(path, f"/{node}/flag") == ["FALSE"] * 4 + ["TRUE"] * 4
    assert dumped(path, f"/{node}/v")[:6] == ["0", "1", "2", "0", "1", "2"]
    words = dumped(path, f"/{node}/word")
    assert words[2].startswith('"x') or words[2].startswith("x")


def is_virtual(path: Path, node: str) -> bool:
    with h5py.File(path) as file:
        return bool(file[node]["y"].is_virtual)


def dumped(path: Path, dataset: str) -> list[str]:
    """List the values of a dataset as h5dump writes them."""
    program = shutil.which("h5dump")
    if program is None:
        if "PSYRUN_TEST_H5DUMP" in os.environ:
            pytest.fail("h5dump is to be tested, but is not installed")
        pytest.skip("h5dump is not installed")
    command = [program, "-y", "-w", "0", "-d", dataset, path.name]
    ran = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=True)
    data = ran.stdout.partition("DATA {")[2].partition("}")[0]
    return [value.strip().strip('"') for value in data.split(",")]
