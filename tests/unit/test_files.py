import os
import shutil
import zlib

import pytest

from psyrun import files, machine
from psyrun.exceptions import StoreError, WorkdirError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_half(place, error, inside=""):
    with place as temporary:
        (temporary / inside).write_text("new")
        raise error


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.suffix == ".txt"
        assert temporary.name.startswith(files.TEMPORARY)
    assert path.read_text() == "new"
    assert names(path.parent) == ["file.txt"]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(StoreError, match="half way"):
        write_half(files.replacing(path), StoreError("half way"))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_an_interruption_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(files.replacing(path), KeyboardInterrupt())
    assert names(tmp_path) == ["file.txt"]
    assert path.read_text() == "old"


def test_an_error_of_the_system_names_the_file_and_what_to_do(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WorkdirError, match=r"cannot write .*x: \w.*; .*run the same"):
        files.write_bytes(tmp_path / "file" / "x", b"")


def test_an_error_that_names_a_file_already_is_not_worded_again(tmp_path):
    with pytest.raises(WorkdirError, match=r"^known$"), files.disk_errors(tmp_path):
        raise WorkdirError("known")


def test_a_folder_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "folder"
    with files.replacing_folder(path) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "x").write_text("x")
        assert not path.exists()
    assert (path / "inner" / "x").read_text() == "x"
    assert names(tmp_path) == ["folder"]


def test_a_folder_that_stands_stays(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "x").write_text("old")
    with files.replacing_folder(path) as temporary:
        (temporary / "x").write_text("new")
    assert (path / "x").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_a_folder_whose_making_fails_is_not_there(tmp_path):
    with pytest.raises(ZeroDivisionError, match="half way"):
        write_half(
            files.replacing_folder(tmp_path / "folder"), ZeroDivisionError("half way"), "x"
        )
    assert names(tmp_path) == []


def test_json_comes_back(tmp_path):
    value = {"a": [1, 2.5, None, "\udc80", 10**30]}
    files.write_json(tmp_path / "x.json", value)
    assert files.read_json(tmp_path / "x.json") == value


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[1,]", b"nope"])
def test_damaged_json_is_named(tmp_path, raw):
    (tmp_path / "x.json").write_bytes(raw)
    with pytest.raises(WorkdirError, match=r"x\.json is damaged"):
        files.read_json(tmp_path / "x.json")


def test_json_that_is_not_there_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.read_json(tmp_path / "x.json")


def test_json_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "x.json").mkdir()
    with pytest.raises(WorkdirError, match=r"cannot read .*x\.json"):
        files.read_json(tmp_path / "x.json")


def test_crc_is_that_of_the_whole_file(tmp_path):
    data = os.urandom((1 << 20) + 17)
    (tmp_path / "x").write_bytes(data)
    assert files.crc32(tmp_path / "x") == zlib.crc32(data)


def test_only_what_is_unfinished_is_removed(tmp_path):
    (tmp_path / ".tmp-1-a").write_text("")
    (tmp_path / ".tmp-1-b").mkdir()
    (tmp_path / ".tmp-1-b" / "x").write_text("")
    (tmp_path / ".hidden").write_text("")
    (tmp_path / "tmp-kept").write_text("")
    files.remove_temporary(tmp_path)
    assert names(tmp_path) == [".hidden", "tmp-kept"]


def leave_unfinished(folder, name):
    """Write a file as a process does that is killed over it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with files.replacing(folder / name) as temporary:
            temporary.write_text("half")
            os.write(write, temporary.name.encode())
            os._exit(1)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as file:
        return file.read()


def test_what_a_dead_process_left_unfinished_is_removed(tmp_path):
    left = leave_unfinished(tmp_path, "result.pkl")
    other = leave_unfinished(tmp_path, "other.pkl")
    assert names(tmp_path) == sorted([left, other])
    files.remove_abandoned(tmp_path / "result.pkl")
    assert names(tmp_path) == [other]


def test_what_a_living_process_or_another_host_writes_is_left_alone(tmp_path):
    with files.replacing(tmp_path / "result.pkl") as temporary:
        temporary.write_text("half")
        elsewhere = leave_unfinished(tmp_path, "result.pkl")
        foreign = tmp_path / elsewhere.replace(machine.host(), "elsewhere")
        (tmp_path / elsewhere).rename(foreign)
        files.remove_abandoned(tmp_path / "result.pkl")
        assert names(tmp_path) == sorted([foreign.name, temporary.name])


def test_a_folder_has_a_clock(tmp_path):
    (tmp_path / "earlier").touch()
    time = files.clock_at(tmp_path)
    (tmp_path / "later").touch()
    times = [(tmp_path / name).stat().st_mtime for name in ("earlier", "later")]
    assert times[0] <= time <= times[1]
    assert names(tmp_path) == ["earlier", "later"]


def test_scratch_is_gone_afterwards_and_so_is_what_the_dead_left(tmp_path):
    left = tmp_path / f"{files._mine()}{2**22 + 1}-x-"
    others = tmp_path / f"{files.TEMPORARY}another-host-1-{2**22 + 1}-x-"
    left.mkdir()
    others.mkdir()
    with files.scratch(tmp_path) as folder, files.scratch(tmp_path) as second:
        (folder / "a").write_text("a")
        assert sorted(tmp_path.iterdir()) == sorted([folder, second, others])
    assert list(tmp_path.iterdir()) == [others]


def test_what_is_flushed_later_is_whole_before_and_waited_for_then(tmp_path, monkeypatch):
    synced: list[object] = []
    monkeypatch.setattr(files, "sync", synced.append)
    looked: list[bytes] = []
    with files.flushed_later() as later:
        files.write_json(tmp_path / "a", 1)
        see = lambda path: looked.append(path.read_bytes())  # noqa: E731
        with files.replacing(tmp_path / "b", meanwhile=see) as path:
            path.write_bytes(b"2")
    assert (synced, looked) == ([], [b"2"])
    assert files.read_json(tmp_path / "a") == 1
    later.settle()
    assert synced == [tmp_path / "a", tmp_path / "b", tmp_path]
    files.write_json(tmp_path / "c", 3)
    assert synced[-1] == tmp_path
    assert len(synced) == 5


def test_what_is_gone_when_it_is_to_be_flushed_is_no_error(tmp_path):
    with files.flushed_later() as later:
        files.write_json(tmp_path / "deep" / "a", 1)
    shutil.rmtree(tmp_path / "deep")
    later.settle()
