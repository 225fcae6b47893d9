"""Two commands at one task: the second says who holds it, and leaves; readers never wait."""

import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest

from psyrun import locks, machine
from psyrun.files import read_record, write_record
from psyrun.machine import process_start
from tests.waiting import until

PATIENT = """
import time
pspace = Param(a=range(3))
pool_size = 1
resultfile = 'results/patient.pkl'

def execute(a):
    counted(a)
    while not os.path.exists('go'):
        time.sleep(0.005)
    return {'y': a * a}
"""
WAIT_SECONDS = 30


@pytest.fixture
def under_way(project):
    """A run that is within its first row until the file `go` is there."""
    project.task("patient", PATIENT)
    command = project.start("run", "patient")
    until((project.root / "counted").exists, "the first row")
    yield command
    (project.tasks / "go").touch()
    command.communicate(timeout=WAIT_SECONDS)


def goes_on(project, command):
    """Let the run end; check that nothing disturbed it."""
    (project.tasks / "go").touch()
    out, err = command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 0, err
    assert "done" in out
    assert project.evaluated() == ["0", "1", "2"]
    assert not (project.workdir("patient") / "lock").exists()


def names_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@contextmanager
def read_only(folder):
    """Let nobody write into a folder; modes do not keep root from it."""
    done = subprocess.run(
        ["mount", "--bind", folder, folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"only root may mount: {done.stderr}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "patient"],
        ["run", "-c", "patient"],
        ["clean", "--yes", "patient"],
        ["merge", "psy-work/patient", "results/patient.pkl"],
        ["merge", "psy-work/patient", "psy-work/patient/some.pkl"],
    ],
    ids=" ".join,
)
def test_the_second_command_says_who_holds_the_task(project, under_way, arguments):
    ran = project.psy(*arguments)
    assert ran.code == 1
    said = (
        r"ERROR task 'patient' is held by `__main__.py run patient` "
        rf"\(process {under_way.pid} on {re.escape(machine.host())}, since 2\S+\)"
    )
    assert re.search(said, ran.err), ran.err
    assert "or end it with: psy kill patient" in ran.err
    goes_on(project, under_way)


def test_merge_into_another_file_does_not_wait_for_the_run(project, under_way):
    ran = project.psy("merge", "psy-work/patient", "some.pkl")
    assert "no row of" in ran.err
    goes_on(project, under_way)


def test_status_tells_of_the_run_and_leaves_no_trace(project, under_way):
    workdir = project.workdir("patient")
    before = names_below(workdir)
    ran = project.psy("status", "patient")
    assert f"running, 0 of 3 rows done, process {under_way.pid} on " in ran.out
    assert names_below(workdir) == before
    goes_on(project, under_way)


def test_status_and_merge_need_no_right_to_write(project, under_way):
    with read_only(project.root / "psy-work"):
        status = project.psy("status", "patient")
        clean = project.psy("clean", "--yes", "patient")
    assert "running, 0 of 3 rows done" in status.out
    assert clean.code == 1
    goes_on(project, under_way)


def test_a_task_in_a_place_that_cannot_be_written_is_said(project, under_way):
    goes_on(project, under_way)
    with read_only(project.root / "psy-work"):
        ran = project.psy("run", "patient")
        status = project.psy("status", "patient")
        merge = project.psy("merge", "psy-work/patient", "some.pkl")
    assert ran.code == 1
    assert "cannot write psy-work/patient/lock: Read-only file system; " in ran.err
    assert "up to date" in status.out
    assert merge.code == 0


def test_a_killed_holder_is_seen_at_once(project, under_way):
    under_way.send_signal(signal.SIGKILL)
    under_way.wait()
    assert (project.workdir("patient") / "lock").exists()
    assert "running" not in project.psy("status", "patient").out
    (project.tasks / "go").touch()
    ran = project.psy("run", "patient")
    assert ran.code == 0, ran.err
    assert project.psy("clean", "--yes", "patient").code == 0
    assert not project.workdir("patient").exists()


def claim_for_another_host(project, *, seconds_ago):
    """Make the marker and note of the run look as if another host had left them."""
    workdir = project.workdir("patient")
    marker = re.sub(r"host=\S+", "host=far", workdir.joinpath("lock").read_text())
    workdir.joinpath("lock").write_text(marker)
    note = read_record(workdir / "lock.json", locks.FORMAT)
    write_record(workdir / "lock.json", locks.FORMAT, note | {"host": "far"})
    then = time.time() - seconds_ago
    os.utime(workdir / "lock", (then, then))


@pytest.fixture
def left(project, under_way):
    """What a holder that was killed has left."""
    under_way.send_signal(signal.SIGKILL)
    under_way.wait()
    (project.tasks / "go").touch()


def test_a_holder_on_another_host_holds_while_it_is_heard_of(project, left):
    claim_for_another_host(project, seconds_ago=5)
    began = time.monotonic()
    ran = project.psy("run", "patient")
    assert ran.code == 1
    assert " on far, since " in ran.err
    assert time.monotonic() - began < WAIT_SECONDS
    assert "running" in project.psy("status", "patient").out
    ran = project.psy("kill", "patient")
    assert ran.code == 1
    assert "patient runs on far: run psy kill patient there" in ran.err


def test_the_lease_of_another_host_runs_out(project, left, monkeypatch):
    claim_for_another_host(project, seconds_ago=3 * locks.LEASE_SECONDS)
    assert "running" not in project.psy("status", "patient").out
    marker = project.workdir("patient") / "lock"
    monkeypatch.setattr(locks, "LEASE_SECONDS", 0.3)
    then = marker.stat().st_mtime
    marker.write_text(marker.read_text().replace("duration=60.0", "duration=0.3"))
    os.utime(marker, (then, then))
    ran = project.psy("run", "patient")
    assert ran.code == 0, ran.err
    assert "WARNING task 'patient' is held by" in ran.err
    assert "not heard of for 3 min; waiting up to 300 ms for its lease to run out" in ran.err


def test_a_run_that_lost_its_hold_stops_before_it_merges(project, under_way):
    (project.workdir("patient") / "lock").write_text("another's")
    _, err = under_way.communicate(timeout=WAIT_SECONDS)
    assert under_way.returncode == 1
    assert "lost hold of task 'patient'" in err
    assert not (project.root / "results/patient.pkl").exists()


def test_kill_spares_a_process_that_got_the_number_of_the_holder(project, left):
    workdir = project.workdir("patient")
    with subprocess.Popen(["sleep", str(WAIT_SECONDS)]) as other:
        note = read_record(workdir / "lock.json", locks.FORMAT)
        write_record(workdir / "lock.json", locks.FORMAT, note | {"process": other.pid})
        ran = project.psy("kill", "patient")
        assert "nothing is running" in ran.out
        assert process_start(other.pid) is not None
        other.kill()
