import json
import os
import subprocess
import sys
import textwrap

import pytest

from psyrun import locks, machine
from psyrun.exceptions import LockedError, WorkdirError
from psyrun.files import read_json, write_json

HOLD = """
    import sys
    from pathlib import Path
    from psyrun.locks import locked
    with locked(Path(sys.argv[1], "lock"), Path(sys.argv[1], "lock.json"), "it"):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def hold(folder):
    return locks.locked(folder / "lock", folder / "lock.json", "task 't'")


def try_to_hold(folder):
    with hold(folder):
        pass


def test_a_second_process_is_told_who_holds_it_and_since_when(tmp_path, holder):
    message = (
        rf"task 't' is held by `.*` \(process {holder.pid} on {machine.host()}, "
        r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\)"
    )
    with pytest.raises(LockedError, match=message):
        try_to_hold(tmp_path)


def test_the_holder_goes_on_undisturbed(tmp_path, holder):
    with pytest.raises(LockedError, match="is held by"):
        try_to_hold(tmp_path)
    told = locks.read_holder(tmp_path / "lock.json")
    assert told is not None
    assert told["process"] == holder.pid


def test_a_holder_that_was_killed_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / "lock.json").exists()
    assert locks.read_holder(tmp_path / "lock.json") is None
    with hold(tmp_path):
        told = locks.read_holder(tmp_path / "lock.json")
        assert told is not None
        assert told["process"] == os.getpid()


def test_nobody_is_told_of_once_it_is_free(tmp_path):
    with hold(tmp_path):
        assert locks.read_holder(tmp_path / "lock.json") is not None
    assert not (tmp_path / "lock.json").exists()
    try_to_hold(tmp_path)


def test_an_error_lets_go(tmp_path):
    def fail():
        with hold(tmp_path):
            raise ZeroDivisionError("x")

    with pytest.raises(ZeroDivisionError, match="x"):
        fail()
    try_to_hold(tmp_path)


def test_it_is_held_against_the_same_process_too(tmp_path):
    with hold(tmp_path), pytest.raises(LockedError, match=rf"process {os.getpid()} on"):
        try_to_hold(tmp_path)


def test_a_holder_that_left_no_note_is_another_process(tmp_path, holder):
    (tmp_path / "lock.json").unlink()
    with pytest.raises(LockedError, match=r"is held by another process$"):
        try_to_hold(tmp_path)


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"process": "x"}', '{"process": null}'])
def test_a_damaged_note_tells_of_nobody(tmp_path, note):
    (tmp_path / "lock.json").write_text(note)
    assert locks.read_holder(tmp_path / "lock.json") is None


def test_another_process_of_the_same_number_is_not_the_holder(tmp_path):
    with hold(tmp_path):
        told = read_json(tmp_path / "lock.json")
        write_json(tmp_path / "lock.json", told | {"start": "1"})
        assert locks.read_holder(tmp_path / "lock.json") is None


def test_a_holder_on_another_machine_is_believed(tmp_path):
    note = {"host": "elsewhere", "process": 1, "start": "x", "since": "s", "command": "c"}
    (tmp_path / "lock.json").write_text(json.dumps(note))
    assert locks.read_holder(tmp_path / "lock.json") == note


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match=r"cannot write .*lock"):
        try_to_hold(tmp_path / "file")
