"""The example tasks give what plain loops give."""

import importlib.util
import itertools
import math
import os
import platform
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ellipk

from psyrun import ImmediateRun, Slurm, load_result
from psyrun.main import psy_main
from psyrun.scheduler import Scheduler
from psyrun.tasks import TaskDef

EXAMPLES = Path(__file__).parents[2] / "psy-tasks-examples"
TESTED = {
    *("arithmetic", "digits", "mandelbrot", "outbreak", "pi", "planets"),
    *("relaxation", "spectrum", "spots", "valley"),
}

Columns = dict[str, list[Any]]
RunExample = Callable[[str], Columns]


@pytest.fixture
def run_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunExample:
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> Columns:
        assert psy_main(["--taskdir", str(EXAMPLES), "run", name]) == 0
        return {name: column.tolist() for name, column in load_result(name).items()}

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


def test_spots(run_example: RunExample) -> None:
    found = run_example("spots")
    pairs = list(itertools.product([0.03, 0.04, 0.05], [0.06, 0.065]))
    assert list(zip(found["feed"], found["kill"], strict=True)) == pairs
    u, v = np.ones((48, 48), np.float32), np.zeros((48, 48), np.float32)
    v[20:28, 20:28] = 0.5
    for step in range(1, 2001):
        reaction = u * v * v
        u += 0.16 * laplacian(u) - reaction + 0.04 * (1 - u)
        v += 0.08 * laplacian(v) + reaction - (0.04 + 0.06) * v
        if step % 500 == 0:
            assert np.allclose(found["v"][2][step // 500 - 1], v, atol=1e-4)
    assert found["spread"][2] == pytest.approx(v.std(), abs=1e-4)


def laplacian(field: NDArray[np.float32]) -> NDArray[np.float32]:
    shifts = [np.roll(field, shift, axis) for shift in (1, -1) for axis in (0, 1)]
    return sum(shifts, start=-4 * field)


def test_planets(run_example: RunExample) -> None:
    lines = (EXAMPLES / "planets.csv").read_text().splitlines()[1:]
    data = [(float(a), float(t)) for _, a, t in (line.split(",") for line in lines)]
    found = run_example("planets")
    for power, error in zip(found["power"], found["error"], strict=True):
        squares = [math.log(a**power / t) ** 2 for a, t in data]
        assert error == pytest.approx(math.sqrt(sum(squares) / len(squares)))
    assert found["power"][found["error"].index(min(found["error"]))] == 1.5


def test_mandelbrot(run_example: RunExample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = run_example("mandelbrot")
    assert found["device"] == ["processor"] * 4
    x, y = np.linspace(-2, 0.5, 300).tolist(), np.linspace(0, 1.2, 144).tolist()
    inside = sum(stays(complex(a, b), 25) for a in x for b in y)
    assert found["area"][0] == pytest.approx(6 * inside / 300 / 144, abs=1e-3)


def stays(c: complex, iterations: int) -> bool:
    z = 0j
    for _ in range(iterations):
        z = z * z + c
        if abs(z) > 2:
            return False
    return True


def test_mandelbrot_deals_out_the_gpus_that_it_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.setitem(sys.modules, "cupy", np)  # a stand-in
    task = TaskDef(EXAMPLES / "task_mandelbrot.py")
    assert task.pool_size == 2
    assert task.setup is not None
    assert task.setup(1)["device"] == "GPU 5"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"


def test_mandelbrot_counts_all_gpus_where_none_are_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(sys.modules, "cupy", np)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: x)'\necho 'GPU 1: B (UUID: y)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert TaskDef(EXAMPLES / "task_mandelbrot.py").pool_size == 2


def test_spectrum(run_example: RunExample) -> None:
    found = run_example("spectrum")
    pairs = list(itertools.product([100, 200, 300], range(16)))
    assert list(zip(found["size"], found["trial"], strict=True)) == pairs
    for row in (0, 20, 47):
        size, trial = pairs[row]
        matrix = np.random.default_rng([size, trial]).standard_normal((size, size))
        values = np.linalg.eigvals((matrix + matrix.T) / math.sqrt(2 * size)).real.tolist()
        assert found["largest"][row] == pytest.approx(max(values))
        assert found["inner_half"][row] == sum(-1 < value < 1 for value in values) / size
    semicircle = 1 / 3 + math.sqrt(3) / (2 * math.pi)
    assert sum(found["inner_half"]) / 48 == pytest.approx(semicircle, abs=0.01)


def test_relaxation(run_example: RunExample) -> None:
    found = run_example("relaxation")
    pairs = list(itertools.product([49, 29, 19], [1.0, 1.2, 1.4, 1.6, 1.8, 1.9]))
    assert list(zip(found["size"], found["factor"], strict=True)) == pairs
    assert found["middle"] == pytest.approx([0.25] * 18, abs=1e-3)  # by symmetry
    assert found["sweeps"][15:] == [sweeps_needed(19, factor) for factor in (1.6, 1.8, 1.9)]


def sweeps_needed(size: int, factor: float) -> int:
    cells = [(i, j) for i in range(1, size + 1) for j in range(1, size + 1)]
    cells.sort(key=lambda cell: sum(cell) % 2)  # one colour after the other
    field = [[float(not i)] * (size + 2) for i in range(size + 2)]
    for row in field[1:]:
        row[0] = row[-1] = 0.0
    sweeps, change = 0, 1.0
    while change > 1e-6:
        change = 0.0
        for i, j in cells:
            mean = (field[i - 1][j] + field[i + 1][j] + field[i][j - 1] + field[i][j + 1]) / 4
            step = factor * (mean - field[i][j])
            field[i][j] += step
            change = max(change, abs(step))
        sweeps += 1
    return sweeps


def test_pendulum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert psy_main(["--taskdir", str(EXAMPLES / "site"), "run", "pendulum"]) == 0
    found = load_result("pendulum")
    assert found["degrees"].tolist() == [*range(5, 180, 5)]
    for degrees, longer_by in zip(found["degrees"], found["longer_by"], strict=True):
        modulus = math.sin(math.radians(degrees) / 2)
        assert longer_by + 1 == pytest.approx(2 / math.pi * ellipk(modulus**2))


@pytest.mark.parametrize(
    ("host", "scheduler"), [("login2", Slurm), ("laptop", ImmediateRun)], ids=str
)
def test_the_scheduler_of_the_site_depends_on_the_host(
    monkeypatch: pytest.MonkeyPatch, host: str, scheduler: type[Scheduler]
) -> None:
    monkeypatch.setattr(platform, "node", lambda: host)
    task = TaskDef(EXAMPLES / "site/task_pendulum.py")
    assert isinstance(task.scheduler, scheduler)
    assert task.max_jobs == 5
    assert task.scheduler_args["account"] == "physics"
