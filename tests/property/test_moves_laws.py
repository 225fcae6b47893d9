"""The law of moving rows as bytes: the result is as when values are read and written."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from psyrun import rows
from psyrun.exceptions import StoreError, WorkdirError
from psyrun.files import crc32
from psyrun.merge import Merger
from psyrun.partial import save_whole, verified, write_note
from psyrun.pspace import Param
from psyrun.state import read_sources
from psyrun.store import H5Store, h5, h5moves, moving
from psyrun.workdir import Workdir
from tests.desk import Desk
from tests.property.examples import examples

FEW = settings(
    max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck)
)

DTYPES = ["f8", "f4", "i2", ">i4", "c16", "?", "M8[s]", "S3", "U2", "i1,f8"]
SHAPES = [(), (3,), (2, 4)]


def values(dtype: str, shape: tuple[int, ...], size: int, seed: int) -> Any:
    """Make the values of a column: any bytes that are a value of the type."""
    kind = np.dtype(dtype)
    noise = np.random.default_rng(seed)
    if kind.kind in "US":
        return noise.choice(np.array(["a", "b", "ab"], kind), (size, *shape))
    if kind.kind == "b":
        return noise.integers(0, 2, (size, *shape)).astype(bool)
    raw = noise.integers(0, 100, (size, *shape, kind.itemsize), np.uint8)
    return np.ascontiguousarray(raw).view(kind).reshape(size, *shape)


@st.composite
def left_in(draw: st.DrawFn, desk: Desk) -> int:
    """Leave partial results and journals of jobs, some of whose rows overlap or lack."""
    size = draw(st.integers(1, 60))
    space = desk.space(Param(a=range(size)))
    columns = draw(
        st.lists(
            st.tuples(st.sampled_from(DTYPES), st.sampled_from(SHAPES)), min_size=1, max_size=3
        )
    )
    for number in range(1, draw(st.integers(1, 2)) + 1):
        owners = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
        if draw(st.booleans()):
            owners.sort()
        for owner in range(3):
            share = [row for row in range(size) if owners[row] == owner]
            if not share:
                continue
            job = desk.job(f"{number}-{owner}", space, rows.of_sorted(share))
            if draw(st.integers(0, 7)) == 0:
                desk.journal(job, {row: {"v0": 0.5} for row in share})
                continue
            store = H5Store(compression=draw(st.sampled_from([None] * 5 + ["gzip"])))
            dtypes = [draw(st.sampled_from([dtype] * 7 + ["f8"])) for dtype, _ in columns]
            data = {
                f"v{k}": values(dtypes[k], shape, len(share), 100 * number + 10 * owner + k)
                for k, (_, shape) in enumerate(columns)
            }
            path = next(iter(desk.workdir.new_partial(job.name, ".h5")))
            check = save_whole(store, path, data)
            write_note(desk.workdir, job, path, check, [], list(data))
    return size


def merge(desk: Desk, path: Path) -> dict[str, Any]:
    (space,) = desk.spaces
    state = desk.state(desk.run(space))
    merger = Merger(state, desk.spaces[space], H5Store())
    try:
        size, crc = save_whole(H5Store(), path, merger.columns())
    finally:
        merger.close()
    assert (size, crc) == (path.stat().st_size, crc32(path))
    with h5py.File(path) as file:
        return {
            name: (item.dtype, item.maxshape, item.chunks, item[:].tobytes())
            for name, item in file["psyrun"].items()
        }


@given(data=st.data())
@FEW
def test_moving_rows_gives_what_reading_and_writing_them_gives(data: Any) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(h5, "_CHUNK_BYTES", data.draw(st.sampled_from([1, 64, 200, 1 << 18])))
        patch.setattr(moving, "_BLOCK", data.draw(st.sampled_from([16, 100, 1 << 18])))
        desk = Desk(Workdir(Path(folder) / "task"), H5Store())
        desk.workdir.make()
        data.draw(left_in(desk))
        patch.setattr(h5moves, "_WORTH_MOVING", 1 << 30)
        try:
            read = merge(desk, Path(folder) / "read.h5")
        except StoreError:  # such values do not fit together
            return
        patch.setattr(h5moves, "_WORTH_MOVING", 0)
        assert merge(desk, Path(folder) / "moved.h5") == read


@given(data=st.data())
@settings(FEW, max_examples=25)
def test_a_flipped_byte_of_a_source_is_never_moved(data: Any) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(h5moves, "_WORTH_MOVING", 0)
        desk = Desk(Workdir(Path(folder) / "task"), H5Store())
        desk.workdir.make()
        space = desk.space(Param(a=range(20)))
        for number in range(2):
            job = desk.job(f"1-{number}", space, ((10 * number, 10 * number + 10),))
            desk.partial(job, {row: {"v": row + 0.5} for row in range(*job.rows[0])})
        target = Path(folder) / "r.h5"
        before = merge(desk, target)
        victim = data.draw(st.sampled_from(read_sources(desk.workdir))).path
        raw = bytearray(victim.read_bytes())
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        victim.write_bytes(raw)
        with pytest.raises(WorkdirError, match="is damaged"):
            merge(desk, target)
        kept, notes = verified(read_sources(desk.workdir))
        assert (len(kept), notes) == (1, [f"{victim} is damaged and left out"])
        with h5py.File(target) as file:
            assert file["psyrun/v"][:].tobytes() == before["v"][-1]
