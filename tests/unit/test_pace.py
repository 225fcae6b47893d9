import time
from math import inf

import pytest

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


@pytest.mark.parametrize(("fits", "starts"), [(0.0, False), (50.0, False), (150.0, True)])
def test_what_took_too_long_before_is_not_started_unless_it_fits_from_the_start(fits, starts):
    board = Board(1)
    board.end = time.monotonic() + 60
    pace = Pace(board)
    pace.know([100.0] * 5, fits)
    pace.begin(None)
    assert (pace.look(clock()) > -inf) is starts
    assert pace.late is not starts
