import pytest

from psyrun import rows
from psyrun.claims import Share, share_of

WHOLE = Share(((0, 100),))


def test_blocks_get_smaller_as_rows_run_out():
    share, sizes = WHOLE, []
    while not share.is_over:
        share, block = share.take("a", 1)
        share = share.end("a", block)
        sizes.append(rows.count(block))
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1], sum(sizes)) == (50, 1, 100)


def test_blocks_are_smaller_where_more_processes_are_at_it():
    share, block = WHOLE.take("a", 5)
    assert rows.count(block) == 10
    _, other = share.take("b", 1)
    assert rows.count(other) == 90 // 4


def test_a_block_is_bounded():
    _, block = Share(((0, 10**9),)).take("a", 1)
    assert rows.count(block) <= 10**5


def test_nothing_free_gives_nothing():
    share = Share((), {"b": ((0, 1),)})
    assert share.take("a", 1) == (share, ())
    assert not share.is_over


def test_what_is_left_of_a_block_is_free_again():
    share, block = WHOLE.take("a", 1)
    share = share.end("a", block, ((20, 50),))
    assert share == Share(((20, 100),))


def test_two_blocks_of_one_worker_end_each_for_itself():
    share, first = WHOLE.take("a", 2)
    share, second = share.take("a", 2)
    share = share.end("a", first)
    assert share.held == {"a": second}


def test_the_dead_leave_what_is_not_settled():
    share, _ = WHOLE.take("a", 1)
    share, _ = share.take("b", 1)
    share = share.bury({"a"}, ((10, 100),))
    assert share.free[0] == (10, 50)
    assert list(share.held) == ["b"]


def test_who_was_taken_for_dead_frees_no_rows_of_others():
    share, block = WHOLE.take("a", 1)
    share = share.bury({"a"}, block)
    share, _ = share.take("b", 1)
    before = share
    assert share.end("a", block, block) == before


def test_a_share_comes_back_from_its_record():
    import json

    share, _ = WHOLE.take("a", 1)
    assert share_of(json.loads(json.dumps(share.record()))) == share


@pytest.mark.parametrize("record", [{}, {"free": 1, "held": {}}, {"free": [], "held": []}])
def test_what_is_no_share_is_refused(record):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        share_of(record)
