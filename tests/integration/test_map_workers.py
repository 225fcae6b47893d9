"""The worker processes that maps share: what changed since they started is not lost on them."""

from __future__ import annotations

import functools
import importlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from psyrun import Param, map_pspace_hdd_backed, map_pspace_parallel
from psyrun.loading import forgetting_local_modules
from psyrun.mapper.workers import end_outdated_workers

SPACE = Param(a=[1, 2, 3, 4])


@pytest.fixture
def workers_pid():
    """Start workers, and return a function that tells which ones work for a map now."""

    def whose(a):
        time.sleep(0.05)  # so that each worker takes some
        return os.getpid()

    pids = functools.partial(in_memory, whose)
    pids()
    return lambda: {*pids()}


@pytest.fixture
def local(tmp_path, monkeypatch):
    """Let modules of a fresh folder be imported, which is returned, and forget them again."""
    monkeypatch.syspath_prepend(tmp_path)
    with forgetting_local_modules(tmp_path):
        yield tmp_path


def in_memory(fn, folder=None):
    return map_pspace_parallel(fn, SPACE, n_jobs=2)["result"]


def on_disk(fn, folder):
    columns = map_pspace_hdd_backed(fn, SPACE, folder / "result.pkl", pool_size=2)
    assert columns is not None
    return columns["result"]


def write(path, source):
    path.write_text(source)
    importlib.invalidate_caches()


@pytest.mark.parametrize("evaluate", [in_memory, on_disk])
def test_a_module_of_a_folder_that_joined_the_path_later(evaluate, workers_pid, local):
    write(local / "joined_later.py", "def double(a): return 2 * a")
    assert evaluate(importlib.import_module("joined_later").double, local) == [2, 4, 6, 8]


def test_a_module_that_is_reloaded(local):
    path = local / "reloaded_now.py"
    write(path, "def change(a): return a")
    module = importlib.import_module("reloaded_now")
    assert in_memory(module.change) == [1, 2, 3, 4]
    write(path, "def change(a): return -10 * a")
    importlib.reload(module)
    assert in_memory(module.change) == [-10, -20, -30, -40]


def test_a_helper_of_a_notebook_that_is_reloaded(local):
    path = local / "helper_now.py"
    write(path, "FACTOR = 2")
    helper = importlib.import_module("helper_now")

    def of_notebook(a):  # goes to the workers by value, and its helper by name
        return a * importlib.import_module("helper_now").FACTOR

    assert in_memory(of_notebook) == [2, 4, 6, 8]
    write(path, "FACTOR = -100")
    importlib.reload(helper)
    assert in_memory(of_notebook) == [-100, -200, -300, -400]


def test_another_current_folder(workers_pid, tmp_path, monkeypatch):
    (tmp_path / "factor.txt").write_text("3")
    monkeypatch.chdir(tmp_path)

    def read(a):
        return a * int(Path("factor.txt").read_text())

    assert in_memory(read) == [3, 6, 9, 12]


def test_workers_stay_where_nothing_changed(workers_pid):
    first = workers_pid()
    assert workers_pid() & first
    end_outdated_workers()
    assert workers_pid() & first


def test_a_module_that_went_since_is_no_error(local):
    path = local / "gone_soon.py"
    write(path, "def same(a): return a")
    module = importlib.import_module("gone_soon")
    path.unlink()
    assert in_memory(lambda a: a + 1) == [2, 3, 4, 5]
    assert module.same(1) == 1


def test_workers_at_work_for_another_thread_stay(tmp_path, monkeypatch):
    begun = threading.Event()

    def slow(a):
        time.sleep(0.05)
        return a

    def evaluate():
        report = lambda done, size: begun.set()  # noqa: E731
        return map_pspace_parallel(slow, Param(a=range(40)), n_jobs=2, progress=report)

    with ThreadPoolExecutor(1) as thread:
        other = thread.submit(evaluate)
        assert begun.wait(30)
        monkeypatch.chdir(tmp_path)
        assert in_memory(lambda a: -a) == [-1, -2, -3, -4]
        assert other.result(30)["result"] == [*range(40)]
    assert {*in_memory(lambda a: Path.cwd())} == {tmp_path}
