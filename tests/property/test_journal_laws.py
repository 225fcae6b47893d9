"""Whatever happens to a journal's bytes: no wrong row, and no row lost that was not touched."""

import mmap
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from psyrun import journal, journalwriter
from psyrun.inspection import inspect
from psyrun.journalwriter import JournalWriter

SIZES = st.lists(
    st.sampled_from([0, 1, 60, 700, 2047, 2048, 3000, 9000, 70_000]), min_size=1, max_size=40
)
PAYLOADS = st.lists(st.binary(max_size=60) | st.just(b"\xf5PSY" * 12), min_size=1, max_size=6)


def written(folder: Path, payloads: list[bytes]) -> tuple[bytes, list[int]]:
    """Write a journal; return its bytes and where each row's frame ends."""
    path = folder / "j"
    writer = JournalWriter([path], {"snapshot": "s", "code": "c"})
    ends = []
    for row, payload in enumerate(payloads):
        writer.done(row, 0, 0, payload)
        ends.append(writer.size())
    writer.close()
    return path.read_bytes(), ends


@given(PAYLOADS, st.data())
def test_a_cut_keeps_all_rows_before_it(payloads, data):
    with TemporaryDirectory() as folder:
        raw, ends = written(Path(folder), payloads)
        cut = data.draw(st.integers(0, len(raw)))
        (Path(folder) / "j").write_bytes(raw[:cut])
        whole = [row for row, end in enumerate(ends) if end <= cut]
        assert list(journal.done_payloads(Path(folder) / "j")) == whole


@given(PAYLOADS, st.data())
def test_flipped_bits_cost_only_the_frames_they_hit(payloads, data):
    with TemporaryDirectory() as folder:
        raw, ends = written(Path(folder), payloads)
        place = data.draw(st.integers(0, len(raw) - 1))
        bit = data.draw(st.integers(0, 7))
        damaged = bytearray(raw)
        damaged[place] ^= 1 << bit
        (Path(folder) / "j").write_bytes(damaged)
        found = journal.done_payloads(Path(folder) / "j")
        hit = next(row for row, end in enumerate([*ends, len(raw)]) if place < end)
        first = raw.index(b"\xf5PSY", 1)
        expected = dict(enumerate(payloads))
        if place >= first:
            del expected[hit]
        assert found == expected


def by_size(path: Path, sizes: list[int], *, mapped: bool) -> JournalWriter:
    """Write rows of some sizes; a window is one page, so that there are many."""
    page = mmap.ALLOCATIONGRANULARITY
    with mock.patch.multiple(journalwriter, _LEAST_WINDOW_BYTES=page, _MOST_WINDOW_BYTES=page):
        writer = JournalWriter([path], {})
        writer._may_map = mapped
        for row, size in enumerate(sizes):
            writer.done(row, 0, 0, bytes([row]) * size)
    return writer


@given(SIZES)
def test_mapped_and_written_journals_are_the_same(sizes):
    with TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("mapped", "written")]
        for path in paths:
            by_size(path, sizes, mapped=path.name == "mapped").close()
        one, other = (path.read_bytes() for path in paths)
        first = one.index(b"\xf5PSY", 1)
        frames = other[other.index(b"\xf5PSY", 1) :]
        assert one[first : first + len(frames)] == frames
        assert not any(one[first + len(frames) :])


@given(SIZES, st.data())
def test_a_death_at_any_moment_costs_the_frame_it_was_at(sizes, data):
    with TemporaryDirectory() as folder:
        path = Path(folder, "j")
        writer = by_size(path, [*([60] * 60), *sizes], mapped=True)
        end, raw = writer.size(), path.read_bytes()
        writer.close()
        start = raw.rindex(b"\xf5PSY", 0, end)
        cut = data.draw(st.integers(start, end))
        room = bytes(len(raw) - cut) if end < len(raw) else b""
        path.write_bytes(raw[:cut] + room)
        is_whole = (raw[:cut] + room)[:end] == raw[:end]
        rows = 59 + len(sizes) + is_whole
        assert sorted(journal.done_payloads(path)) == list(range(rows))
        assert journal.counts(path) == (rows, 0)
        found = journal.scan(path)
        assert (found.done, found.damaged) == (((0, rows),), 0)
        assert found.torn == (not is_whole and cut > start)
        assert inspect(path.read_bytes()).torn == found.torn
