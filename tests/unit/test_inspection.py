"""Every byte of a journal counts: what is torn, what is damaged, and what that costs."""

import pytest

from psyrun.inspection import inspect
from psyrun.journalwriter import JournalWriter

ORIGIN = {"job": "1-0", "snapshot": "s", "code": "c"}


@pytest.fixture
def data(tmp_path):
    """A journal with rows 0 to 4, of which row 2 failed."""
    writer = JournalWriter([tmp_path / "j"], ORIGIN)
    for row in range(5):
        if row == 2:
            writer.failed(row, 0, 1, {"type": "ValueError", "message": "payload 2"})
        else:
            writer.done(row, 0, 1, b"payload %d" % row)
    writer.close()
    return bytearray((tmp_path / "j").read_bytes())


def damage(data, *texts):
    for text in texts:
        data[data.index(text)] ^= 1
    return bytes(data)


def test_a_sound_journal(data):
    found = inspect(bytes(data))
    assert found.origin == {"format": 1, **ORIGIN}
    assert (found.done, found.failed) == (((0, 2), (3, 5)), ((2, 3),))
    assert (found.damaged, found.lost, found.torn) == (0, 0, False)


@pytest.mark.parametrize(
    ("texts", "damaged", "lost"),
    [
        ([b"payload 1"], 1, 1),
        ([b"payload 2"], 1, 1),
        ([b"payload 0", b"payload 1"], 1, 2),
        ([b"payload 0", b"payload 3"], 2, 2),
        ([b"payload 4"], 1, 1),
        ([b"snapshot"], 1, 0),
    ],
    ids=["done", "failed", "neighbours", "apart", "last", "origin"],
)
def test_damaged_places_are_counted_with_the_rows_that_stood_there(data, texts, damaged, lost):
    found = inspect(damage(data, *texts))
    assert (found.damaged, found.lost, found.torn) == (damaged, lost, False)


def test_an_origin_is_not_believed_where_it_is_damaged(data):
    assert inspect(damage(data, b"snapshot")).origin == {}


@pytest.mark.parametrize("cut", [1, 4, 12, 30, 52])
def test_a_frame_that_was_not_written_to_its_end_is_torn_and_no_damage(data, cut):
    found = inspect(bytes(data[:-cut]))
    assert (found.damaged, found.lost, found.torn) == (0, 0, True)
    assert found.done == ((0, 2), (3, 4))


def test_what_is_no_frame_at_the_end_is_damage(data):
    found = inspect(bytes(data) + b"\1" * 50)
    assert (found.damaged, found.torn) == (1, False)


def test_an_empty_journal_has_nothing_wrong():
    found = inspect(b"")
    assert (found.origin, found.damaged, found.torn) == ({}, 0, False)


def test_every_flipped_byte_is_found(data):
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x10
        found = inspect(bytes(changed))
        # where the length says more than there is, the end cannot be told from a torn one
        assert found.damaged or found.torn, place
