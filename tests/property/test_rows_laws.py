"""Ranges behave as the sets of rows that they stand for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from psyrun import rows
from psyrun.rows import RowState

SETS = st.sets(st.integers(0, 40))


def expand(ranges: rows.Ranges) -> list[int]:
    return [row for start, stop in ranges for row in range(start, stop)]


def canonical(ranges: rows.Ranges) -> bool:
    return all(start < stop for start, stop in ranges) and all(
        before[1] < after[0] for before, after in pairwise(ranges)
    )


@given(SETS)
def test_ranges_hold_exactly_the_rows(chosen):
    ranges = rows.of_sorted(sorted(chosen))
    assert expand(ranges) == sorted(chosen)
    assert rows.count(ranges) == len(chosen)
    assert canonical(ranges)


@given(st.lists(st.sampled_from(RowState)), st.sets(st.sampled_from(RowState), min_size=1))
def test_rows_of_a_state_are_those_whose_byte_says_so(states, wanted):
    ranges = rows.of_state(bytes(states), *wanted)
    assert expand(ranges) == [row for row, state in enumerate(states) if state in wanted]
    assert canonical(ranges)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda p: (p[0], sum(p)))))
def test_joining_keeps_the_set(ranges):
    joined = rows.joined(ranges)
    assert expand(joined) == sorted(set(expand(tuple(ranges))))
    assert canonical(joined)


@given(SETS, st.data())
def test_pieces_put_together_are_the_whole(chosen, data):
    ranges = rows.of_sorted(sorted(chosen))
    left, sizes = len(chosen), []
    while left:
        sizes.append(data.draw(st.integers(0, left)))
        left -= sizes[-1]
    pieces = list(rows.split(ranges, sizes))
    assert [rows.count(piece) for piece in pieces] == sizes
    assert [row for piece in pieces for row in expand(piece)] == sorted(chosen)
    assert all(canonical(piece) for piece in pieces)


@given(SETS, SETS)
def test_common_rows_are_those_of_both_sets(one, other):
    common = rows.common(rows.of_sorted(sorted(one)), rows.of_sorted(sorted(other)))
    assert expand(common) == sorted(one & other)
    assert canonical(common)


@given(SETS, SETS)
def test_rows_without_others_are_those_of_the_first_set_alone(one, other):
    left = rows.without(rows.of_sorted(sorted(one)), rows.of_sorted(sorted(other)))
    assert expand(left) == sorted(one - other)
    assert canonical(left)
