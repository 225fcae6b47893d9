"""Own which sweeps there are, who takes part in each, and the bars: all of it data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements"

OWN = ("psyrun", "loop", "pool", "futures")
"""Peers that run in the environment of the one who measures."""

LIMITS = ("loop", "pool")
"""Peers that are written by hand: not tools, but what tools can hope for."""

COMMANDS = {"parallel": ("parallel", "apt-get install parallel")}
"""Peers that are commands: which, and how Debian installs them."""

PACKAGES = {
    "adaptive": ("adaptive",),
    "dask": ("distributed",),
    "joblib": ("joblib",),
    "pypet": ("pypet",),
    "signac": ("signac", "signac-flow"),
    "snakemake": ("snakemake",),
    "submitit": ("submitit",),
    "xyzpy": ("xyzpy",),
}
"""Peers with an environment of their own, and the packages whose versions are told."""

IDEAL = "ideal"
EACH_ROW = "each row"


@dataclass(frozen=True)
class Contestant:
    """A way to do a sweep: a function of a peer's module."""

    name: str
    peer: str
    function: str
    how: str = ""
    rows: int | None = None
    """At most so many rows, for peers that would take too long; None for those of the sweep."""
    keeps: str = ""
    """What a kill -9 leaves, where results are kept on disk."""


@dataclass(frozen=True)
class Sweep:
    """Rows to be evaluated, and who does it."""

    name: str
    title: str
    mode: Literal["memory", "kept", "whole"]
    work: str
    rows: int
    quick: int
    contestants: tuple[Contestant, ...]


@dataclass(frozen=True)
class Bar:
    """What Psyrun's time a row may be at most, as a multiple of another's in the same sweep."""

    text: str
    sweep: str
    ours: str
    theirs: str
    """A contestant; or `IDEAL`, half of the rows' own time; or `EACH_ROW`, the fastest peer
    that keeps each row."""
    at_most: float


ONE_CORE = (
    Contestant("loop by hand", "loop", "serial"),
    Contestant("map_pspace", "psyrun", "serial"),
    Contestant("joblib", "joblib", "serial", "Parallel(n_jobs=1)"),
    Contestant("xyzpy", "xyzpy", "serial"),
    Contestant("adaptive", "adaptive", "serial", "SequenceLearner", rows=10_000),
)
TWO_CORES = (
    Contestant("Pool by hand", "pool", "parallel", "chunks, pool started"),
    Contestant("map_pspace_parallel", "psyrun", "parallel", "pool warm"),
    Contestant("concurrent.futures", "futures", "parallel", "chunks, pool started"),
    Contestant("joblib", "joblib", "parallel", "pool warm"),
    Contestant("xyzpy", "xyzpy", "parallel", "pool warm", rows=2_000),
    Contestant("dask.distributed", "dask", "parallel", "chunks, cluster warm"),
    Contestant("adaptive", "adaptive", "parallel", "pool warm", rows=2_000),
)
ROW_BY_ROW = (
    Contestant("Pool by hand", "pool", "one_by_one", "pool started"),
    Contestant("map_pspace_parallel", "psyrun", "parallel", "pool warm"),
    Contestant("concurrent.futures", "futures", "one_by_one", "pool started"),
    Contestant("joblib", "joblib", "parallel", "pool warm"),
    Contestant("xyzpy", "xyzpy", "parallel", "pool warm"),
    Contestant("dask.distributed", "dask", "one_by_one", "cluster warm"),
    Contestant("adaptive", "adaptive", "parallel", "pool warm"),
)
PSY_RUN = Contestant("psy run", "psyrun", "command", "whole command")
SCALARS_KEPT = (
    Contestant("flushed by hand", "loop", "flushed", "a pickle a row", keeps=EACH_ROW),
    Contestant("map_pspace_hdd_backed", "psyrun", "pickled", "PickleStore", keeps=EACH_ROW),
    Contestant("joblib.Memory", "joblib", "memory", rows=1000, keeps=EACH_ROW),
    Contestant("xyzpy Crop", "xyzpy", "crop", "batches of 1000", keeps="each batch"),
    Contestant("signac", "signac", "persisted", rows=500, keeps=EACH_ROW),
    Contestant("pypet", "pypet", "persisted", rows=100, keeps=EACH_ROW),
)
ARRAYS_KEPT = (
    Contestant("flushed by hand", "loop", "flushed", "a pickle a row", keeps=EACH_ROW),
    Contestant("map_pspace_hdd_backed", "psyrun", "hdf5", "H5Store", keeps=EACH_ROW),
    Contestant("PyTables by hand", "loop", "pytables", "chunks of 100", keeps="nothing"),
    Contestant("joblib.Memory", "joblib", "memory", rows=1000, keeps=EACH_ROW),
    Contestant("xyzpy Crop", "xyzpy", "crop", "batches of 100", keeps="each batch"),
    Contestant("signac", "signac", "persisted", rows=200, keeps=EACH_ROW),
    Contestant("pypet", "pypet", "persisted", rows=100, keeps=EACH_ROW),
)
WHOLE = (
    Contestant("commands by hand", "loop", "commands", "a process a row"),
    Contestant("psy run", "psyrun", "command", "2 processes"),
    Contestant("GNU parallel", "parallel", "command", "a process a row"),
    Contestant("signac-flow", "signac", "command", "2 processes"),
    Contestant("Snakemake", "snakemake", "command", "a shell rule"),
    Contestant("submitit", "submitit", "command", "local executor", rows=40),
)


