"""The example for clusters gives what a plain loop gives, on the fake Slurm."""

import pickle
import runpy
from pathlib import Path

import pytest

from psyrun.main import psy_main
from tests.fakescheduler.system import FakeSystem

EXAMPLE = Path(__file__).parents[2] / "psy-tasks-examples" / "cluster"


def test_kuramoto(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with FakeSystem(tmp_path_factory.mktemp("system"), "slurm").running() as system:
        monkeypatch.setenv("PATH", system.path)
        assert psy_main(["--taskdir", str(EXAMPLE), "run", "--wait", "kuramoto"]) == 0
        assert "submitted 2 jobs" in capfd.readouterr().out
    result = pickle.loads(Path("psy-work/kuramoto/result.pkl").read_bytes())
    task = runpy.run_path(str(EXAMPLE / "task_kuramoto.py"))
    rows = [row | task["execute"](**row) for row in task["pspace"]]
    assert result == {name: [row[name] for row in rows] for name in rows[0]}
    assert result["order"][0] < 0.3
    assert result["order"][-1] > 0.6
