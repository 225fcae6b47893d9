"""The simulation of claims evaluates each row once, and comes to the same each time."""

import dataclasses
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def traffic() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "claimtraffic.py"
    spec = importlib.util.spec_from_file_location("claimtraffic", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("latency", [0.001, 0.05])
@pytest.mark.parametrize(("shared", "most_looks"), [(False, None), (True, None), (True, 4)])
def test_each_row_is_evaluated_once(traffic, latency, shared, most_looks):
    scene = traffic.Scene(20, latency, 4, shared, most_looks, rows_each=50)
    outcome = traffic.Simulation(scene).run()
    assert (outcome.times == 1).all()
    assert outcome.ideal < outcome.makespan <= outcome.end
    assert 0 < outcome.waiting < 1


def test_it_comes_to_the_same_each_time_that_the_seed_is_the_same(traffic):
    def told(seed: int) -> tuple[object, ...]:
        outcome = traffic.Simulation(traffic.Scene(20, 0.01, 2, rows_each=50), seed).run()
        return tuple(
            getattr(outcome, field.name)
            for field in dataclasses.fields(outcome)
            if field.name != "times"
        )

    assert told(1) == told(1)
    assert told(1) != told(2)


def test_a_slower_server_is_waited_for_longer(traffic):
    waiting = [
        traffic.Simulation(traffic.Scene(20, latency, 1, rows_each=50)).run().waiting
        for latency in (0.001, 0.01, 0.1)
    ]
    assert waiting == sorted(waiting)
    assert waiting[2] > 0.5


def test_nobody_waits_for_a_lock_that_nobody_else_has(traffic):
    outcome = traffic.Simulation(traffic.Scene(1, 0.01, rows_each=20)).run()
    # 20 rows of seconds: a block each, taken and let go of, and the looks at start and end
    changes = 2 * outcome.claims * (traffic.LOCK + traffic.CHANGE)
    rest = traffic.START + traffic.BEAT + traffic.FINISH + 1
    assert outcome.claims <= 20
    assert outcome.asking == pytest.approx(0.01 * (changes + rest))


def test_the_table_of_the_docs_is_what_the_simulation_comes_to(traffic):
    folder = Path(__file__).parents[2] / "docs" / "explanation"
    text = (folder / "claim-traffic.rst.inc").read_text()
    shown = {tuple(line.split()) for line in text.splitlines()}
    for workers, latency in ((1, 0.001), (10, 0.01), (10, 0.05)):
        assert traffic.line(workers, latency, 16) in shown
