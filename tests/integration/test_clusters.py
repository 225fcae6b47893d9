"""Tasks on each scheduler, on fake systems: from the task file to the result."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from psyrun.exceptions import WorkdirError
from psyrun.mergejob import merge_job
from psyrun.runfile import read_run_file
from psyrun.workdir import Workdir
from tests.conftest import Project
from tests.fakescheduler.system import FakeSystem
from tests.waiting import until

SYSTEMS = {
    "slurm": "Slurm",
    "gridengine": "SGE",
    "pbs": "PBS",
    "lsf": "LSF",
    "sharcnet": "Sqsub",
}

TASK = """
import time
from pathlib import Path
from psyrun.scheduler import {scheduler}

pspace = Param(a=range(6))
max_jobs = 3
scheduler = {scheduler}()
scheduler_args = {{'timelimit': '10m'{asked}}}
{more}

def execute(a):
    counted(a)
    print('row', a)
    while Path({hold!r}).exists():
        time.sleep(0.02)
    return {{'y': a * a}}
"""


class Far:
    """A project with a task `far` on a fake system."""

    def __init__(self, project: Project, system: FakeSystem, scheduler: str) -> None:
        self.project, self.system, self.scheduler = project, system, scheduler
        self.hold = project.root / "hold"
        self.psy = project.psy
        self.task()

    def task(self, more: str = "", asked: str = "") -> Path:
        text = TASK.format(
            scheduler=self.scheduler, hold=str(self.hold), more=more, asked=asked
        )
        return self.project.task("far", text)

    @property
    def run(self):
        run = read_run_file(Workdir(self.project.workdir("far")), "far").last
        assert run is not None
        return run

    def started(self) -> None:
        until((self.project.root / "counted").exists, "a row to start")

    def is_done(self) -> None:
        assert self.project.result("far") == {"a": [*range(6)], "y": [a * a for a in range(6)]}
        shown = self.psy("status")
        assert shown.out.startswith("far: up to date"), shown.out


@pytest.fixture(params=SYSTEMS)
def far(request, project, tmp_path_factory, monkeypatch) -> Iterator[Far]:
    folder = tmp_path_factory.mktemp("system")
    with FakeSystem(folder, request.param).running() as system:
        monkeypatch.setenv("PATH", system.path)
        yield Far(project, system, SYSTEMS[request.param])


@pytest.fixture
def on_slurm(project, tmp_path_factory, monkeypatch) -> Iterator[Far]:
    with FakeSystem(tmp_path_factory.mktemp("system"), "slurm").running() as system:
        monkeypatch.setenv("PATH", system.path)
        yield Far(project, system, "Slurm")


def test_a_task_is_run_and_merged(far):
    ran = far.psy("run", "--wait")
    assert ran.code == 0, ran.err
    assert "far: submitted 3 jobs as " in ran.out
    far.is_done()
    assert far.project.evaluated() == [*map(str, range(6))]
    assert "row 2" in far.psy("logs", "far", "1").out
    assert far.run.ends["merge"] == "COMPLETED"


def test_status_and_kill_while_jobs_run(far):
    far.hold.touch()
    assert far.psy("run").code == 0
    far.started()
    assert far.psy("status").out.startswith("far: running, 0 of 6 rows done, ")
    assert far.psy("run").code == 1
    assert far.psy("clean", "--yes").code == 1
    ran = far.psy("kill")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("far: ended 4 jobs")
    until(lambda: "running" not in far.psy("status").out, "the end of the jobs")
    far.hold.unlink()
    ran = far.psy("run", "--wait")
    assert ran.code == 0, ran.err
    far.is_done()


def test_a_refused_submission_is_told_in_its_own_words(far):
    (submit,) = [
        name
        for name in ("sbatch", "qsub", "bsub", "sqsub")
        if (far.system.commands / name).exists()
    ]
    far.system.fault(submit, says="you may not do that", code=1)
    ran = far.psy("run")
    assert ran.code == 1
    assert "you may not do that" in ran.err
    assert "Traceback" not in ran.err


def test_a_misspelt_argument_is_told(far):
    far.task(asked=", 'timelimitt': 3")
    ran = far.psy("run")
    assert ran.code == 1
    assert "did you mean 'timelimit'?" in ran.err
    assert not (far.project.workdir("far") / "run.json").exists()


def test_jobs_that_cannot_come_back_are_told_at_submission(far):
    far.task(more="requeue = 2")
    ran = far.psy("run", "--wait")
    assert ran.code == 0, ran.err
    assert ("cannot come back" in ran.err) == (far.scheduler in {"PBS", "Sqsub"})
    far.is_done()


def questions(far: Far) -> int:
    """Count how often it was asked for all jobs; workers ask for their own ends."""
    return sum("-u" in call for call in far.system.calls("squeue"))


def test_status_asks_once_for_all_tasks(on_slurm):
    for name in "abc":
        path = on_slurm.task()
        path.rename(path.with_name(f"task_{name}.py"))
    on_slurm.hold.touch()
    assert on_slurm.psy("run").code == 0
    before = questions(on_slurm)
    assert on_slurm.psy("status").out.count("running") == 3
    assert questions(on_slurm) == before + 1
    assert on_slurm.psy("kill").code == 0


def test_what_is_up_to_date_asks_nobody(on_slurm):
    assert on_slurm.psy("run", "--wait").code == 0
    before = questions(on_slurm)
    assert "up to date" in on_slurm.psy("run").out
    on_slurm.is_done()
    assert questions(on_slurm) == before


def test_a_ghost_is_found_by_name_and_gets_its_merge_job(on_slurm):
    on_slurm.hold.touch()
    on_slurm.system.fault("sbatch", says="sbatch: error: Socket timed out", works=True, code=1)
    on_slurm.system.fault("squeue", says="slurm_load_jobs error: Socket timed out", code=1)
    ran = on_slurm.psy("run")
    assert ran.code == 1
    assert "whether the jobs were accepted is not known" in ran.err
    (on_slurm.system.folder / "faults.json").unlink()
    ran = on_slurm.psy("run")
    assert ran.code == 1
    assert "queued or running" in ran.err
    assert len(on_slurm.system.calls("sbatch")) == 2
    on_slurm.hold.unlink()
    assert on_slurm.psy("run", "--wait").code == 0
    on_slurm.is_done()
    assert on_slurm.project.evaluated() == [*map(str, range(6))]


def test_a_ghost_is_found_by_the_same_command_where_the_scheduler_answers(on_slurm):
    on_slurm.system.fault("sbatch", says="sbatch: error: Socket timed out", works=True, code=1)
    ran = on_slurm.psy("run", "--wait")
    assert ran.code == 0, ran.err
    on_slurm.is_done()
    assert len(on_slurm.system.calls("sbatch")) == 2


def test_kill_finds_a_ghost_too(on_slurm):
    on_slurm.hold.touch()
    on_slurm.system.fault("sbatch", says="sbatch: error: Socket timed out", works=True, code=1)
    on_slurm.system.fault("squeue", says="slurm_load_jobs error: Socket timed out", code=1)
    on_slurm.psy("run")
    (on_slurm.system.folder / "faults.json").unlink()
    assert on_slurm.psy("kill").out.startswith("far: ended 3 jobs")


def test_two_projects_with_a_task_of_one_name_do_not_touch_each_other(on_slurm, monkeypatch):
    on_slurm.hold.touch()
    on_slurm.psy("run")
    on_slurm.started()
    other = on_slurm.project.root / "other"
    (other / "psy-tasks").mkdir(parents=True)
    (other / "psy-tasks" / "task_far.py").write_text(on_slurm.task().read_text())
    on_slurm.system.fault("sbatch", says="sbatch: error: refused", code=1)
    with monkeypatch.context() as patch:
        patch.chdir(other)
        assert on_slurm.psy("run").code == 1
        assert "nothing is running" in on_slurm.psy("kill").out
    on_slurm.hold.unlink()
    assert on_slurm.psy("run", "--wait").code == 0
    on_slurm.is_done()


def test_log_of_a_job_by_the_scheduler_s_id_and_of_what_is_not_there(on_slurm):
    on_slurm.psy("run", "--wait")
    array = on_slurm.run.jobs["1-0"]
    assert "row 4" in on_slurm.psy("logs", "far", f"{array}_2").out
    assert "row 4" in on_slurm.psy("logs", "far", "1-2").out
    assert on_slurm.psy("logs", "far", "merge").code == 0
    for wrong in ("7", "99_1", "x"):
        ran = on_slurm.psy("logs", "far", wrong)
        assert ran.code == 1
        assert f"has no job '{wrong}'" in ran.err
    assert "did you mean far?" in on_slurm.psy("logs", "fra").err


def test_a_log_is_followed_until_the_jobs_have_ended(on_slurm):
    on_slurm.hold.touch()
    on_slurm.psy("run")
    on_slurm.started()
    following = on_slurm.project.start("logs", "-f", "far", "0")
    on_slurm.hold.unlink()
    out, err = following.communicate(timeout=60)
    assert following.returncode == 0, err
    assert out.startswith("row 0\nrow 1\n")
    assert "ended: all rows had their turn" in out


def test_a_copy_of_a_project_has_none_of_the_original_s_jobs(on_slurm, monkeypatch):
    on_slurm.hold.touch()
    on_slurm.psy("run")
    on_slurm.started()
    root = on_slurm.project.root
    copy = root.with_name("copy")
    shutil.copytree(root, copy)
    with monkeypatch.context() as patch:
        patch.chdir(copy)
        assert "running" not in on_slurm.psy("status").out
        assert "nothing is running" in on_slurm.psy("kill").out
    on_slurm.hold.unlink()
    assert on_slurm.psy("run", "--wait").code == 0
    on_slurm.is_done()


def test_a_refused_submission_leaves_no_run_behind(on_slurm):
    assert on_slurm.psy("run", "--wait").code == 0
    on_slurm.system.fault("sbatch", says="sbatch: error: not you", code=1)
    ran = on_slurm.psy("run", "--force")
    assert (ran.code, "ERROR far: sbatch: error: not you" in ran.err) == (1, True)
    on_slurm.is_done()
    assert on_slurm.run.number == 1
    assert [
        path.stem for path in (on_slurm.project.workdir("far") / "in").glob("2-*.json")
    ] == []


def test_what_ends_early_is_told_with_its_reason_and_where_to_look(on_slurm):
    on_slurm.task(asked=", 'setup': 'echo no such module; exit 3'")
    ran = on_slurm.psy("run", "--wait")
    assert ran.code == 1
    assert "jobs ended early, psy status far tells why" in ran.err
    assert "3 jobs FAILED (1-0, 1-1, 1-2): ended with an error" in on_slurm.psy("status").out
    assert "no such module" in on_slurm.psy("logs", "far").out


def test_a_line_of_setup_that_fails_ends_the_job(on_slurm):
    on_slurm.task(asked=", 'setup': ['false', 'true']")
    assert on_slurm.psy("run", "--wait").code == 1
    assert on_slurm.project.evaluated() == []


def test_an_argument_that_raises_is_told_and_the_other_tasks_are_run(on_slurm):
    path = on_slurm.task(asked=", 'memory': lambda name: 1 / 0")
    path.rename(path.with_name("task_bad.py"))
    on_slurm.task()
    ran = on_slurm.psy("run", "--wait")
    assert ran.code == 1
    assert "ERROR bad: scheduler_args['memory'] raised ZeroDivisionError" in ran.err
    assert "far: up to date" in on_slurm.psy("status").out


def test_an_edit_while_jobs_run_is_no_obstacle_to_waiting(on_slurm):
    on_slurm.hold.touch()
    on_slurm.psy("run")
    on_slurm.started()
    path = on_slurm.task()
    path.write_text(path.read_text().replace("a * a", "-a"))
    assert "missing row 5 (a=5)" in on_slurm.psy("status", "-v").out
    path.write_text(path.read_text().replace("range(6)", "range(2)"))
    assert "missing row 5 (a=5)" in on_slurm.psy("status", "-v").out
    on_slurm.hold.unlink()
    ran = on_slurm.psy("run", "--wait")
    assert ran.code == 0, ran.err
    assert "it was edited since" in ran.err
    assert on_slurm.project.result("far")["y"] == [a * a for a in range(6)]


def test_a_merge_job_leaves_a_later_run_alone(on_slurm):
    assert on_slurm.psy("run", "--wait").code == 0
    path = on_slurm.task()
    path.write_text(path.read_text().replace("a * a", "a ** 2"))
    assert on_slurm.psy("run", "--wait").code == 0
    before = (on_slurm.project.workdir("far") / "run.json").read_bytes()
    workdir = Workdir(on_slurm.project.workdir("far"))
    with pytest.raises(WorkdirError, match=r"was followed by run 2|no longer known"):
        merge_job(workdir, 1, on_slurm.project.root)
    assert (on_slurm.project.workdir("far") / "run.json").read_bytes() == before


def test_new_task_asks_what_was_meant(on_slurm):
    ran = on_slurm.psy("new-task", "fresh", "--scheduler", "Slrum")
    assert ran.code == 2
    assert "did you mean Slurm?" in ran.err
    assert on_slurm.psy("new-task", "fresh", "--scheduler", "Slurm").code == 0
    assert on_slurm.psy("run", "--wait", "fresh").code == 0
