import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import pytest

from psyrun import locks, machine
from psyrun.exceptions import LockedError, TaskWarning, WorkdirError
from psyrun.files import read_record, write_record
from tests.waiting import until

HOLD = """
    import sys
    from pathlib import Path
    from psyrun.locks import locked
    with locked(Path(sys.argv[1], "lock"), Path(sys.argv[1], "lock.json"), "it"):
        print("held", flush=True)
        sys.stdin.read()
"""
WAIT_SECONDS = 30


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


@pytest.fixture
def short_lease(monkeypatch):
    monkeypatch.setattr(locks, "LEASE_SECONDS", 0.3)


@pytest.fixture
def elsewhere(tmp_path):
    """The marker and note that a process of another host, still living, would leave."""

    def leave(*, heard_of_seconds_ago):
        leave_copies(tmp_path)
        marker = (tmp_path / "lock").read_text()
        (tmp_path / "lock").write_text(re.sub(r"host=\S+", "host=far", marker))
        edit_note(tmp_path, host="far", process=1, since="yesterday", command="psy run x")
        then = time.time() - heard_of_seconds_ago
        os.utime(tmp_path / "lock", (then, then))

    return leave


def leave_copies(folder):
    """Leave what stands while this process holds the lock, as a power failure would."""
    with hold(folder):
        for name in ("lock", "lock.json"):
            shutil.copy(folder / name, folder / f"{name}.copy")
    for name in ("lock", "lock.json"):
        (folder / f"{name}.copy").rename(folder / name)


def edit_note(folder, **changes):
    note = read_record(folder / "lock.json", locks.FORMAT)
    write_record(folder / "lock.json", locks.FORMAT, note | changes)


def hold(folder, patience=0.0):
    return locks.locked(folder / "lock", folder / "lock.json", "task 't'", patience)


def try_to_hold(folder):
    with hold(folder):
        pass


def read_holder(folder):
    return locks.read_holder(folder / "lock", folder / "lock.json")


def process_told_of(folder):
    told = read_holder(folder)
    return told and told["process"]


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
    assert process_told_of(tmp_path) == holder.pid
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "lock.json"]


def test_a_holder_that_was_killed_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / "lock.json").exists()
    assert read_holder(tmp_path) is None
    with hold(tmp_path):
        assert process_told_of(tmp_path) == os.getpid()


def test_nobody_is_told_of_once_it_is_free(tmp_path):
    with hold(tmp_path):
        assert read_holder(tmp_path) is not None
    assert list(tmp_path.iterdir()) == []
    try_to_hold(tmp_path)


def test_an_error_lets_go(tmp_path):
    with pytest.raises(ZeroDivisionError, match="x"):
        lose_by(fail, tmp_path)
    try_to_hold(tmp_path)


def test_it_is_held_against_the_same_process_too(tmp_path):
    with hold(tmp_path), pytest.raises(LockedError, match=rf"process {os.getpid()} on"):
        try_to_hold(tmp_path)


def test_patience_waits_for_the_holder_to_let_go(tmp_path, holder):
    holder.stdin.close()
    with hold(tmp_path, patience=WAIT_SECONDS):
        assert process_told_of(tmp_path) == os.getpid()


def test_patience_has_an_end(tmp_path, holder):
    with pytest.raises(LockedError, match="is held by"), hold(tmp_path, patience=0.1):
        pass


def test_a_holder_that_left_no_note_is_another_process(tmp_path, holder):
    (tmp_path / "lock.json").unlink()
    assert read_holder(tmp_path) is None
    with pytest.raises(LockedError, match=r"is held by another process$"):
        try_to_hold(tmp_path)


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"process": "x"}', '{"process": null}'])
def test_a_damaged_note_tells_of_nobody(tmp_path, holder, note):
    (tmp_path / "lock.json").write_text(note)
    assert read_holder(tmp_path) is None
    with pytest.raises(LockedError, match=r"is held by another process$"):
        try_to_hold(tmp_path)


