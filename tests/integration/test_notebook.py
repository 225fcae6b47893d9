"""The example notebook and the script beside it run, and give what a plain loop gives."""

import importlib.util
import json
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "psy-tasks-examples" / "notebook"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "notebook"
    shutil.copytree(FOLDER, copied, ignore=shutil.ignore_patterns("__*", "psy-work"))
    return copied


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "sweep.ipynb").read_text())["cells"]
    return found


def as_python() -> Iterator[str]:
    """Yield the notebook's code, without cells for modules that are not installed."""
    for cell in cells():
        tags = cell["metadata"].get("tags", [])
        needed = [tag.removeprefix("needs-") for tag in tags]
        if cell["cell_type"] == "code" and all(map(importlib.util.find_spec, needed)):
            command = r"subprocess.check_call([sys.executable, '-m', 'psyrun', '\1'])"
            yield re.sub(r"^!psy (\w+)$", command, "".join(cell["source"]), flags=re.MULTILINE)


def run(folder: Path, script: str) -> str:
    done = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected() -> dict[str, list[Any]]:
    """Evaluate the script's function by a plain loop."""
    spec = importlib.util.spec_from_file_location("sweep", FOLDER / "sweep.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    pairs = [(i, r) for i in [0.2, 0.3, 0.4, 0.5] for r in [0.1, 0.15, 0.2]]
    rows = [
        {"infection": i, "recovery": r} | script.epidemic(infection=i, recovery=r)
        for i, r in pairs
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_the_notebook_runs_from_top_to_bottom(folder: Path) -> None:
    (folder / "cells.py").write_text("\n\n".join(as_python()))
    out = run(folder, "cells.py")
    assert "epidemic: up to date, 12 rows" in out
    for result in ("epidemic.pkl", "psy-work/epidemic/result.pkl"):
        assert pickle.loads((folder / result).read_bytes()) == expected(), result


def test_the_script_runs(folder: Path) -> None:
    out = run(folder, "sweep.py")
    assert f"the highest peak: {max(expected()['peak']):.3f}\n" in out
    assert pickle.loads((folder / "epidemic.pkl").read_bytes()) == expected()


def test_the_notebook_is_a_valid_one_without_outputs() -> None:
    notebook = json.loads((FOLDER / "sweep.ipynb").read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert len({cell["id"] for cell in cells()}) == len(cells())
    for cell in cells():
        keys = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            keys |= {"execution_count", "outputs"}
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
        assert set(cell) == keys
        assert all(line.endswith("\n") for line in cell["source"][:-1])
