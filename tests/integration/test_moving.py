"""The examples of moving to Psyrun: what people have and the task file give the same."""

import itertools
import pickle
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from psyrun.main import psy_main

MOVING = Path(__file__).parents[2] / "psy-tasks-examples" / "moving"
TESTED = {"nested-loops", "joblib", "gnu-parallel", "hydra", "psyrun-0.8"}

Columns = dict[str, list[Any]]
Run = Callable[..., Columns]


@pytest.fixture
def moving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the examples, and work in an empty folder beside them."""
    copied = tmp_path / "moving"
    shutil.copytree(MOVING, copied, ignore=shutil.ignore_patterns("__*", "psy-work", "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return copied


@pytest.fixture
def run_task(moving: Path) -> Run:
    def run(folder: str, task: str, *options: str) -> Columns:
        assert psy_main(["--taskdir", str(moving / folder), "run", *options, task]) == 0
        columns: Columns = pickle.loads(Path(f"psy-work/{task}/result.pkl").read_bytes())
        return columns

    return run


def test_every_example_is_tested() -> None:
    assert {path.name for path in MOVING.iterdir()} == TESTED


def test_nested_loops(moving: Path, run_task: Run) -> None:
    runpy.run_path(str(moving / "nested-loops" / "before.py"), run_name="__main__")
    errors = np.load("errors.npz")["errors"]
    found = run_task("nested-loops", "ridge")
    assert np.array_equal(np.reshape(found["error"], errors.shape), errors)
    places = itertools.product([0.1, 0.5, 2.0], [0.0, 0.1, 1.0, 10.0], range(5))
    assert list(zip(found["noise"], found["penalty"], found["trial"], strict=True)) == [*places]


def test_results_of_nested_loops_are_taken_over(
    moving: Path, run_task: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    before = runpy.run_path(str(moving / "nested-loops" / "before.py"))
    old = np.full((3, 4, 5), 7.0)  # not what evaluating gives: so it is seen
    np.savez(moving / "nested-loops" / "take-over" / "errors.npz", errors=old)
    found = run_task("nested-loops/take-over", "ridge")
    expected = [
        7.0 if trial < 5 else before["generalisation_error"](noise, penalty, trial)
        for noise in before["noises"]
        for penalty in before["penalties"]
        for trial in range(6)
    ]
    assert found["error"] == expected

    assert set(run_task("nested-loops", "ridge", "-c")["error"]) == {7.0}
    assert "60 rows by earlier code, accepted" in capfd.readouterr().out


def test_joblib(moving: Path, run_task: Run) -> None:
    subprocess.run([sys.executable, moving / "joblib" / "before.py"], check=True)
    periods = pickle.loads(Path("periods.pkl").read_bytes())
    found = run_task("joblib", "period")
    pairs = zip(found["damping"], found["start"], strict=True)
    assert dict(zip(pairs, found["period"], strict=True)) == periods
    assert len(periods) == 8


def waits_by_hand(program: Path) -> list[float]:
    """Start the program for some pairs of arguments, as GNU parallel does for all."""
    waits = []
    for arrivals, seed in itertools.product(["0.2", "0.5", "0.8"], "12"):
        command = [sys.executable, str(program), "--arrivals", arrivals, "--seed", seed]
        waits.append(float(subprocess.check_output(command)))
    return waits


def test_gnu_parallel(moving: Path, run_task: Run) -> None:
    waits = waits_by_hand(moving / "gnu-parallel" / "waiting.py")
    found = run_task("gnu-parallel", "waiting")
    pairs = list(zip(found["arrivals"], found["seed"], strict=True))
    assert pairs == list(itertools.product([0.2, 0.5, 0.8], [1, 2, 3, 4]))
    assert [
        wait for wait, seed in zip(found["wait"], found["seed"], strict=True) if seed < 3
    ] == waits
    assert run_task("gnu-parallel", "waiting_program")["wait"] == waits


@pytest.mark.skipif(not shutil.which("parallel"), reason="GNU parallel is not installed")
def test_the_command_of_gnu_parallel(moving: Path) -> None:
    folder = moving / "gnu-parallel"
    subprocess.run(["sh", folder / "before.sh"], check=True, capture_output=True)
    files = [
        Path("waits", "1", arrivals, "2", seed, "stdout")
        for arrivals, seed in itertools.product(["0.2", "0.5", "0.8"], "1234")
    ]
    mean_wait = runpy.run_path(str(folder / "waiting.py"))["mean_wait"]
    waits = [mean_wait(arrivals, seed) for arrivals in [0.2, 0.5, 0.8] for seed in range(1, 5)]
    assert [float(file.read_text()) for file in files] == waits


def test_hydra(moving: Path, run_task: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    hydra = ModuleType("hydra")  # only its decorator is needed, and gets out of the way
    hydra.main = lambda **_: lambda fn: fn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hydra", hydra)
    main = runpy.run_path(str(moving / "hydra" / "train.py"))["main"]
    config = settings(moving / "hydra" / "conf" / "config.yaml")
    accuracies = []
    for model, rate in itertools.product(["small", "large"], [0.3, 1.0, 3.0]):
        group = settings(moving / "hydra" / "conf" / "model" / f"{model}.yaml")
        model_config = SimpleNamespace(**group)
        accuracies.append(
            main(SimpleNamespace(**config | {"rate": rate, "model": model_config}))
        )
    found = run_task("hydra", "spirals")
    assert found["accuracy"] == accuracies
    assert found["width"] == [8] * 3 + [64] * 3


def test_a_configuration_of_hydra_is_composed_for_each_row(run_task: Run) -> None:
    pytest.importorskip("hydra")
    composed = run_task("hydra/composed", "spirals")
    assert composed["model"] == ["small"] * 3 + ["large"] * 3
    assert composed["accuracy"] == run_task("hydra", "spirals", "--force")["accuracy"]


def settings(file: Path) -> dict[str, Any]:
    """Read the plain numbers of a YAML file."""
    lines = (line.partition(": ") for line in file.read_text().splitlines())
    pairs = {name: value for name, _, value in lines if value and not name.startswith(" ")}
    return {n: float(value) if "." in value else int(value) for n, value in pairs.items()}


def test_a_task_of_psyrun_0_8_and_its_reader(
    moving: Path, run_task: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run_task("psyrun-0.8/before", "spikes")
    assert list(before) == ["current", "leak", "noise", "rate"]
    capsys.readouterr()
    runpy.run_path(str(moving / "psyrun-0.8" / "before" / "read_rates.py"))
    assert capsys.readouterr().out == f"{max(before['rate'])}\n"

    after = run_task("psyrun-0.8/after", "spikes", "--force")
    assert after == before


def test_rows_that_psyrun_0_8_left_are_merged(moving: Path, run_task: Run) -> None:
    out = Path("psy-work/spikes/out")
    out.mkdir(parents=True)
    (out.parent / "in").mkdir()
    for job in range(2):
        rows = {"current": [0.9 + job], "leak": [1.0], "rate": [2.0 + job]}
        (out / f"{job}.pkl").write_bytes(pickle.dumps(rows))
    assert psy_main(["merge", str(out), "kept.pkl"]) == 0
    kept = pickle.loads(Path("kept.pkl").read_bytes())
    assert kept == {"current": [0.9, 1.9], "leak": [1.0, 1.0], "rate": [2.0, 3.0]}
    assert len(run_task("psyrun-0.8/before", "spikes")["rate"]) == 12