def test_a_note_that_was_edited_tells_of_nobody(tmp_path, holder):
    text = (tmp_path / "lock.json").read_text()
    edited = re.sub(r'"process": \d+', f'"process": {os.getpid()}', text)
    (tmp_path / "lock.json").write_text(edited)
    assert read_holder(tmp_path) is None


def test_the_note_of_an_earlier_holder_tells_of_nobody(tmp_path):
    with hold(tmp_path):
        earlier = (tmp_path / "lock.json").read_bytes()
    with hold(tmp_path):
        (tmp_path / "lock.json").write_bytes(earlier)
        assert read_holder(tmp_path) is None


def test_another_process_of_the_same_number_is_not_the_holder(tmp_path):
    with hold(tmp_path):
        edit_note(tmp_path, start="1")
        assert read_holder(tmp_path) is None


def test_a_number_that_another_process_got_holds_nothing(tmp_path):
    leave_copies(tmp_path)
    marker = (tmp_path / "lock").read_text()
    (tmp_path / "lock").write_text(re.sub(r"start=\d+", "start=1", marker))
    edit_note(tmp_path, start="1")
    with hold(tmp_path):
        assert process_told_of(tmp_path) == os.getpid()


def test_a_living_process_of_another_host_holds_it(tmp_path, elsewhere):
    elsewhere(heard_of_seconds_ago=5)
    assert process_told_of(tmp_path) == 1
    message = r"held by `psy run x` \(process 1 on far, since yesterday\)"
    with pytest.raises(LockedError, match=message):
        try_to_hold(tmp_path)
    assert process_told_of(tmp_path) == 1


def test_a_process_of_another_container_may_live(tmp_path):
    with hold(tmp_path):
        edit_note(tmp_path, namespace=7, process=2**22 + 1)
        told = read_holder(tmp_path)
        assert told is not None
        assert not locks.is_local(told)


def test_a_process_of_another_host_is_told_of_for_two_leases(tmp_path, elsewhere):
    elsewhere(heard_of_seconds_ago=2 * locks.LEASE_SECONDS + 1)
    assert read_holder(tmp_path) is None


def test_the_lease_of_another_host_runs_out(tmp_path, elsewhere, short_lease):
    elsewhere(heard_of_seconds_ago=7300)
    said = r"far, since yesterday\), not heard of for 2 h 1 min; waiting up to 300 ms"
    with pytest.warns(TaskWarning, match=said), hold(tmp_path):
        assert process_told_of(tmp_path) == os.getpid()


def test_a_time_stamp_in_the_future_is_no_sign_of_life(tmp_path, elsewhere, short_lease):
    elsewhere(heard_of_seconds_ago=-7300)
    with pytest.warns(TaskWarning, match="not heard of"):
        try_to_hold(tmp_path)


def test_a_lease_of_another_length_runs_out_too(tmp_path, elsewhere, monkeypatch):
    elsewhere(heard_of_seconds_ago=7300)
    monkeypatch.setattr(locks, "LEASE_SECONDS", 0.3)
    with pytest.warns(TaskWarning, match="not heard of"):
        try_to_hold(tmp_path)


def test_what_a_power_failure_leaves_runs_out(tmp_path, short_lease):
    (tmp_path / "lock").touch()
    os.utime(tmp_path / "lock", (0, 0))
    with pytest.warns(TaskWarning, match="held by another process, not heard of"):
        try_to_hold(tmp_path)


