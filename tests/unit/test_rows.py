import pytest

from psyrun import rows
from psyrun.rows import RowState


def test_states_are_ordered_so_that_the_higher_wins():
    assert RowState.MISSING < RowState.FAILED < RowState.DONE


def test_rows_in_a_state_are_found():
    states = bytes([2, 2, 0, 1, 1, 2])
    assert rows.of_state(states, RowState.DONE) == ((0, 2), (5, 6))
    assert rows.of_state(states, RowState.MISSING, RowState.FAILED) == ((2, 5),)


def test_no_rows_are_in_any_state():
    assert rows.of_state(b"", RowState.MISSING) == ()


def test_sorted_rows_become_ranges():
    assert rows.of_sorted([1, 2, 3, 7, 9, 10]) == ((1, 4), (7, 8), (9, 11))
    assert rows.of_sorted(iter([])) == ()


def test_touching_ranges_are_joined():
    assert rows.joined([(3, 4), (0, 1), (1, 3)]) == ((0, 4),)


def test_a_range_within_another_adds_nothing():
    assert rows.joined([(0, 10), (2, 3), (11, 12)]) == ((0, 10), (11, 12))


def test_a_piece_of_no_rows_is_empty():
    assert list(rows.split(((0, 2),), [0, 2, 0])) == [(), ((0, 2),), ()]


def test_a_piece_that_ends_with_a_range_does_not_touch_the_next():
    assert list(rows.split(((0, 2), (5, 6)), [2, 1])) == [((0, 2),), ((5, 6),)]


@pytest.mark.parametrize("ranges", [[], [(0, 3)], [[0, 3], [5, 6]], ((10, 10**20),)])
def test_count_is_the_sum_of_the_lengths(ranges):
    assert rows.count(ranges) == sum(len_of(*pair) for pair in ranges)


def len_of(start: int, stop: int) -> int:
    return stop - start