def _trivial(rows: int, label: str) -> tuple[Sweep, ...]:
    one = "In memory, one process, trivial function"
    two = "In memory, two processes, trivial function"
    quick = max(rows // 10, 500)
    return (
        Sweep(f"serial-{label}", one, "memory", "trivial", rows, quick, ONE_CORE),
        Sweep(f"parallel-{label}", two, "memory", "trivial", rows, quick, TWO_CORES),
    )


SWEEPS = (
    *_trivial(1_000, "1e3"),
    *_trivial(100_000, "1e5"),
    *_trivial(1_000_000, "1e6"),
    Sweep(
        "arrays",
        "In memory, two processes, arrays of 1000 floats",
        "memory",
        "array",
        10_000,
        500,
        TWO_CORES,
    ),
    Sweep(
        "computing",
        "In memory, two processes, 10 ms of computing a row",
        "memory",
        "computing",
        400,
        40,
        ROW_BY_ROW,
    ),
    Sweep(
        "scattered",
        "Two processes, one row in ten takes 100 ms, others 2 ms, scattered",
        "memory",
        "scattered",
        800,
        100,
        (*ROW_BY_ROW, PSY_RUN),
    ),
    Sweep(
        "clumped",
        "Two processes, the last tenth takes 100 ms a row, others 2 ms",
        "memory",
        "clumped",
        800,
        730,
        (*ROW_BY_ROW, PSY_RUN),
    ),
    Sweep(
        "kept-scalars",
        "On disk, one process, trivial function",
        "kept",
        "trivial",
        100_000,
        10_000,
        SCALARS_KEPT,
    ),
    Sweep(
        "kept-arrays",
        "On disk, one process, arrays of 1000 floats",
        "kept",
        "array",
        10_000,
        1000,
        ARRAYS_KEPT,
    ),
    Sweep(
        "whole",
        "Whole commands, two processes, trivial function",
        "whole",
        "trivial",
        100,
        20,
        WHOLE,
    ),
)

BARS = (
    Bar("faster than xyzpy", "serial-1e5", "map_pspace", "xyzpy", 1),
    Bar("at most half of joblib", "arrays", "map_pspace_parallel", "joblib", 0.5),
    Bar(
        "1/100 of peers that keep each row",
        "kept-scalars",
        "map_pspace_hdd_backed",
        EACH_ROW,
        0.01,
    ),
    Bar(
        "faster than xyzpy Crop",
        "kept-scalars",
        "map_pspace_hdd_backed",
        "xyzpy Crop",
        1,
    ),
    Bar(
        "at most 4 times PyTables",
        "kept-arrays",
        "map_pspace_hdd_backed",
        "PyTables by hand",
        4,
    ),
    *(
        Bar("at most 1.15 times the ideal", sweep, ours, IDEAL, 1.15)
        for sweep in ("scattered", "clumped")
        for ours in ("map_pspace_parallel", "psy run")
    ),
)
