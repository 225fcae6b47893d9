"""Submissions are values: arrays, their names, what is asked for them."""

import dataclasses

import pytest

from psyrun import submission
from psyrun.exceptions import SchedulerError, TaskWarning
from psyrun.runfile import Run
from psyrun.tasks import TaskDef
from psyrun.workdir import Workdir, job_name, job_named

TASK = """
from psyrun import Param
from psyrun.scheduler import {scheduler}

pspace = Param(a=range(20))
scheduler = {scheduler}()
{more}

def execute(a):
    return {{"y": a}}
"""


@pytest.fixture
def task(tmp_path):
    def make(more: str = "", scheduler: str = "Slurm") -> TaskDef:
        path = tmp_path / "task_far.py"
        path.write_text(TASK.format(more=more, scheduler=scheduler))
        return TaskDef(path)

    return make


@pytest.fixture
def workdir(tmp_path):
    return Workdir(tmp_path / "work")


def run_of(task, workdir, jobs, most=None):
    names = dict.fromkeys(job_name(3, index) for index in range(jobs))
    return submission.named(task, workdir, Run(3, "space", "code", 20, jobs=names), most)


def planned(task, workdir, jobs, most=None):
    return submission.submissions(task, workdir, run_of(task, workdir, jobs, most))


def test_all_jobs_are_one_array(task, workdir):
    (only,) = planned(task(), workdir, 1000)
    assert only.is_array
    assert len(only.jobs) == 1000
    assert only.log == str(workdir.log("3-%a"))
    assert only.args[-1] == "3-%a"


@pytest.mark.parametrize("most", [1, 3, 7, 10])
def test_arrays_over_the_limit_are_split_and_each_job_gets_its_own_rows(task, workdir, most):
    parts = planned(task(), workdir, 10, most)
    assert all(len(part.jobs) <= most for part in parts)
    assert len({part.name for part in parts}) == len({part.log for part in parts}) == len(parts)
    told = [
        job_named(part.args[-1].replace("%a", str(index)))
        for part in parts
        for index in range(len(part.jobs))
    ]
    assert (
        told
        == [job for part in parts for job in part.jobs]
        == [*run_of(task(), workdir, 10).jobs]
    )


def test_only_jobs_without_an_id_are_submitted(task, workdir):
    run = run_of(task(), workdir, 4, 2)
    run = dataclasses.replace(run, jobs={**run.jobs, "3-0": "7", "3-1": "7"})
    (rest,) = submission.submissions(task(), workdir, run)
    assert rest.jobs == ("3-2", "3-3")
    assert set(submission.names("far", run)) == {
        f"far-3-2.{run.token}",
        f"far-3-merge-4.{run.token}",
    }


def test_names_of_two_runs_differ(task, workdir):
    one, other = (run_of(task(), workdir, 2) for _ in range(2))
    assert not set(submission.names("far", one)) & set(submission.names("far", other))


def test_names_are_those_of_the_submissions(task, workdir):
    for most in (None, 2):
        run = run_of(task(), workdir, 5, most)
        parts = submission.submissions(task(), workdir, run)
        merge = submission.merge_submission(task(), workdir, run)
        known = submission.names("far", run)
        assert {part.name: list(part.jobs) for part in [*parts, merge]} == known


def test_a_folder_with_the_sign_of_an_index_gets_no_arrays(task, tmp_path):
    parts = planned(task(), Workdir(tmp_path / "50%alpha"), 3)
    assert [part.is_array for part in parts] == [False] * 3


def test_the_merge_job_asks_for_its_own(task, workdir):
    made = task(
        "scheduler_args = {'memory': '1G', 'partition': 'long', 'throttle': 3}\n"
        "merge_args = {'memory': '8G'}\n"
        "requeue = 2"
    )
    run = run_of(made, workdir, 2)
    assert submission.merge_submission(made, workdir, run).asked == {
        "memory": "8G",
        "partition": "long",
    }
    (jobs,) = submission.submissions(made, workdir, run)
    assert jobs.asked["requeue"] is True


def test_the_time_limit_of_jobs_is_known(task, workdir):
    made = task("scheduler_args = {'timelimit': lambda name: '2h' if 'far' in name else '1m'}")
    assert submission.time_limit(made, run_of(made, workdir, 2)) == 7200
    assert submission.time_limit(task(), run_of(task(), workdir, 2)) is None


def test_what_the_scheduler_does_not_have_is_refused(task):
    with pytest.raises(SchedulerError, match="did you mean 'memory'"):
        submission.check(task("merge_args = {'memry': '8G'}"))


def test_a_scheduler_whose_jobs_cannot_come_back_says_so(task):
    with pytest.warns(TaskWarning, match="cannot come back by themselves"):
        submission.check(task("requeue = 1", "ImmediateRun"))


def test_scripts_are_shown_before_anything_is_submitted(task, workdir):
    made = task()
    run = run_of(made, workdir, 3)
    parts = [
        *submission.submissions(made, workdir, run),
        submission.merge_submission(made, workdir, run),
    ]
    (array, jobs), (merge, last) = submission.scripts(made.scheduler, parts)
    assert (array.name, merge.name) == ("3-array.sh", "3-merge.sh")
    assert "#SBATCH --array=0-2" in jobs
    assert "--merge 3" in last
    assert not workdir.root.exists()
