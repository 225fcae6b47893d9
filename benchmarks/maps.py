"""Print what the maps cost, as ratios to what they replace (repetitions interleaved, medians).

    python -m benchmarks.maps [--quick] [--repeat N]

Pools are warm: each variant runs once before it counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib

from benchmarks.measure import compare
from psyrun import Param, map_pspace, map_pspace_parallel

if TYPE_CHECKING:
    from collections.abc import Callable

    from psyrun.columns import Columns
    from psyrun.pspace import ParameterSpace

WORKERS = 2


def trivial(a, b, c):
    return {"total": a + b + c}


def trivial_keywords(**row):
    return {"total": row["a"] + row["b"] + row["c"]}


def slow(a):
    time.sleep(0.01)
    return {"b": a}


def grid(rows: int) -> ParameterSpace:
    return Param(a=range(rows // 1000)) * Param(b=range(100)) * Param(c=range(10))


def loop(fn: Callable[..., dict[str, Any]], space: ParameterSpace) -> Columns:
    """The hand-written loop over columns that are there, like `psyrun.mapper` itself."""
    columns = space.build()
    names = list(columns)
    out: Columns = {}
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(names, values, strict=True))
        row.update(fn(**row))
        for name, value in row.items():
            out.setdefault(name, []).append(value)
    return out


def three_loops(fn: Callable[..., dict[str, Any]], rows: int) -> Columns:
    """The hand-written loop as one writes it for a grid of three parameters."""
    out: Columns = {"a": [], "b": [], "c": [], "total": []}
    for a in range(rows // 1000):
        for b in range(100):
            for c in range(10):
                row = {"a": a, "b": b, "c": c}
                row.update(fn(**row))
                for name, value in row.items():
                    out[name].append(value)
    return out


def by_joblib(fn: Callable[..., Any], space: ParameterSpace) -> list[Any]:
    calls = (joblib.delayed(fn)(**row) for row in space)
    return joblib.Parallel(n_jobs=WORKERS)(calls)  # type: ignore[no-any-return]


def block_of_rows(fn: Callable[..., dict[str, Any]], rows: list[dict[str, Any]]) -> Columns:
    out: Columns = {}
    for row in rows:
        row.update(fn(**row))
        for name, value in row.items():
            out.setdefault(name, []).append(value)
    return out


def by_pool(pool: Any, fn: Callable[..., Any], space: ParameterSpace, block: int) -> Columns:
    """Blocks of rows out, columns back: what one writes by hand for speed."""
    parts = (list(space[i : i + block]) for i in range(0, len(space), block))
    out: Columns = {}
    for columns in pool.imap(partial(block_of_rows, fn), parts):
        for name, column in columns.items():
            out.setdefault(name, []).extend(column)
    return out


def block_of_columns(
    fn: Callable[..., dict[str, Any]], space: ParameterSpace, bounds: tuple[int, int]
) -> Columns:
    columns = space.columns(*bounds)
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(names, values, strict=True))
        for name, value in fn(**row).items():
            columns.setdefault(name, []).append(value)
    return columns


def by_pool_of_columns(
    pool: Any, fn: Callable[..., Any], space: ParameterSpace, block: int
) -> Columns:
    """Bounds out, columns back: the same with the help of a space."""
    bounds = [(i, min(i + block, len(space))) for i in range(0, len(space), block)]
    out: Columns = {}
    for columns in pool.imap(partial(block_of_columns, fn, space), bounds):
        for name, column in columns.items():
            out.setdefault(name, []).extend(column)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out a million joblib calls")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    small, large, naps = grid(10**5), grid(10**6), Param(a=range(2000))
    parallel = partial(map_pspace_parallel, n_jobs=WORKERS)
    n = options.repeat
    for fn, bar in ((trivial, 1.25), (trivial_keywords, 1.5)):
        ours = partial(map_pspace, fn, small)
        title = f"map_pspace / loop, 1e5, {fn.__name__}"
        compare(title, bar, ours, partial(loop, fn, small), n)
        compare(title + ", nested", bar, ours, partial(three_loops, fn, 10**5), n)
    with multiprocessing.Pool(WORKERS) as pool:
        few, many = partial(parallel, trivial, small), partial(parallel, trivial, large)
        compare("parallel / joblib, 1e5", 0.4, few, partial(by_joblib, trivial, small), n)
        rows = partial(by_pool, pool, trivial, large, 1000)
        compare("parallel / Pool, 1e6, blocks of 1000 rows", 1.5, many, rows, n)
        columns = partial(by_pool_of_columns, pool, trivial, large, 1000)
        compare("parallel / Pool, 1e6, blocks of 1000 as columns", 1.5, many, columns, n)
        resting = partial(by_pool_of_columns, pool, slow, naps, 1000)
        compare(
            "parallel / Pool, 2000 rows of 10 ms",
            1.05,
            partial(parallel, slow, naps),
            resting,
            1,
        )
        if not options.quick:
            slowly = partial(by_joblib, trivial, large)
            compare("parallel / joblib, 1e6", 0.15, many, slowly, 1)


if __name__ == "__main__":
    main()
