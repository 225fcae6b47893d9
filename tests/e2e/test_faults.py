"""Processes killed at random moments: no row is lost, no result is wrong."""

import pytest

from tests.e2e.faulting import Tally, Trial


@pytest.mark.parametrize("seed", range(8))
def test_random_faults_lose_no_row(tmp_path, seed):
    tally = Tally()
    Trial(tmp_path, seed, tally).go()
    assert (tally.lost, tally.wrong) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_many_random_faults_lose_no_row(tmp_path, seed):
    tally = Tally()
    Trial(tmp_path, seed, tally).go()
    assert (tally.lost, tally.wrong) == (0, 0)
