"""The example tasks give what plain loops give."""

import importlib.util
import itertools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psyrun.main import psy_main

EXAMPLES = Path(__file__).parents[2] / "psy-tasks-examples"
TESTED = {"arithmetic", "digits", "pi"}

Columns = dict[str, list[Any]]
RunExample = Callable[[str], Columns]


@pytest.fixture
def run_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunExample:
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> Columns:
        assert psy_main(["--taskdir", str(EXAMPLES), "run", name]) == 0
        columns: Columns = pickle.loads(Path(f"psy-work/{name}/result.pkl").read_bytes())
        return columns

    return run


def test_every_example_is_tested() -> None:
    assert {path.stem.removeprefix("task_") for path in EXAMPLES.glob("task_*.py")} == TESTED


def test_arithmetic(run_example: RunExample) -> None:
    rows = [(a, b, a * b) for a in [1, 2, 3] for b in [10, 20]]
    a, b, product = (list(column) for column in zip(*rows, strict=True))
    assert run_example("arithmetic") == {"a": a, "b": b, "product": product}


def test_pi(run_example: RunExample) -> None:
    pairs = list(itertools.product([100, 1_000, 10_000], range(20)))
    found = run_example("pi")
    assert list(zip(found["n"], found["trial"], strict=True)) == pairs
    assert found["pi"] == [estimate_pi(n, trial) for n, trial in pairs]
    assert sum(found["pi"][-20:]) / 20 == pytest.approx(3.14159, abs=0.02)


def estimate_pi(n: int, trial: int) -> float:
    rng = np.random.default_rng([n, trial])
    points = zip(rng.random(n).tolist(), rng.random(n).tolist(), strict=True)
    inside: int = sum(x**2 + y**2 < 1 for x, y in points)
    return 4 * inside / n


def test_digits(run_example: RunExample) -> None:
    from scipy.stats import loguniform
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import SVC

    from psyrun import Param

    found = run_example("digits")
    accuracy = found.pop("accuracy")
    drawn = Param.random(
        24,
        seed=1,
        C=loguniform(1e-1, 1e3),
        gamma=loguniform(1e-5, 1e-2),
        tol=[1e-2, 1e-3, 1e-4],
    )
    assert found == drawn.build()

    row = accuracy.index(max(accuracy))
    assert best_of(found | {"accuracy": accuracy}) == drawn[row] | {"accuracy": max(accuracy)}
    data, target = load_digits(return_X_y=True)
    scores = []
    for train, test in StratifiedKFold(3).split(data, target):
        model = SVC(**drawn[row]).fit(data[train], target[train])
        scores.append(model.score(data[test], target[test]))
    assert accuracy[row] == pytest.approx(sum(scores) / 3)
    assert accuracy[row] > 0.97


def best_of(result: Columns) -> dict[str, Any]:
    """Call the examples' own script."""
    spec = importlib.util.spec_from_file_location("best_digits", EXAMPLES / "best_digits.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found: dict[str, Any] = script.best(result)
    return found
