"""A journal's writer: what it hands over is the kernel's, on whatever file system."""

import errno
import mmap
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

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


def test_a_journal_is_never_cut_as_others_may_have_mapped_it(tmp_path):
    writer = JournalWriter([tmp_path / "j"], {})
    write(writer)
    with (tmp_path / "j").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    writer.close()
    assert len(list(journal.done_places(cast("bytes", mapped)))) == ROWS
    found = journal.scan(tmp_path / "j")
    assert (found.done, found.damaged, found.torn) == (((0, ROWS),), 0, False)


def test_where_there_are_no_more_threads_rows_go_on(tmp_path, monkeypatch):
    def no_more(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    writer = JournalWriter([tmp_path / "j"], {})
    writer.done(0, 0, 1e9, b"long after the last flush")
    writer.close()
    assert journal.scan(tmp_path / "j").done == ((0, 1),)


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
    writer.close()
    found = journal.scan(tmp_path / "j")
    assert (found.done, found.damaged, found.torn) == (((0, 1000),), 0, False)


def test_a_row_that_cannot_be_written_costs_itself_only(tmp_path):
    writer = JournalWriter([tmp_path / "j"], {})
    write(writer)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = (tmp_path / "j").stat().st_size + 100
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            writer.done(ROWS, 0, 0, bytes(2 * journalwriter._MOST_WINDOW_BYTES))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    writer.done(ROWS + 1, 0, 0, b"the disk has room again")
    writer.close()
    assert journal.scan(tmp_path / "j").done == ((0, ROWS), (ROWS + 1, ROWS + 2))
    assert max(journal.done_payloads(tmp_path / "j")) == ROWS + 1


def test_a_journal_that_cannot_be_made_says_where(tmp_path):
    with pytest.raises(WorkdirError, match="no/j"):
        JournalWriter([tmp_path / "no" / "j"], {})
