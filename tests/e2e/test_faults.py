"""Processes killed at random moments: no row is lost, no result is wrong."""

import pytest

from tests.e2e.faulting import Tally, Trial

EACH_VICTIM = (1, 3, 4, 6)
"""Seeds by which every kind of process gets a signal."""


@pytest.mark.parametrize("seed", EACH_VICTIM)
def test_random_faults_lose_no_row(tmp_path, seed):
    tally = Tally()
    Trial(tmp_path, seed, tally).go()
    assert (tally.lost, tally.wrong) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*sorted({*range(8)} - {*EACH_VICTIM}), *range(1000, 1200)])
def test_many_random_faults_lose_no_row(tmp_path, seed):
    tally = Tally()
    Trial(tmp_path, seed, tally).go()
    assert (tally.lost, tally.wrong) == (0, 0)
