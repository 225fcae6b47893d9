"""A scheduler of the user's own, by subclassing as in 0.8: jobs outlive the command."""

import os
import signal

import pytest

from psyrun.backend import DistributeBackend
from psyrun.loading import forgetting_local_modules
from psyrun.tasks import TaskDef
from tests.background import SCHEDULER
from tests.waiting import until

TASK = """
import time
from pathlib import Path
from own_scheduler import {scheduler}

pspace = Param(a=range(6))
max_jobs = 3
scheduler = {scheduler}
scheduler_args = {{'timelimit': '1h'}}

def execute(a):
    while Path('hold').exists():
        time.sleep(0.01)
    counted(a)
    return {{'y': a * a}}
"""


@pytest.fixture(params=["Background", "Arrays"])
def queued(project, request):
    project.task("far", TASK.format(scheduler=request.param))
    (project.tasks / "own_scheduler.py").write_text(SCHEDULER)
    yield project
    for path in (project.tasks / "queue").glob("*"):
        try:
            os.killpg(int(path.name), signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_jobs_are_submitted_and_a_merge_job_makes_the_result(queued):
    ran = queued.psy("run")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("far: submitted ")
    until(lambda: (queued.workdir("far") / "result.pkl").exists())
    until(lambda: "up to date" in queued.psy("status").out)
    assert queued.result("far") == {"a": [*range(6)], "y": [a * a for a in range(6)]}
    asked = [path.read_text() for path in (queued.tasks / "queue").iterdir()]
    assert all("'timelimit': '1h'" in text for text in asked)
    assert any(text.startswith("far-1-merge-3.") for text in asked)


def test_while_jobs_run_a_second_run_starts_nothing(queued):
    (queued.tasks / "hold").touch()
    queued.psy("run")
    ran = queued.psy("run")
    assert ran.code == 1
    assert "queued or running" in ran.err
    assert queued.psy("status").out.startswith("far: running, 0 of 6 rows done")
    ran = queued.psy("clean", "--yes")
    assert ran.code == 1
    assert "psy kill far" in ran.err
    (queued.tasks / "hold").unlink()
    until(lambda: (queued.workdir("far") / "result.pkl").exists())


def test_a_backend_knows_what_is_queued(queued):
    (queued.tasks / "hold").touch()
    queued.psy("run")
    with forgetting_local_modules(queued.tasks):
        backend = DistributeBackend(TaskDef(queued.tasks / "task_far.py"))
        space = backend.get_queued()
        assert space is not None
        assert space.build() == {"a": [*range(6)]}
        (queued.tasks / "hold").unlink()
        until(lambda: (queued.workdir("far") / "result.pkl").exists())
        until(lambda: "up to date" in queued.psy("status").out)
        space = backend.get_queued()
        assert space is not None
        assert len(space) == 0


def test_kill_ends_the_jobs_and_run_goes_on(queued):
    (queued.tasks / "hold").touch()
    queued.psy("run")
    ran = queued.psy("kill")
    assert ran.code == 0, ran.err
    assert "far: ended" in ran.out
    until(lambda: "running" not in queued.psy("status").out)
    (queued.tasks / "hold").unlink()
    assert queued.psy("run").code == 0
    until(lambda: (queued.workdir("far") / "result.pkl").exists())
    assert queued.evaluated() == [str(a) for a in range(6)]


def test_kill_finds_a_scheduler_beside_the_task_files_in_a_process_of_its_own(queued):
    (queued.tasks / "hold").touch()
    queued.psy("run")
    killing = queued.start("kill")
    out, err = killing.communicate(timeout=30)
    assert killing.returncode == 0, err
    assert "far: ended" in out


def test_failures_of_all_jobs_count_together(project):
    """The jobs run one after the other here: the first fails, the others need not try."""
    (project.tasks).mkdir()
    (project.tasks / "own_scheduler.py").write_text(SCHEDULER)
    project.task(
        "far",
        """
        from own_scheduler import Arrays

        pspace = Param(a=range(30))
        max_jobs = 3
        max_failures = 4
        scheduler = Arrays

        def execute(a):
            counted(a)
            raise ValueError('no')
        """,
    )
    assert project.psy("run").code == 0
    until(lambda: "running" not in project.psy("status").out)
    assert project.evaluated() == ["0", "1", "2", "3"]
    assert "4 rows failed (max_failures = 4)" in project.psy("errors").out


def test_new_task_takes_a_scheduler_by_its_full_name(queued):
    (queued.tasks / "own_scheduler.py").rename(queued.root / "own_scheduler.py")
    ran = queued.psy("new-task", "fresh", "--scheduler", "psyrun.scheduler.ImmediateRun")
    assert ran.code == 0, ran.err
    assert queued.psy("test", "fresh").code == 0


def test_jobs_of_the_scheduler_before_are_not_overlooked(queued):
    (queued.tasks / "hold").touch()
    queued.psy("run")
    path = queued.tasks / "task_far.py"
    text = path.read_text()
    path.write_text(text.replace("\nscheduler = ", "\nunused = ").replace("a * a", "a + a"))
    ran = queued.psy("run")
    assert ran.code == 1
    assert "queued or running" in ran.err
    (queued.tasks / "hold").unlink()
    until(lambda: (queued.workdir("far") / "result.pkl").exists())
    assert queued.result("far")["y"] == [a * a for a in range(6)]


def test_ids_of_jobs_stand_though_a_later_one_was_refused(project):
    project.tasks.mkdir()
    (project.tasks / "own_scheduler.py").write_text(
        SCHEDULER
        + """

class Full(Background):
    def submit(self, args, output_filename, name=None, depends_on=None, scheduler_args=None):
        if self.folder.exists() and len(self.get_jobs()) == 2:
            raise RuntimeError('too many jobs')
        return super().submit(args, output_filename, name, depends_on, scheduler_args)
"""
    )
    project.task("far", TASK.format(scheduler="Full"))
    (project.tasks / "hold").touch()
    ran = project.psy("run")
    assert ran.code == 1
    assert "too many jobs" in ran.err
    assert project.psy("clean", "--yes").code == 1
    ran = project.psy("kill")
    assert "far: ended 2 jobs" in ran.out


def test_kill_goes_on_behind_a_task_with_trouble(queued):
    (queued.tasks / "hold").touch()
    queued.task("before", "pspace = Param(a=[1])\ndef execute(a):\n    return {'y': a}\n")
    queued.psy("run", "far")
    queued.workdir("before").mkdir()
    (queued.workdir("before") / "run.json").write_text("{")
    ran = queued.psy("kill")
    assert ran.code == 1
    assert "far: ended" in ran.out
