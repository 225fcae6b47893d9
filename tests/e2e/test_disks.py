"""Disks that are full, read-only, out of reach: a clear message, and no row is lost."""

import contextlib
import errno
import os
import pickle
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WAIT_SECONDS = 60
ROWS = 24

BIG = f"""
from psyrun import Param
import os

pspace = Param(a=range({ROWS}))
pool_size = 2
max_jobs = 6

def execute(a):
    fd = os.open(os.environ['COUNTED'], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(fd, b'%d\\n' % a)
    os.close(fd)
    print('row', a)
    return {{'y': a * a, 'z': 'x' * 20_000}}
"""


class Place:
    """A folder with a task, and the command line as processes of their own in it."""

    def __init__(self, folder, counted):
        self.folder = folder
        self.counted = counted
        (folder / "psy-tasks").mkdir()
        (folder / "psy-tasks" / "task_big.py").write_text(BIG)

    def psy(self, *arguments, before=(), **environment):
        return subprocess.run(
            [*before, sys.executable, "-m", "psyrun", *arguments],
            cwd=self.folder,
            env=os.environ | {"COUNTED": str(self.counted)} | environment,
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )

    def evaluated(self):
        return self.counted.read_text().split() if self.counted.exists() else []

    def completes(self):
        """Run again; check the result, how often rows were evaluated, and what is left over."""
        ran = self.psy("run")
        assert ran.returncode == 0, ran.stderr
        with (self.folder / "psy-work" / "big" / "result.pkl").open("rb") as file:
            result = pickle.load(file)
        assert result["a"] == [*range(ROWS)]
        assert result["y"] == [a * a for a in range(ROWS)]
        assert result["z"] == ["x" * 20_000] * ROWS
        rows = self.evaluated()
        assert set(rows) == set(map(str, range(ROWS)))
        assert len(rows) <= ROWS + 2, "more than the rows under way were evaluated twice"
        left = [path for path in self.folder.rglob("*") if path.name.startswith(".tmp-")]
        assert left == []


def is_refused_clearly(ran, *words):
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    assert any(word in ran.stderr for word in words), ran.stderr


def mount(*arguments):
    """Mount something; skip the test where that is not allowed."""
    if shutil.which("mount") is None or os.getuid() != 0:
        pytest.skip("no right to mount a file system")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, and a way to say how large it is."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder, kilobytes):
    mount("-o", f"remount,size={kilobytes}k", str(folder))


def slow(*values):
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


@pytest.mark.parametrize("kilobytes", [4, 60, 200, 600, *slow(12, 24, 100, 400, 900)])
def test_a_full_disk_is_said_and_no_row_is_lost(small_disk, tmp_path, kilobytes):
    place = Place(small_disk, tmp_path / "counted")
    resize(small_disk, kilobytes)
    ran = place.psy("run")
    is_refused_clearly(ran, "No space left on device")
    assert f"cannot write {'psy-work'}" in ran.stderr or str(small_disk) in ran.stderr
    status = place.psy("status")
    assert status.returncode == 0
    assert "Traceback" not in status.stderr
    before = len(place.evaluated())
    if before > 4:
        merged = place.psy("merge", "psy-work/big", str(tmp_path / "sofar.pkl"))
        assert merged.returncode == 0, merged.stderr
        kept = pickle.loads((tmp_path / "sofar.pkl").read_bytes())["y"]
        assert len(kept) >= before - 2
    resize(small_disk, 8_000)
    place.completes()


def test_a_full_disk_can_be_cleaned(small_disk, tmp_path):
    place = Place(small_disk, tmp_path / "counted")
    resize(small_disk, 400)
    is_refused_clearly(place.psy("run"), "No space left on device")
    with contextlib.suppress(OSError), (small_disk / "rest").open("wb", 0) as file:
        while file.write(b"x" * 512):
            pass
    cleaned = place.psy("clean", "--yes")
    assert cleaned.returncode == 0, cleaned.stderr
    assert [*(small_disk / "psy-work").rglob("*.pkl")] == []
    (small_disk / "rest").unlink()
    resize(small_disk, 8_000)
    place.counted.unlink()
    place.completes()