def test_a_holder_that_is_heard_of_again_keeps_it(tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr(locks, "LEASE_SECONDS", 1.0)
    elsewhere(heard_of_seconds_ago=7300)
    over = threading.Event()

    def beat():
        while not over.wait(0.02):
            os.utime(tmp_path / "lock")

    heart = threading.Thread(target=beat)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda *_: heart.start()
        with pytest.raises(LockedError, match="psy run x"):
            try_to_hold(tmp_path)
    over.set()
    heart.join()
    assert process_told_of(tmp_path) == 1


def test_a_holder_refreshes_its_marker(tmp_path, short_lease):
    with hold(tmp_path):
        os.utime(tmp_path / "lock", (0, 0))
        until(lambda: (tmp_path / "lock").stat().st_mtime > 0, "a beat")


def lose_by(loss, folder):
    """Lose the lock in some way while holding it."""
    with hold(folder) as check_held:
        check_held()
        loss(folder / "lock")
        with pytest.raises(LockedError, match="lost hold"):
            check_held()


def remove(lock):
    lock.unlink()


def take_over(lock):
    lock.write_text("filelock/2\nanother's\n")


def fail(lock):
    lock.unlink()
    raise ZeroDivisionError("x")


@pytest.mark.parametrize("loss", [remove, take_over])
def test_who_lost_it_learns_so(tmp_path, loss):
    with pytest.raises(LockedError, match=r"lost hold of task 't': .*lock was removed or"):
        lose_by(loss, tmp_path)


def test_who_lost_it_leaves_the_files_of_the_next(tmp_path):
    def lose(lock):
        take_over(lock)
        (tmp_path / "lock.json").write_text("the next")

    with pytest.raises(LockedError, match="lost hold"):
        lose_by(lose, tmp_path)
    assert (tmp_path / "lock.json").read_text() == "the next"


def test_a_lost_lock_hides_no_error(tmp_path):
    with pytest.raises(ZeroDivisionError, match="x"):
        lose_by(fail, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match=r"cannot write .*lock"):
        try_to_hold(tmp_path / "file")


def test_a_full_disk_is_said(tmp_path):
    program = textwrap.dedent(HOLD)
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 0; exec "$0" "$@"', sys.executable, "-c", program, tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"WorkdirError: cannot write {tmp_path / 'lock'}: File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


NO_EXCHANGE = """
    import ctypes, errno, struct

    def instruction(code, true, false, k):
        return struct.pack("HBBI", code, true, false, k)

    # seccomp(2): renameat2 (call 316 of x86-64) with flag RENAME_EXCHANGE fails with EINVAL
    rules = b"".join([
        instruction(0x20, 0, 0, 0),
        instruction(0x15, 0, 3, 316),
        instruction(0x20, 0, 0, 16 + 4 * 8),
        instruction(0x15, 0, 1, 2),
        instruction(0x06, 0, 0, 0x00050000 | errno.EINVAL),
        instruction(0x06, 0, 0, 0x7FFF0000),
    ])
    buffer = ctypes.create_string_buffer(rules)
    program = struct.pack("HxxxxxxP", len(rules) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program) == 0
"""


def hold_without_exchange(folder):
    """Take the lock as on NFS, whose client refuses to exchange two names."""
    program = textwrap.dedent(NO_EXCHANGE) + textwrap.dedent(HOLD).replace(
        "with locked", "import psyrun.locks\npsyrun.locks.LEASE_SECONDS = 0.3\nwith locked"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine != "x86_64", reason="calls by number"
)
class TestOnNetworkFileSystems:
    def test_a_dead_holder_of_this_host_is_seen_at_once(self, tmp_path, holder):
        holder.kill()
        holder.wait()
        done = hold_without_exchange(tmp_path)
        assert (done.stdout, done.stderr) == ("held\n", "")
        assert list(tmp_path.iterdir()) == []

    def test_a_living_holder_keeps_it(self, tmp_path, holder):
        done = hold_without_exchange(tmp_path)
        assert (
            f"LockedError: it is held by `-c {tmp_path}` (process {holder.pid}" in done.stderr
        )
        assert process_told_of(tmp_path) == holder.pid

    def test_the_lease_of_another_host_runs_out(self, tmp_path, elsewhere):
        elsewhere(heard_of_seconds_ago=7300)
        done = hold_without_exchange(tmp_path)
        assert done.stdout == "held\n", done.stderr
        assert "not heard of" in done.stderr


def test_a_marker_is_put_back_if_another_command_was_quicker(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text("the quicker one's")
    locks._remove_stale(lock, locks._Marker("the dead one's", 0.0))
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    assert lock.read_text() == "the quicker one's"
