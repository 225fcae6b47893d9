"""What the phases of a run add up to."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from psyrun.runfile import Run
from psyrun.state import Source
from psyrun.timing import Stopwatch, Tally, Timing, timing_lines, timing_of

RUN = Run(2, "s", "c", 10, when="2026-01-01T00:00:00+00:00", token="t")
SUBMITTED = 1_767_225_600.0
"""The same moment, in seconds since 1970."""


def note(job: str, rows: list[list[int]], **timing: float) -> Source:
    return Source(Path(job), job, "s", "c", (), info={"rows": rows, "timing": timing})


def test_a_lap_begins_where_the_one_before_ended(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("psyrun.machine.process_age", lambda: 3.0)
    watch = Stopwatch()
    for phase, seconds in (("start", 1), ("plan", 2), ("start", 4)):
        now[0] += seconds
        watch.lap(phase)
    assert watch.laps == {"start": 3 + 1 + 4, "plan": 2}
    before = watch.laps
    watch.restart()
    now[0] += 5
    watch.lap("start")
    assert (watch.laps, before["plan"]) == ({"start": 5}, 2)


def test_a_command_that_another_program_calls_begins_with_the_call(monkeypatch):
    monkeypatch.setattr("psyrun.machine.process_age", lambda: 3600.0)
    watch = Stopwatch(time.monotonic())
    watch.lap("start")
    assert watch.laps["start"] < 60


def test_what_is_taken_from_a_tally_is_not_taken_again(monkeypatch):
    monkeypatch.setattr("psyrun.machine.process_age", lambda: 0.5)
    tally = Tally()
    tally.add({})
    tally.add({"evaluate": 1.0})
    tally.add({"evaluate": 2.0})
    first, second = tally.take(2), tally.take(2)
    assert (first["start"], first["evaluate"], first["processes"]) == (0.5, 3.0, 2)
    assert "evaluate" not in second
    assert "start" not in second
    assert first["began"] == second["began"]


def test_phases_of_a_run_on_this_machine():
    run = replace(RUN, timing={"merge": 1.0, "work": 8.0, "start": 2.0, "plan": 3.0})
    sources = [
        note(
            "2-0", [[0, 3]], start=0.5, evaluate=2.0, write=1.0, processes=2, began=0, ended=9
        ),
        note("2-1", [[3, 4], [6, 8]], evaluate=4.0, processes=2, began=0, ended=9),
        note("1-0", [[8, 9]], evaluate=100.0, processes=9, began=0, ended=9),
    ]
    timing = timing_of(run, sources)
    assert list(timing.phases) == ["start", "plan", "work", "merge"]
    assert timing.workers == {"start": 0.5, "evaluate": 6.0, "write": 1.0}
    assert (timing.processes, timing.rows, timing.total) == (2, 6, 14.0)
    assert timing.row_seconds == pytest.approx((14.0 - 2.0 - 0.5) / 6)


def test_phases_of_jobs_of_a_scheduler():
    run = replace(RUN, timing={"start": 1.0, "submit": 4.0, "merge": 2.0})
    sources = [
        note(
            "2-0", [[0, 5]], start=1.0, began=SUBMITTED + 34, ended=SUBMITTED + 50, processes=1
        ),
        note(
            "2-1", [[5, 10]], start=3.0, began=SUBMITTED + 40, ended=SUBMITTED + 60, processes=1
        ),
    ]
    timing = timing_of(run, sources)
    assert timing.phases == {"start": 1, "submit": 4, "queue": 30, "work": 26, "merge": 2}
    assert timing.workers["start"] == 2.0
    assert timing.row_seconds == pytest.approx((4 + 26 + 2 - 2) / 10)


def test_a_run_on_this_machine_that_is_not_over_waits_for_no_queue():
    run = replace(RUN, token="", timing={"submit": 1.0})
    source = note("2-0", [[0, 5]], began=SUBMITTED + 9, ended=SUBMITTED + 12, processes=1)
    timing = timing_of(run, [source])
    assert timing.phases == {"submit": 1, "work": 3}
    assert list(timing_lines(timing))[-1].startswith("so far")


def test_clocks_that_differ_make_no_time_negative():
    run = replace(RUN, timing={"submit": 4.0})
    source = note("2-0", [[0, 5]], began=SUBMITTED - 5, ended=SUBMITTED - 6, processes=1)
    assert timing_of(run, [source]).phases == {"submit": 4, "queue": 0, "work": 0}


def test_partial_results_of_before_tell_nothing():
    source = Source(Path("2-0"), "2-0", "s", "c", (), info={"rows": [[0, 5]]})
    timing = timing_of(RUN, [source])
    assert timing == Timing(rows=5)
    assert timing.row_seconds is None
    assert list(timing_lines(timing)) == ["how long it took was not noted"]


def test_lines():
    timing = Timing(
        {"start": 0.25, "work": 8.0, "merge": 1.0},
        {"start": 0.5, "evaluate": 14.0, "write": 0.5},
        2,
        1_000_000,
    )
    assert list(timing_lines(timing)) == [
        "start       250 ms",
        "work           8 s  start 500 ms, evaluate 14 s, write 500 ms over 2 processes",
        "merge          1 s",
        "in all       9.2 s  8.5 us for each of 1,000,000 rows",
    ]
