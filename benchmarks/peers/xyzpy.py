"""xyzpy: labelled data sets out of runners, and crops that keep a file a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xyzpy

from benchmarks.work import FLOATS, array

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Case


def runner(case: Case) -> Any:
    """Make a runner; it wants plain values instead of dicts of them."""

    def fn(a: int, b: int, c: int) -> Any:
        return case.fn(a, b, c)["total"]

    if case.fn is not array:
        return xyzpy.Runner(fn, var_names="total")
    dims = {"total": ["i"]}
    coords = {"i": list(range(FLOATS))}
    return xyzpy.Runner(fn, var_names="total", var_dims=dims, var_coords=coords)


def values(dataset: Any, size: int) -> Any:
    return dataset["total"].values.reshape(size, -1)


def serial(case: Case) -> Any:
    return values(runner(case).run_combos(case.combos, verbosity=0), case.size)


def parallel(case: Case) -> Any:
    dataset = runner(case).run_combos(case.combos, parallel=True, num_workers=2, verbosity=0)
    return values(dataset, case.size)


def crop(case: Case) -> Callable[[], Any]:
    """Sow, grow and reap batches of 1000 rows, of 100 where rows are arrays."""
    batch = 100 if case.fn is array else 1000
    harvester = xyzpy.Harvester(runner(case), data_name=str(case.folder / "rows.h5"))
    crop = harvester.Crop(name="rows", batchsize=batch, parent_dir=str(case.folder))
    crop.sow_combos(case.combos, verbosity=0)
    crop.grow_missing(verbosity=0)
    crop.reap(verbosity=0)
    return lambda: values(xyzpy.load_ds(str(case.folder / "rows.h5")), case.size)
