import errno
import fcntl
import os
import threading
import time

import pytest

from psyrun.exclusive import exclusive, flock_works


def refuse(monkeypatch, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_flock_works_here(tmp_path):
    assert flock_works(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_flock_is_found_out(tmp_path, monkeypatch, number):
    refuse(monkeypatch, number)
    assert not flock_works(tmp_path)


@pytest.mark.parametrize("flock", [True, False])
def test_two_at_once_take_turns(tmp_path, flock):
    lock, note = tmp_path / "x.lock", tmp_path / "x.lock.json"
    inside: list[int] = []
    most: list[int] = []

    def visit() -> None:
        for _ in range(5):
            with exclusive(lock, note, flock=flock):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.002)
                inside.pop()

    threads = [threading.Thread(target=visit) for _ in range(3 if flock else 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 5 * len(threads)


def test_a_lock_that_cannot_be_had_is_gone_without(tmp_path, monkeypatch):
    monkeypatch.setattr("psyrun.exclusive._PATIENCE_SECONDS", 0.05)
    refuse(monkeypatch, errno.EIO)
    reached = False
    with exclusive(tmp_path / "x.lock", tmp_path / "x.lock.json", flock=True):
        reached = True
    assert reached


def test_an_error_within_passes(tmp_path):
    with pytest.raises(KeyError), exclusive(tmp_path / "a", tmp_path / "b", flock=False):
        raise KeyError
    with exclusive(tmp_path / "a", tmp_path / "b", flock=False):
        pass