def test_a_read_only_disk_can_be_read(small_disk, tmp_path):
    place = Place(small_disk, tmp_path / "counted")
    assert place.psy("run").returncode == 0
    (small_disk / "psy-tasks" / "task_big.py").write_text(BIG.replace("a * a", "a + a"))
    mount("-o", "remount,ro", str(small_disk))
    is_refused_clearly(place.psy("run"), "Read-only file system")
    assert "stale" in place.psy("status").stdout
    merged = place.psy("merge", "psy-work/big", str(tmp_path / "copy.pkl"))
    assert merged.returncode == 0, merged.stderr
    is_refused_clearly(place.psy("clean", "--yes"), "Read-only file system")
    mount("-o", "remount,rw", str(small_disk))
    (small_disk / "psy-tasks" / "task_big.py").write_text(BIG)
    place.completes()


@pytest.mark.parametrize("folder", [".", "psy-work/big", "psy-work/big/out", "psy-work/big/in"])
def test_a_folder_that_may_not_be_written_is_named(tmp_path, folder):
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv")
    place = Place(tmp_path, tmp_path / "counted")
    if folder != ".":
        (tmp_path / folder).mkdir(parents=True)
    place.counted.touch()
    (tmp_path / folder).chmod(0o555)
    powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    is_refused_clearly(place.psy("run", before=powerless), "Permission denied")
    (tmp_path / folder).chmod(0o755)
    place.completes()


@pytest.fixture(scope="session")
def faults(tmp_path_factory):
    """Compile what makes system calls fail."""
    if shutil.which("gcc") is None or not sys.platform.startswith("linux"):
        pytest.skip("there is no gcc, or no LD_PRELOAD")
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source, "-ldl"],
        check=True,
    )
    return library


CALLS = ("open", "write", "read", "rename", "sync")
ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.ESTALE)


def hit(tmp_path, faults, calls, number, after):
    """Let some calls on the work directory fail during a run; then run again undisturbed."""
    place = Place(tmp_path, tmp_path / "counted")
    ran = place.psy(
        "run",
        LD_PRELOAD=str(faults),
        FAULT_PATH="psy-work",
        FAULT_CALLS=calls,
        FAULT_ERRNO=str(number),
        FAULT_AFTER=str(after),
    )
    assert "Traceback" not in ran.stderr
    assert ran.returncode in {0, 1}
    if ran.returncode:
        assert os.strerror(number) in ran.stderr or "damaged" in ran.stderr, ran.stderr
    place.completes()


@pytest.mark.parametrize(
    ("calls", "number", "after"),
    [
        ("open", errno.ESTALE, 30),  # the note of the run
        ("read", errno.ESTALE, 9),  # what a worker reads
        ("read", errno.ESTALE, 30),  # what is merged, when all rows are done
        ("write", errno.EDQUOT, 2),  # the space
        ("rename", errno.EIO, 9),  # what is to be done by a job
        ("sync", errno.EIO, 9),  # the code
    ],
)
def test_calls_that_fail_are_told_and_cost_no_row(tmp_path, faults, calls, number, after):
    hit(tmp_path, faults, calls, number, after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("calls", "number"),
    [
        ("open", errno.ESTALE),
        ("read", errno.ESTALE),
        ("write", errno.EDQUOT),
        ("rename", errno.EIO),
        ("sync", errno.EIO),
    ],
)
@pytest.mark.parametrize("after", [2, 9, 30])
def test_calls_that_fail_early_or_late_cost_no_row(tmp_path, faults, calls, number, after):
    hit(tmp_path, faults, calls, number, after)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_calls_that_fail_at_random_cost_no_row(tmp_path, faults, seed):
    draw = random.Random(seed)
    after = int(10 ** draw.uniform(0, 2.5))
    hit(tmp_path, faults, draw.choice(CALLS), draw.choice(ERRORS), after)
