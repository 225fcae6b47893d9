"""Files that get to the disk beside the work that writes them."""

import errno
import functools
import threading
from pathlib import Path

import pytest

from psyrun import files, settling
from psyrun.exceptions import WorkdirError
from psyrun.files import Later
from psyrun.settling import Settler


@pytest.fixture
def synced(monkeypatch):
    found: list[Path] = []
    monkeypatch.setattr(files, "sync", found.append)
    return found


def later(*names):
    return Later(Path("folder") / name for name in names)


def test_what_comes_after_is_done_when_the_files_are_flushed(synced):
    seen: list[tuple[int, int]] = []

    def note(number: int) -> None:
        seen.append((number, len(synced)))

    settler = Settler(print)
    for number in range(100):
        settler.add(later(f"{number}"), functools.partial(note, number))
    settler.wait()
    assert [number for number, _ in seen] == list(range(100))
    assert all(number < count for number, count in seen)
    settler.add(later("last"), functools.partial(note, 100))
    settler.wait()
    assert seen[-1][0] == 100


def test_a_folder_is_flushed_once_for_many_files(synced):
    settler = Settler(print)
    for number in range(20):
        settler.add(later(f"{number}"), lambda: None)
    settler.wait()
    assert synced.count(Path("folder")) <= 2
    assert len(synced) <= 22


def test_it_does_not_wait_for_more_when_there_will_be_none(synced, monkeypatch):
    monkeypatch.setattr(settling, "_PAUSE_SECONDS", 600.0)
    seen: list[str] = []
    settler = Settler(print)
    settler.add(later("a"), lambda: seen.append("a"))
    settler.wait()
    assert seen == ["a"]


def test_what_is_not_on_the_disk_is_told_and_nothing_is_done_then(monkeypatch):
    def broken(path):
        raise OSError(errno.EIO, "Input/output error")

    seen: list[object] = []
    settler = Settler(seen.append)
    monkeypatch.setattr(files, "sync", broken)
    settler.add(later("a"), lambda: seen.append("a"))
    settler.wait()
    monkeypatch.setattr(files, "sync", lambda path: None)
    settler.add(later("b"), lambda: seen.append("b"))
    settler.wait()
    assert [type(found) for found in seen] == [WorkdirError, str]


def test_who_gives_more_than_can_be_done_waits(synced):
    seen: list[int] = []
    settler = Settler(print)
    gate = threading.Event()
    settler.add(later("gate"), gate.wait)

    def give() -> None:
        for number in range(1000):
            settler.add(later("x"), functools.partial(seen.append, number))

    more = threading.Thread(target=give)
    more.start()
    more.join(0.3)
    assert more.is_alive()
    gate.set()
    more.join()
    settler.wait()
    assert len(seen) == 1000
