"""Digests of files, which of them are remembered, and when memory is not to be trusted.

A digest that is planted in the memory tells whether the file was read.
"""

import hashlib
import os
import shutil
import socket
import threading
from pathlib import Path

import pytest

from psyrun.filedigests import LARGE, Digests, Stamp, read_digests, seconds_to_settle

PLANTED = "planted"
FOR_EVER_AGO = -(10**18)


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * LARGE)
    return path


def planted(path: Path) -> Digests:
    """Remember a file as it is now, with a digest that no file has."""
    return Digests({path.name: (Stamp.of(path.stat()), PLANTED)})


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_digested(large):
    assert Digests().of(large, "large.bin") == sha(large)


def test_a_file_that_is_known_is_not_read(large):
    assert planted(large).of(large, "large.bin") == PLANTED


def test_a_file_is_known_wherever_the_project_moves(tmp_path):
    (tmp_path / "here").mkdir()
    path = tmp_path / "here" / "large.bin"
    path.write_bytes(b"x" * LARGE)
    known = planted(path)
    (tmp_path / "here").rename(tmp_path / "there")
    assert known.of(tmp_path / "there" / "large.bin", "large.bin") == PLANTED


def edit_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"y")


def edit_and_set_the_time_back(path: Path) -> None:
    before = path.stat()
    edit_in_place(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_one_of_the_same_time(path: Path) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"y" * LARGE)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"y")


def point_elsewhere(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"y" * LARGE)
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize(
    "change",
    [
        edit_in_place,
        edit_and_set_the_time_back,
        replace_by_one_of_the_same_time,
        append,
        point_elsewhere,
    ],
)
def test_a_file_that_changed_is_read_again(large, change):
    known = planted(large)
    wait_for_another_ctime(large)
    change(large)
    assert known.of(large, "large.bin") == sha(large)


def wait_for_another_ctime(path: Path) -> None:
    """Wait until the clock of the file system, by which files are stamped, has moved on."""
    probe = path.with_name("probe")
    probe.touch()
    while probe.stat().st_ctime_ns <= path.stat().st_ctime_ns:
        probe.chmod(0o600)


def test_a_link_pointed_elsewhere_is_read_again(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * LARGE)
    link = tmp_path / "link"
    link.symlink_to("a")
    known = planted(link)
    link.unlink()
    link.symlink_to("b")
    assert known.of(link, "link") == sha(tmp_path / "b")


def remembered(digests: Digests, tmp_path: Path) -> set[str]:
    digests.write(tmp_path / "memory.json")
    return {*read_digests(tmp_path / "memory.json").known}


def test_a_large_file_that_was_left_alone_is_remembered(large, tmp_path):
    digests = Digests(settle_ns=FOR_EVER_AGO)
    digests.of(large, "large.bin")
    assert remembered(digests, tmp_path) == {"large.bin"}
    again = read_digests(tmp_path / "memory.json")
    assert again.known == {"large.bin": (Stamp.of(large.stat()), sha(large))}


def test_a_file_written_just_now_is_not_remembered(large, tmp_path):
    """It may be written to again within the same tick of the file system's clock."""
    digests = Digests()
    digests.of(large, "large.bin")
    assert remembered(digests, tmp_path) == set()


def test_a_file_whose_time_was_set_back_just_now_is_not_remembered(large, tmp_path):
    os.utime(large, (1, 1))
    digests = Digests()
    digests.of(large, "large.bin")
    assert remembered(digests, tmp_path) == set()


def test_a_small_file_is_not_remembered(tmp_path):
    (tmp_path / "small").write_text("x")
    digests = Digests(settle_ns=FOR_EVER_AGO)
    digests.of(tmp_path / "small", "small")
    assert remembered(digests, tmp_path) == set()


def test_a_file_that_grows_while_it_is_read_is_not_remembered(tmp_path):
    path = tmp_path / "growing"
    path.touch()
    os.truncate(path, 64 << 20)
    digests = Digests(settle_ns=FOR_EVER_AGO)
    over = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not over.is_set():
                file.write(b"x")

    thread = threading.Thread(target=grow)
    thread.start()
    digests.of(path, "growing")
    over.set()
    thread.join()
    assert remembered(digests, tmp_path) == set()


def test_a_file_no_longer_asked_for_is_forgotten(large, tmp_path):
    planted(large).write(tmp_path / "memory.json")
    assert remembered(planted(large), tmp_path) == set()


def test_what_is_known_is_not_written_again(large, tmp_path):
    digests = Digests(settle_ns=FOR_EVER_AGO)
    digests.of(large, "large.bin")
    digests.write(tmp_path / "memory.json")
    before = (tmp_path / "memory.json").stat()
    again = read_digests(tmp_path / "memory.json")
    again.of(large, "large.bin")
    again.write(tmp_path / "memory.json")
    assert (tmp_path / "memory.json").stat() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"format": 2}',
        '{"format": 1, "files": {}}',
        '{"format": 1, "check": 3413363345}',
    ],
)
def test_a_damaged_memory_is_ignored_and_written_anew(large, tmp_path, text):
    path = tmp_path / "memory.json"
    path.write_text(text)
    digests = read_digests(path)
    assert digests.known == {}
    digests.settle_ns = FOR_EVER_AGO
    digests.of(large, "large.bin")
    digests.write(path)
    assert set(read_digests(path).known) == {"large.bin"}


@pytest.mark.parametrize("files", [[], {"a": 1}, {"a": {"size": 1}}, {"a": {"size": "x"}}])
def test_a_memory_of_another_shape_is_ignored(tmp_path, files):
    from psyrun.files import write_record

    write_record(tmp_path / "memory.json", 1, {"files": files})
    assert read_digests(tmp_path / "memory.json").known == {}


def test_a_memory_that_cannot_be_written_is_no_trouble(large, tmp_path):
    digests = Digests(settle_ns=FOR_EVER_AGO)
    digests.of(large, "large.bin")
    digests.write(large / "memory.json")
    assert remembered(digests, tmp_path) == {"large.bin"}


def test_what_cannot_be_read_is_told(tmp_path):
    assert Digests().of(tmp_path / "none", "none") == "unreadable: No such file or directory"
    assert Digests().of(tmp_path, "folder") == "unreadable: not a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read_is_told(large):
    large.chmod(0)
    assert planted(large).of(large, "large.bin") == "unreadable: Permission denied"


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_has_no_end_is_not_read(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("/dev/zero") if kind == "device" else Path(kind)
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(kind)
    assert Digests().of(path, kind) == "unreadable: not a file"


def test_jobs_need_not_read_what_had_time_to_settle(tmp_path):
    fresh = tmp_path / "fresh"
    fresh.touch()
    os.truncate(fresh, 1 << 30)
    os.utime(fresh, (1, 1))
    assert 0 < seconds_to_settle([fresh]) <= 2
    assert seconds_to_settle([tmp_path / "none", Path(shutil.__file__)]) == 0
    os.truncate(fresh, LARGE)
    assert seconds_to_settle([fresh]) == 0
