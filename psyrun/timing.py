"""Own how long the phases of a run take: how that is counted, and what it adds up to.

A command notes its phases with the run, a worker those of its own in the notes beside partial
results; so nothing is written that would not be written anyway.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psyrun import machine, rows
from psyrun.runfile import Run
from psyrun.state import Source
from psyrun.units import duration
from psyrun.workdir import run_of

__all__ = ["Stopwatch", "Tally", "Timing", "timing_lines", "timing_of"]


class Stopwatch:
    """Tells how long a command's phases take.

    Parameters
    ----------
    began : float, optional
        When the first began, by `time.monotonic`. None is with this process.

    Attributes
    ----------
    laps : dict of str to float
        Phases, and for how many seconds each went on.
    """

    def __init__(self, began: float | None = None) -> None:
        self._since = time.monotonic() - machine.process_age() if began is None else began
        self.laps: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        """Note that a phase ends here."""
        now = time.monotonic()
        self.laps[phase] = self.laps.get(phase, 0.0) + now - self._since
        self._since = now

    def restart(self) -> None:
        """Begin anew, with another task."""
        self._since, self.laps = time.monotonic(), {}


class Tally:
    """Adds up what the row processes of a worker spend, until it is noted."""

    def __init__(self) -> None:
        self._began = time.time() - machine.process_age()
        self._spent: Counter[str] = Counter()
        self._started = False

    def add(self, spent: Mapping[str, float]) -> None:
        """Add seconds by phase; the first time it is only noted that the worker is at work."""
        if not self._started:
            self._started = True
            self._spent["start"] = machine.process_age()  # type: ignore[assignment]
        for phase, seconds in spent.items():
            self._spent[phase] += seconds  # type: ignore[assignment]

    def take(self, processes: int) -> dict[str, float]:
        """Return what was added since the last time, and what worker this is.

        Parameters
        ----------
        processes : int
            How many row processes there are.
        """
        spent, self._spent = dict(self._spent), Counter()
        return {**spent, "began": self._began, "processes": processes}


@dataclass(frozen=True)
class Timing:
    """How long the phases of a run took, in seconds.

    Attributes
    ----------
    phases : dict of str to float
        The command's and the merge job's: `start` (of the command, with what it imports and the
        task file), `plan`, `submit` (freezing and handing over), `queue` (until the first
        worker began; not on this machine), `work` (until the last partial result) and `merge`.
    workers : dict of str to float
        Within `work`: `start` (of a worker and its code, on average), and added up over row
        processes `evaluate` and `write` (partial results).
    processes : int
        How many row processes a worker had at most.
    rows : int
        Rows that the run evaluated and that stand in partial results.
    """

    phases: Mapping[str, float] = field(default_factory=dict)
    workers: Mapping[str, float] = field(default_factory=dict)
    processes: int = 0
    rows: int = 0

    @property
    def total(self) -> float:
        """Seconds in all."""
        return sum(self.phases.values())

    @property
    def row_seconds(self) -> float | None:
        """Seconds a row took besides what does not depend on rows; None where there is none."""
        if not self.rows or "work" not in self.phases:
            return None
        starting = sum(self.phases.get(name, 0.0) for name in ("start", "queue"))
        starting += self.workers.get("start", 0.0)
        return max(self.total - starting, 0.0) / self.rows


_PHASES = ("start", "plan", "submit", "queue", "work", "merge")


def timing_of(run: Run, sources: Sequence[Source]) -> Timing:
    """Add up how long the phases of a run took, as its notes tell.

    Parameters
    ----------
    run : Run
        The run.
    sources : sequence of Source
        What is in `out/`.
    """
    mine = [s.info for s in sources if s.info is not None and run_of(s.job) == run.number]
    notes = [info["timing"] for info in mine if info.get("timing")]
    phases = dict(run.timing)
    if notes and "work" not in phases:
        elsewhere = _elsewhere(run, notes)
        if not run.token:  # it is on this machine, and not over
            del elsewhere["queue"]
        phases.update(elsewhere)
    starts = [note["start"] for note in notes if "start" in note]
    workers = {"start": sum(starts) / len(starts)} if starts else {}
    for name in ("evaluate", "write") if notes else ():
        workers[name] = sum(note.get(name, 0.0) for note in notes)
    return Timing(
        {name: phases[name] for name in _PHASES if name in phases},
        workers,
        max((note["processes"] for note in notes), default=0),
        sum(rows.count(info["rows"]) for info in mine),
    )


def _elsewhere(run: Run, notes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Tell how long jobs of a scheduler waited and worked, by their hosts' clocks."""
    began = min(note["began"] for note in notes)
    submitted = datetime.fromisoformat(run.when).timestamp() if run.when else began
    return {
        "queue": max(began - submitted - run.timing.get("submit", 0.0), 0.0),
        "work": max(max(note["ended"] for note in notes) - began, 0.0),
    }


def timing_lines(timing: Timing) -> Iterator[str]:
    """Say how long the phases of a run took, a line each."""
    if not timing.phases:
        yield "how long it took was not noted"
        return
    for name, seconds in timing.phases.items():
        line = f"{name:8} {duration(seconds):>9}"
        if name == "work" and timing.workers:
            parts = (f"{part} {duration(spent)}" for part, spent in timing.workers.items())
            each = f" over {timing.processes} processes" if timing.processes > 1 else ""
            line += f"  {', '.join(parts)}{each}"
        yield line
    name = "in all" if "merge" in timing.phases else "so far"
    line = f"{name:8} {duration(timing.total):>9}"
    if (each_row := timing.row_seconds) is not None:
        line += f"  {duration(each_row)} for each of {rows.text(timing.rows)}"
    yield line
