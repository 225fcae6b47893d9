from types import SimpleNamespace

import pytest

from psyrun import rows
from psyrun.backend import DistributeBackend
from psyrun.backend.distribute import share_sizes
from psyrun.dealing import Dealer


def test_blocks_get_smaller_as_rows_run_out():
    dealer = Dealer([((0, 1000),)], 2)
    sizes = []
    while block := dealer.next_block():
        sizes.append(rows.count(block[1]))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 100
    assert sizes[-1] == 1
    assert sum(sizes) == 1000


def test_a_block_belongs_to_one_job():
    dealer = Dealer([((0, 3),), ((0, 100),)], 1)
    first = dealer.next_block()
    assert first == (0, ((0, 3),))


def test_a_block_is_bounded_however_many_rows_there_are():
    dealer = Dealer([((0, 10**9),)], 1)
    block = dealer.next_block()
    assert block is not None
    assert rows.count(block[1]) <= 10**5


def test_a_job_without_rows_is_whole_at_once():
    dealer = Dealer([((0, 1),), ()], 1)
    assert dealer.next_whole() == 1
    assert dealer.next_whole() is None


def test_what_is_given_back_is_dealt_next():
    dealer = Dealer([((0, 100),)], 1)
    block = dealer.next_block()
    assert block is not None
    dealer.give_back(0, ((3, 5),))
    again = dealer.next_block()
    assert again is not None
    assert again[1][0][0] == 3


def test_ten_rows_in_jobs_of_four():
    assert share_sizes(10, max_jobs=4, min_items=4) == [5, 5]  # 0.8: StopIteration


def test_no_rows_make_no_job():
    assert share_sizes(0, max_jobs=4, min_items=1) == []


def test_a_million_rows_without_a_limit_of_jobs():
    assert len(share_sizes(10**6, max_jobs=None, min_items=3)) == 10**6 // 3


@pytest.mark.parametrize("ranges", [((0, 10),), ((0, 1), (3, 5), (10, 17))])
def test_shares_follow_each_other(ranges):
    task = SimpleNamespace(max_jobs=4, min_items=1)
    shares = DistributeBackend(task).deal(ranges)
    assert [rows.count(share) for share in shares] == [3, 3, 2, 2]
    assert rows.joined(pair for share in shares for pair in share) == ranges
