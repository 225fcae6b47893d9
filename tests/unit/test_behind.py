import io
import time

from psyrun import behind
from psyrun.board import IDLE, Board
from psyrun.member import Member
from psyrun.pool import Pool


def pool_at(row, *, turn_ended):
    pool = Pool(Board(1), lambda *_: None)
    pool.board.rows[0] = row
    end = time.monotonic() - turn_ended
    pool.members[0] = Member(0, 1, io.StringIO(), -1, -1, job=0, block=((3, 6),), turn_end=end)
    return pool


def test_rows_behind_one_that_outlasts_its_turn_are_free():
    pool = pool_at(4, turn_ended=1)
    assert list(behind.freed(pool)) == [(0, ((5, 6),))]
    assert pool.members[0].block == ((3, 5),)
    assert list(behind.freed(pool)) == []


def test_nothing_is_free_before_a_process_has_seen_that_its_turn_is_over():
    pool = pool_at(4, turn_ended=0)
    assert list(behind.freed(pool)) == []
    assert 0 < behind.patience(pool) < 1


def test_a_process_between_rows_is_not_asked_without_a_pause():
    pool = pool_at(IDLE, turn_ended=1)
    assert list(behind.freed(pool)) == []
    assert behind.patience(pool) >= 0.05


def test_a_row_under_way_that_is_not_the_first_tells_of_one_that_is_done():
    assert not behind.any_done(pool_at(IDLE, turn_ended=0))
    assert not behind.any_done(pool_at(3, turn_ended=0))
    assert behind.any_done(pool_at(4, turn_ended=0))
