import time
from math import inf

from psyrun.board import Board
from psyrun.pace import Pace


def clock():
    return time.perf_counter()


def test_without_an_end_there_is_always_time():
    pace = Pace(Board(1))
    pace.begin(None)
    assert pace.look(clock()) > clock()
    assert not pace.is_limited


def test_a_block_ends_at_its_time_but_gets_on():
    pace = Pace(Board(1))
    pace.begin(time.monotonic() - 1)
    assert pace.look(clock()) > -inf
    assert pace.look(clock()) == -inf
    assert not pace.late


def test_no_row_is_started_that_is_unlikely_to_fit():
    board = Board(1)
    pace = Pace(board)
    board.end = time.monotonic() + 60
    pace.begin(None)
    assert pace.is_limited
    pace.durations.extend([1.0] * 80 + [100.0] * 20)
    assert pace.look(clock()) > -inf
    pace.durations.extend([100.0] * 10)
    assert pace.look(clock()) == -inf
    assert pace.late


def test_where_no_row_has_finished_one_is_started():
    board = Board(1)
    board.end = time.monotonic() + 0.5
    pace = Pace(board)
    pace.begin(None)
    assert pace.look(clock()) > -inf


def test_an_end_that_comes_early_stops_a_block_under_way():
    board = Board(1)
    pace = Pace(board)
    pace.begin(None)
    assert pace.look(clock()) > -inf
    board.end = -inf
    assert pace.look(clock()) == -inf
    assert pace.late
