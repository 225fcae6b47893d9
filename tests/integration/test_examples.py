"""The example tasks give what plain loops give."""

import importlib.util
import itertools
import pickle
import random
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from psyrun.main import psy_main

EXAMPLES = Path(__file__).parents[2] / "psy-tasks-examples"
TESTED = {"arithmetic", "digits", "outbreak", "pi", "valley"}

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


def test_outbreak(run_example: RunExample) -> None:
    """Nobody is spared in the end unless each sick person infects about one or fewer."""
    found = run_example("outbreak")
    pairs = [(i / 20, days) for i in range(1, 21) for days in (2, 5, 10)]
    assert list(zip(found["rate"], found["days"], strict=True)) == pairs
    for (rate, days), peak, spared in zip(pairs, found["peak"], found["spared"], strict=True):
        assert (peak > 0.001) == (rate * days * 0.999 > 1)
        assert spared > 0.95 if rate * days < 1 else spared < 0.97
    assert found["peak"][17] == 0.31273145113677664  # as the tutorial says


def test_valley(run_example: RunExample) -> None:
    found = run_example("valley")
    assert len(found["loss"]) == 20
    for rate, momentum, batch, loss in zip(*found.values(), strict=True):
        assert loss == (rate - 0.01) ** 2 + (momentum - 0.9) ** 2 + 1 / batch
    assert min(found["loss"][16:]) < min(found["loss"][:16])


@pytest.mark.parametrize(
    ("page", "name"),
    [("tutorial/rows-that-fail", "outbreak"), ("how-to/random-search", "valley")],
)
def test_a_page_ends_with_the_example(page: str, name: str) -> None:
    text = (EXAMPLES.parent / "docs" / f"{page}.rst").read_text()
    source = (EXAMPLES / f"task_{name}.py").read_text()
    function = source[source.index("def execute") :]
    assert textwrap.indent(function, "    ", lambda line: bool(line.strip())) in text


def test_pi(run_example: RunExample) -> None:
    pairs = list(itertools.product([100, 1_000, 10_000], range(20)))
    found = run_example("pi")
    assert list(zip(found["n"], found["trial"], strict=True)) == pairs
    assert found["pi"] == [estimate_pi(n, trial) for n, trial in pairs]
    assert sum(found["pi"][-20:]) / 20 == pytest.approx(3.14159, abs=0.02)


def estimate_pi(n: int, trial: int) -> float:
    rng = random.Random(f"pi {n} {trial}")
    inside = 0
    for _ in range(n):
        x, y = rng.random(), rng.random()
        inside += x * x + y * y < 1
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
