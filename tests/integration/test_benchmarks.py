"""The comparison with peers is consistent, and runs; what it measures is not judged here."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import registry, render, work
from benchmarks.arena import run_sweep
from benchmarks.environments import Environments
from benchmarks.judging import judge, per_row
from benchmarks.registry import Bar, Contestant, Sweep

HERE = Path(registry.__file__).parent
CONTESTANTS = sorted({(c.peer, c.function) for s in registry.SWEEPS for c in s.contestants})
TINY = Sweep(
    "tiny",
    "Tiny",
    "memory",
    "trivial",
    20,
    20,
    (
        Contestant("loop", "loop", "serial"),
        Contestant("Psyrun", "psyrun", "serial"),
        Contestant("Pool", "pool", "parallel", "chunks"),
        Contestant("missing", "xyzpy", "serial"),
        Contestant("broken", "loop", "no_such_function"),
    ),
)


@pytest.mark.parametrize("sweep", registry.SWEEPS, ids=lambda sweep: sweep.name)
def test_every_sweep_has_a_limit_and_psyrun(sweep: Sweep) -> None:
    peers = {one.peer for one in sweep.contestants}
    assert "psyrun" in peers
    assert peers & set(registry.LIMITS)
    names = [one.name for one in sweep.contestants]
    assert len(set(names)) == len(names)
    assert sweep.rows % 10 == sweep.quick % 10 == 0
    assert callable(getattr(work, sweep.work))


@pytest.mark.parametrize("sweep", registry.SWEEPS, ids=lambda sweep: sweep.name)
def test_what_is_left_is_told_where_rows_are_kept(sweep: Sweep) -> None:
    assert {bool(one.keeps) for one in sweep.contestants} == {sweep.mode == "kept"}


@pytest.mark.parametrize(("peer", "function"), CONTESTANTS)
def test_every_contestant_is_there(peer: str, function: str) -> None:
    source = (HERE / "peers" / f"{peer}.py").read_text()
    assert f"\ndef {function}(case: Case)" in source
    known = [*registry.OWN, *registry.COMMANDS, *registry.PACKAGES]
    assert known.count(peer) == 1


def test_names_and_titles_of_sweeps_differ() -> None:
    for of in (lambda s: s.name, lambda s: (s.title, s.rows), lambda s: (s.title, s.quick)):
        assert len({of(sweep) for sweep in registry.SWEEPS}) == len(registry.SWEEPS)


@pytest.mark.parametrize("bar", registry.BARS, ids=lambda bar: f"{bar.ours}, {bar.sweep}")
def test_bars_are_about_contestants(bar: Bar) -> None:
    (sweep,) = (sweep for sweep in registry.SWEEPS if sweep.name == bar.sweep)
    names = {one.name for one in sweep.contestants}
    assert bar.ours in names
    assert bar.theirs in names | {registry.IDEAL, registry.EACH_ROW}


@pytest.mark.parametrize("peer", registry.PACKAGES)
def test_requirements_are_pinned(peer: str) -> None:
    lines = (registry.REQUIREMENTS / f"{peer}.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert set(registry.PACKAGES[peer]) <= pins.keys()


def test_there_are_no_requirements_of_others() -> None:
    found = {path.stem for path in registry.REQUIREMENTS.iterdir()}
    assert found == registry.PACKAGES.keys()


@pytest.mark.parametrize("fn", [work.trivial, work.array])
def test_expected_results_are_those_of_the_function(fn: object, tmp_path: Path) -> None:
    case = work.Case(getattr(work, getattr(fn, "__name__", "")), 30, tmp_path)
    rows = [case.fn(**row) for row in case.assignments()]
    assert work.agrees(work.found(rows), work.expected(case.fn, 30))
    assert not work.agrees(work.found(rows[1:]), work.expected(case.fn, 30))


@pytest.mark.parametrize("fn", [work.scattered, work.clumped])
def test_one_row_in_ten_takes_long(fn: object) -> None:
    ideal = work.ideal_seconds(fn, 800)  # type: ignore[arg-type]
    assert ideal == pytest.approx((80 * work.LONG + 720 * work.SHORT) / 2)


def test_the_page_shows_what_was_measured() -> None:
    record = json.loads(command.MEASURED.read_text())
    assert render.rst(record) == command.TABLE.read_text()


def test_what_was_measured_is_what_there_is_to_measure() -> None:
    record = json.loads(command.MEASURED.read_text())
    found = {s["name"]: [c["name"] for c in s["contestants"]] for s in record["sweeps"]}
    assert found == {s.name: [c.name for c in s.contestants] for s in registry.SWEEPS}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    nowhere = Environments(tmp_path_factory.mktemp("environments"))
    return run_sweep(TINY, nowhere, repeat=2, timeout=60)


def test_a_sweep_runs_through(tiny: dict[str, object]) -> None:
    for name in ("loop", "Psyrun", "Pool"):
        assert per_row(tiny, name), name
    lines = render.text(recorded(tiny)).splitlines()
    (ours,) = (line.split() for line in lines if line.startswith("Psyrun"))
    assert "1.00" in ours


def test_what_is_missing_is_told_with_what_would_install_it(tiny: dict[str, object]) -> None:
    assert per_row(tiny, "missing") is None
    assert (
        "missing is not installed; this would: python -m benchmarks --install xyzpy"
        in render.text(recorded(tiny))
    )


def test_what_fails_is_a_line_in_the_table(tiny: dict[str, object]) -> None:
    assert per_row(tiny, "broken") is None
    assert "broken failed: AttributeError: module" in render.text(recorded(tiny))


def test_what_hangs_is_ended() -> None:
    hanging = replace(TINY, work="clumped", rows=800, contestants=TINY.contestants[:1])
    (one,) = run_sweep(hanging, Environments(), repeat=1, timeout=0.5)["contestants"]
    assert one["failed"] == "no answer in 0.5 s"


def test_bars_are_judged() -> None:
    def one(name: str, peer: str, per_row: float, keeps: str = "each row") -> dict[str, object]:
        return {"name": name, "peer": peer, "per_row": per_row, "keeps": keeps}

    contestants = [one("hand", "loop", 0.5), one("ours", "psyrun", 2.0), one("slow", "a", 8.0)]
    contestants += [one("fast", "b", 6.0), one("batch", "b", 1.0, "each batch")]
    sweep = {"name": "s", "rows": 10, "ideal": 10.0, "contestants": contestants}
    bars = [
        Bar("", "s", "ours", theirs, 1) for theirs in ("slow", "batch", "each row", "ideal")
    ]
    bars += [Bar("", "s", "ours", "nobody", 1), Bar("", "elsewhere", "ours", "slow", 1)]
    judged = [(bar["ratio"], bar["verdict"]) for bar in judge(bars, [sweep])]
    assert judged == [
        (2 / 8, "holds"),
        (2.0, "FAILS"),
        (2 / 6, "holds"),
        (2.0, "FAILS"),
        (None, "open"),
    ]
    assert {bar["verdict"] for bar in judge(bars, [sweep], quick=True)} == {"open"}


def recorded(sweep: dict[str, object]) -> dict[str, object]:
    machine = {"cpu": "A", "cores": 2, "memory": "1 GiB", "system": "Linux", "python": "3"}
    head = {"when": "today", "quick": True, "repeat": 2, "machine": machine, "versions": {}}
    return {**head, "sweeps": [sweep], "bars": []}
