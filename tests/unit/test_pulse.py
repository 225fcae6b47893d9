import json
import os
import time

import pytest

from psyrun import machine
from psyrun.files import write_record
from psyrun.pulse import FORMAT, Pulse
from psyrun.workdir import Workdir


@pytest.fixture
def workdir(tmp_path):
    workdir = Workdir(tmp_path)
    workdir.claims_folder.mkdir()
    return workdir


def alive_file(workdir, worker, age=0.0, **changed):
    mine = Pulse(workdir, "1-0")
    mine.beat()
    record = json.loads(workdir.alive(mine.worker).read_text())
    record = {k: v for k, v in record.items() if k not in {"format", "check"}}
    mine.end()
    write_record(workdir.alive(worker), FORMAT, record | changed)
    then = time.time() - age
    os.utime(workdir.alive(worker), (then, then))


@pytest.mark.parametrize(
    ("age", "changed", "dead"),
    [
        (0, {}, False),
        (999, {}, False),  # on this host its process tells
        (0, {"start": "1"}, True),
        (0, {"host": "elsewhere", "start": "1"}, False),
        (50, {"host": "elsewhere"}, False),
        (70, {"host": "elsewhere"}, True),
        (70, {"namespace": 1}, True),
    ],
)
def test_a_worker_is_dead_if_its_process_or_its_lease_is_over(workdir, age, changed, dead):
    alive_file(workdir, "1-1.x", age, **changed)
    mine = Pulse(workdir, "1-0")
    mine.beat()
    assert mine.is_dead("1-1.x") is dead


def test_a_worker_whose_file_is_gone_is_dead(workdir):
    mine, other = Pulse(workdir, "1-0"), Pulse(workdir, "1-0")
    other.beat()
    assert not mine.is_dead(other.worker)
    other.end()
    assert mine.is_dead(other.worker)


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 1, "host": "x", "check": 0}'])
@pytest.mark.parametrize(("age", "dead"), [(50, False), (70, True)])
def test_a_worker_whose_file_is_damaged_lives_as_long_as_its_lease(workdir, content, age, dead):
    alive_file(workdir, "1-1.x", age)
    workdir.alive("1-1.x").write_bytes(content)
    then = time.time() - age
    os.utime(workdir.alive("1-1.x"), (then, then))
    mine = Pulse(workdir, "1-0")
    assert mine.is_dead("1-1.x") is dead


def test_who_was_taken_for_dead_shows_again_that_it_lives(workdir, monkeypatch):
    mine, other = Pulse(workdir, "1-0"), Pulse(workdir, "1-1")
    mine.beat()
    workdir.alive(mine.worker).unlink()
    monkeypatch.setattr("time.monotonic", lambda: 1e12)
    mine.beat()
    assert not other.is_dead(mine.worker)


def test_a_worker_is_not_dead_to_itself(workdir):
    mine = Pulse(workdir, "1-0")
    assert not mine.is_dead(mine.worker)


def test_names_of_workers_tell_their_job_and_differ(workdir):
    names = {Pulse(workdir, "3-7").worker for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("3-7.") for name in names)
    assert machine.host()
