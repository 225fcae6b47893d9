"""What `file_dep` names, from the command line: who reads large files, and who only remembers.

A digest that is planted in the memory tells whether a command read the file.
"""

from pathlib import Path

import numpy as np
import pytest

from psyrun.filedigests import LARGE, Digests, Stamp, read_digests
from tests.conftest import Project

TASK = """
pspace = Param(a=[1, 2])
file_dep = {entries!r}

def execute(a):
    counted(a)
    return {{'y': a}}
"""
PLANTED = "planted"


@pytest.fixture
def old_file():
    """Lend a large file that was not written just now."""
    folder = Path(np.__file__).parent
    return next(path for path in folder.rglob("*.so") if path.stat().st_size >= LARGE)


@pytest.fixture
def linked(project, old_file):
    project.task("big", TASK.format(entries=["big.bin"]))
    (project.tasks / "big.bin").symlink_to(old_file)
    return project


def memory(project: Project) -> Path:
    return project.workdir("big") / "file_dep.json"


def plant(project) -> None:
    """Remember the file as it is now, with a digest that no file has."""
    known = {"big.bin": (Stamp.of((project.tasks / "big.bin").stat()), PLANTED)}
    digests = Digests(known)
    digests.of(project.tasks / "big.bin", "big.bin")
    digests.known = {}
    digests.write(memory(project))


def test_run_remembers_a_large_file(linked, old_file):
    assert linked.psy("run").code == 0
    ((stamp, sha),) = read_digests(memory(linked)).known.values()
    assert stamp == Stamp.of(old_file.stat())
    assert sha == Digests().of(old_file, "")


def test_neither_run_nor_its_worker_read_a_file_that_is_known(linked):
    plant(linked)
    assert linked.psy("run").code == 0
    (manifest,) = linked.workdir("big").glob("code/*/manifest.json")
    assert f'"big.bin": "{PLANTED}"' in manifest.read_text()


def test_status_does_not_read_a_file_that_is_known(linked):
    linked.psy("run")
    plant(linked)
    assert "up to date" not in linked.psy("status").out


def test_diff_does_not_read_a_file_that_is_known(linked):
    linked.psy("run")
    plant(linked)
    assert "file big.bin changed" in linked.psy("diff").err


def test_status_remembers_nothing(linked):
    linked.psy("run")
    memory(linked).unlink()
    assert "up to date" in linked.psy("status").out
    assert not memory(linked).exists()


def test_run_remembers_though_there_is_nothing_to_do(linked):
    linked.psy("run")
    memory(linked).write_text("damaged")
    assert linked.psy("run").code == 0
    assert linked.evaluated() == ["1", "2"]
    assert read_digests(memory(linked)).known


def test_small_files_leave_no_memory(project):
    project.task("big", TASK.format(entries=["small.txt"]))
    (project.tasks / "small.txt").write_text("x")
    assert project.psy("run").code == 0
    assert not memory(project).exists()


@pytest.mark.parametrize("command", ["run", "status"])
def test_a_file_that_is_not_there_is_told_with_the_task_file(project, command):
    project.task("big", TASK.format(entries=["gone.txt"]))
    ran = project.psy(command)
    assert ran.code == (command == "run")
    assert ran.err.startswith(
        f"ERROR {project.tasks / 'task_big.py'}: file_dep names 'gone.txt'"
    )


@pytest.mark.parametrize("entry", ["data", "data/*.csv"])
def test_a_file_that_comes_or_goes_makes_rows_stale(project, entry):
    project.task("big", TASK.format(entries=[entry]))
    (project.tasks / "data").mkdir()
    (project.tasks / "data" / "one.csv").touch()
    assert project.psy("run").code == 0
    (project.tasks / "data" / "two.csv").touch()
    assert "file `data/two.csv` changed" in project.psy("run").err
    (project.tasks / "data" / "two.csv").unlink()
    assert "file `data/two.csv` changed" in project.psy("run").err
    assert project.evaluated() == sorted(["1", "2"] * 3)


def test_a_file_that_comes_while_a_job_waits_fails_it_by_name(project):
    """Here the scheduler adds the file, when the plan is made and the worker not started."""
    project.task("big", TASK.format(entries=["data"]))
    (project.tasks / "data").mkdir()
    (project.tasks / "data" / "one.csv").touch()
    late = project.tasks / "late_scheduler.py"
    late.write_text(
        "from pathlib import Path\n"
        "from psyrun import ImmediateRun\n\n"
        "class Late(ImmediateRun):\n"
        "    def submit(self, *args, **kwargs):\n"
        "        (Path(__file__).parent / 'data' / 'two.csv').touch()\n"
        "        return super().submit(*args, **kwargs)\n"
    )
    path = project.tasks / "task_big.py"
    path.write_text(path.read_text() + "\nfrom late_scheduler import Late as scheduler\n")
    ran = project.psy("run")
    assert ran.code == 1
    assert "file_dep changed since the task was submitted: data/two.csv (new)" in ran.err
    assert project.evaluated() == []
