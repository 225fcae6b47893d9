"""Whatever happens to a journal's bytes: no wrong row, and no row lost that was not touched."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from psyrun import journal
from psyrun.journal import JournalWriter

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
