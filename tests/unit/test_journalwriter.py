"""A journal's writer: what it hands over is the kernel's, on whatever file system."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from psyrun import journal, journalwriter
from psyrun.exceptions import WorkdirError
from psyrun.journalwriter import JournalWriter

ROWS = 10_000
"""Enough for several windows."""


@pytest.fixture(autouse=True)
def a_disk_of_this_machine(monkeypatch):
    monkeypatch.setattr(journalwriter, "filesystem", lambda folder: "ext4")


def write(writer: JournalWriter, rows: int = ROWS) -> None:
    for row in range(rows):
        writer.done(row, 0, 0, b"the result of row %d" % row)


def test_rows_can_be_read_while_the_journal_is_open(tmp_path):
    writer = JournalWriter([tmp_path / "j"], {})
    write(writer)
    assert writer._window is not None
    assert journal.counts(tmp_path / "j") == (ROWS, 0)
    found = journal.scan(tmp_path / "j")
    assert (found.done, found.damaged, found.torn) == (((0, ROWS),), 0, False)
    writer.close()


def test_a_closed_journal_ends_with_its_last_frame(tmp_path):
    writer = JournalWriter([tmp_path / "j"], {})
    write(writer)
    size = writer.size()
    assert (tmp_path / "j").stat().st_size > size
    writer.close()
    assert (tmp_path / "j").stat().st_size == size


def test_rows_survive_the_kill_of_their_process(tmp_path):
    source = f"""
import os, sys, signal
sys.path.insert(0, {str(Path(journalwriter.__file__).parents[1])!r})
from psyrun import journalwriter
from pathlib import Path
journalwriter.filesystem = lambda folder: "ext4"
writer = journalwriter.JournalWriter([Path("j")], {{}})
for row in range({ROWS}):
    writer.done(row, 0, 0, b"row")
assert writer._window is not None
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(journal.done_payloads(tmp_path / "j")) == list(range(ROWS))


@pytest.mark.parametrize("kind", ["nfs4", "fuse.sshfs", "lustre", ""])
def test_other_file_systems_are_written_to(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(journalwriter, "filesystem", lambda folder: kind)
    writer = JournalWriter([tmp_path / "j"], {})
    write(writer, 1000)
    assert writer._window is None
    assert (tmp_path / "j").stat().st_size == writer.size()
    writer.close()
    assert journal.scan(tmp_path / "j").done == ((0, 1000),)


def test_where_no_room_can_be_set_aside_rows_are_written(tmp_path, monkeypatch):
    pwrite = os.pwrite

    def full(fd: int, data: bytes, position: int) -> int:
        if len(data) > 10_000:  # the room for a window, of which some fits
            pwrite(fd, data[:5000], position)
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(fd, data, position)

    monkeypatch.setattr(os, "pwrite", full)
    writer = JournalWriter([tmp_path / "j"], {})
    write(writer, 1000)
    assert (tmp_path / "j").stat().st_size == writer.size()
    writer.close()
    assert journal.scan(tmp_path / "j").done == ((0, 1000),)


def test_a_row_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    writer = JournalWriter([tmp_path / "j"], {})
    write(writer)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = writer.size() + 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            writer.done(ROWS, 0, 0, bytes(journalwriter._MOST_WINDOW_BYTES))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "j").stat().st_size == writer.size()
    writer.done(ROWS + 1, 0, 0, b"the disk has room again")
    writer.close()
    found = journal.scan(tmp_path / "j")
    assert (found.done, found.damaged) == (((0, ROWS), (ROWS + 1, ROWS + 2)), 0)


def test_a_journal_that_cannot_be_made_says_where(tmp_path):
    with pytest.raises(WorkdirError, match="no/j"):
        JournalWriter([tmp_path / "no" / "j"], {})
