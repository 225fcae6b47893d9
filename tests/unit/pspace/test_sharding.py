from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyrun.pspace import Param, ParameterSpace, Selection
from psyrun.pspace.sharding import schedule, shard

SPACES = [
    Param(a=range(10), b="x", c=np.arange(20).reshape(10, 2), d=list("0123456789")),
    Param(a=range(4)) * Param(b=range(5)),
    Param(a=range(2)) * Param(b=[1, 2]) * Param(c=range(3)),
    Param(a=range(2)) * (Param(b=[1, 2]) + Param(c=range(3))),
    Param(a=range(2)) + Param() + Param(b=range(3), a=1) + Param(c=0),
    (Param(a=range(4)) * Param(b=range(5)))[3:12][::-2],
    (Param(a=range(4)) * Param(b=range(5)))[3:12],
    Param(a=range(9)) - Param(a=[1, 5]),
    Selection(Param(a=range(9)), [3, 1, 3]),
    Param(a=[]),
    Param(),
]


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_a_shard_is_a_slice(space: ParameterSpace):
    for start in range(space.size + 1):
        for stop in range(start, space.size + 1):
            piece = shard(space, start, stop)
            assert piece == space[start:stop]
            assert piece.keys() == space.keys()


@pytest.mark.parametrize(
    "space",
    [
        Param(a=list(range(10**5))),
        Param(a=list(range(10**5))) * Param(b=[1]),
        Param(a=list(range(100))) * Param(b=list(range(10**5))),
        Param(a=list(range(10**5))) + Param(b=list(range(10**5))),
        Param(a=list(range(10**5)))[10:],
        Param(a=list(range(10**5))) - Param(a=3),
    ],
    ids=repr,
)
def test_a_shard_holds_no_more_than_it_needs(space: ParameterSpace):
    assert len(pickle.dumps(shard(space, 50_000, 50_010))) < 2_000


@given(st.integers(0, 10**7), st.integers(1, 64))
def test_a_schedule_covers_each_row_once_in_order(size: int, workers: int):
    cut = schedule(size, workers)
    assert [start for start, _ in cut] == [0, *(stop for _, stop in cut)][: len(cut)]
    assert sum(stop - start for start, stop in cut) == size
    assert all(start < stop for start, stop in cut)


@given(st.integers(1_000, 10**6), st.integers(2, 16))
def test_blocks_shrink_and_are_few(size: int, workers: int):
    sizes = [stop - start for start, stop in schedule(size, workers)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= size / (3 * workers)
    assert sizes[-1] <= max(1, size / (128 * workers))
    assert len(sizes) <= 24 * workers


def test_blocks_are_bounded():
    assert max(stop - start for start, stop in schedule(10**8, 2)) == 2**18
