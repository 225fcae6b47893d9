import os

import pytest

from psyrun import durations
from psyrun.durations import known_durations
from psyrun.journalwriter import JournalWriter
from psyrun.workdir import Workdir


@pytest.fixture
def workdir(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.make()
    return workdir


def write(workdir, job, lengths, when, payload=b""):
    writer = JournalWriter(workdir.new_journal(job), {})
    for row, length in enumerate(lengths):
        writer.done(row, 0.0, length, payload)
    writer.failed(len(lengths), 0.0, 0.0, {"error": "its process died"})
    writer.close()
    os.utime(writer.path, (when, when))


def test_without_journals_nothing_is_known(workdir):
    assert known_durations(workdir, "1-0") == []


def test_durations_are_those_of_the_job_the_last_first(workdir):
    write(workdir, "1-0", [5.0, 6.0], 20)
    write(workdir, "1-0", [1.0, 2.0], 10)
    write(workdir, "1-1", [9.0], 30)
    assert known_durations(workdir, "1-0") == [6.0, 5.0, 2.0, 1.0]


def test_no_more_is_read_than_needed(workdir, monkeypatch):
    monkeypatch.setattr(durations, "MOST_DURATIONS", 3)
    monkeypatch.setattr(durations, "_MOST_BYTES", 2500)
    write(workdir, "1-0", [1.0, 2.0, 3.0, 4.0], 10, payload=b"x" * 1000)
    assert known_durations(workdir, "1-0") == [4.0, 3.0]
    write(workdir, "1-0", [5.0, 6.0], 20)
    assert known_durations(workdir, "1-0") == [6.0, 5.0, 4.0]


def test_a_journal_that_cannot_be_read_tells_nothing(workdir):
    workdir.out_folder.joinpath("1-0.0.part").mkdir()
    assert known_durations(workdir, "1-0") == []
