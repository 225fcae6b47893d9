import os
import pickle
from pathlib import Path

import pytest

from psyrun import journal
from psyrun.journal import Kind
from psyrun.journalwriter import JournalWriter


def write(path: Path, rows: dict[int, bytes]) -> bytes:
    writer = JournalWriter([path], {"job": "1-0", "snapshot": "s", "code": "c"})
    for row, payload in rows.items():
        writer.done(row, 1.0, 1.5, payload)
    writer.close()
    return path.read_bytes()


def test_what_was_written_is_read_back_in_order(tmp_path):
    write(tmp_path / "j", {3: b"three", 1: b"", 2: b"x" * 200_000})
    frames = list(journal.frames(tmp_path / "j"))
    assert [(f.kind, f.row, f.payload) for f in frames[1:]] == [
        (Kind.DONE, 3, b"three"),
        (Kind.DONE, 1, b""),
        (Kind.DONE, 2, b"x" * 200_000),
    ]
    assert frames[1].duration == 0.5


def test_scan_tells_rows_as_ranges_and_the_origin(tmp_path):
    writer = JournalWriter([tmp_path / "j"], {"job": "1-0", "snapshot": "s", "code": "c"})
    for row in (4, 5, 6, 1, 2):
        writer.done(row, 0, 0, b"p")
    writer.failed(9, 0, 0, {"type": "ValueError"})
    writer.job_failed({"type": "RuntimeError"})
    writer.close()
    found = journal.scan(tmp_path / "j")
    assert found.done == ((1, 3), (4, 7))
    assert found.failed == ((9, 10),)
    assert found.job_failed
    assert found.origin["snapshot"] == "s"
    assert (found.damaged, found.torn) == (0, False)


def test_a_journal_never_takes_a_name_that_exists(tmp_path):
    names = [tmp_path / "a", tmp_path / "b"]
    first, second = (JournalWriter(names, {}) for _ in range(2))
    assert (first.path, second.path) == (names[0], names[1])
    first.close()
    second.close()


def test_a_torn_tail_is_noted_and_the_rest_is_read(tmp_path):
    data = write(tmp_path / "j", {0: b"zero", 1: b"one"})
    (tmp_path / "j").write_bytes(data[:-2])
    found = journal.scan(tmp_path / "j")
    assert found.done == ((0, 1),)
    assert found.torn
    assert found.damaged == 0


@pytest.mark.parametrize("trusting", [True, False])
def test_a_damaged_frame_costs_its_own_row_only(tmp_path, trusting):
    payload = b"the payload of row one"
    data = bytearray(write(tmp_path / "j", {0: b"zero", 1: payload, 2: b"two"}))
    data[data.index(payload) - 30] ^= 0xFF  # the head's length
    (tmp_path / "j").write_bytes(data)
    if trusting:
        found = journal.scan(tmp_path / "j")
        assert found.done == ((0, 1), (2, 3))
        assert found.damaged == 1
    else:
        assert sorted(journal.done_payloads(tmp_path / "j")) == [0, 2]


def test_a_payload_that_looks_like_frames_is_no_frame(tmp_path):
    inner = write(tmp_path / "inner", {7: b"seven"})
    write(tmp_path / "j", {0: inner, 1: b"one"})
    assert journal.scan(tmp_path / "j").done == ((0, 2),)
    assert journal.done_payloads(tmp_path / "j") == {0: inner, 1: b"one"}


def test_counts_come_from_the_last_whole_frame(tmp_path):
    writer = JournalWriter([tmp_path / "j"], {})
    for row in range(5):
        writer.done(row, 0, 0, pickle.dumps("x" * 30_000))
    writer.failed(5, 0, 0, {})
    assert journal.counts(tmp_path / "j") == (5, 1)
    writer.close()
    os.truncate(tmp_path / "j", writer.size() - 1)
    assert journal.counts(tmp_path / "j") == (5, 0)


def test_a_journal_that_is_gone_is_empty(tmp_path):
    assert journal.counts(tmp_path / "no") == (0, 0)
    assert journal.scan(tmp_path / "no").done == ()


def test_a_frame_is_in_the_file_before_done_returns(tmp_path):
    writer = JournalWriter([tmp_path / "j"], {})
    writer.done(0, 0, 0, b"payload")
    assert list(journal.done_payloads(tmp_path / "j")) == [0]
    writer.close()


def test_fsync_comes_once_a_second_at_most(tmp_path, monkeypatch):
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    writer = JournalWriter([tmp_path / "j"], {})
    start = writer._sync_due - 1.0
    for tick in range(25):
        writer.done(tick, 0, start + tick / 10, b"")
    assert len(calls) == 2
    writer.close()
