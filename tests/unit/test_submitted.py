"""What schedulers tell of the jobs of runs, sorted by job; each is asked once."""

from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.jobstates import by_job
from psyrun.runfile import Run
from psyrun.scheduler import JobInfo, JobState, Scheduler, qualified_name
from psyrun.submitted import Queue, ends_of, is_open
from psyrun.workdir import Workdir


class Told(Scheduler):
    """Tells what the test says, and counts how often it was asked."""

    jobs: ClassVar[list[JobInfo]] = []
    names: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[set[str]]] = []
    silent: ClassVar[bool] = False

    def submit(self, args, output_filename, name=None, depends_on=None, scheduler_args=None):
        raise NotImplementedError

    def kill(self, jobid):
        raise NotImplementedError

    def get_status(self, jobid):
        return None

    def get_jobs(self):
        return []

    def query(self, ids: Collection[str]) -> list[JobInfo]:
        type(self).asked.append(set(ids))
        if self.silent:
            raise SchedulerError("no answer")
        return [job for job in self.jobs if job.id in ids]

    def find(self, names: Collection[str]) -> dict[str, str]:
        return {name: jobid for name, jobid in self.names.items() if name in names}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    for name, value in {"jobs": [], "names": {}, "asked": [], "silent": False}.items():
        monkeypatch.setattr(Told, name, value)


def run_of(jobs, **others):
    fields = {"token": "abc", "merge_job": "9", "scheduler": qualified_name(Told())} | others
    return Run(1, "space", "code", 10, jobs=jobs, **fields)


HERE = Workdir(Path("work"))
ARRAY = {"1-0": "7", "1-1": "7", "1-2": "8", "1-3": "8"}


def info(jobid, state="RUNNING", indices=None):
    return JobInfo(jobid, JobState(state), indices=indices)


def test_an_array_is_told_by_its_jobs():
    told = [info("7", "RUNNING", ((1, 2),)), info("8", "PENDING", ((0, 2),)), info("5")]
    states = {job: found.state for job, found in by_job(run_of(ARRAY), told).items()}
    assert states == {"1-1": "RUNNING", "1-2": "PENDING", "1-3": "PENDING"}


def test_what_is_told_of_an_array_as_a_whole_holds_for_each_of_its_jobs():
    assert set(by_job(run_of(ARRAY), [info("8"), info("9")])) == {"1-2", "1-3", "merge"}


def test_indices_beyond_the_array_are_passed_over():
    assert set(by_job(run_of(ARRAY), [info("8", "RUNNING", ((1, 7),))])) == {"1-3"}


def test_a_job_that_is_told_twice_is_live_if_one_says_so():
    told = [info("7", "NODE_FAIL", ((0, 1),)), info("7", "PENDING", ((0, 1),))]
    run = run_of(ARRAY)
    assert by_job(run, told)["1-0"].state == by_job(run, told[::-1])["1-0"].state == "PENDING"


@pytest.mark.parametrize(
    ("name", "known"), [("far-1.abc", True), ("", True), ("far-1.xyz", False), ("other", False)]
)
def test_an_id_that_was_given_again_is_not_believed(name, known):
    told = [JobInfo("9", JobState.RUNNING, name=name)]
    assert ("merge" in by_job(run_of(ARRAY), told)) == known


def test_a_scheduler_is_asked_once_about_all_runs():
    queue = Queue(Path(), Told())
    other = run_of({"1-0": "20"}, merge_job="21")
    Told.jobs = [info("7", "RUNNING", ((0, 2),)), info("20")]
    queue.ask([run_of(ARRAY), None, other])
    assert set(queue.look("one", run_of(ARRAY), HERE).live) == {"1-0", "1-1"}
    assert queue.look("other", other, HERE).live_ids == ["20"]
    assert Told.asked == [{"7", "8", "9", "20", "21"}]


@pytest.mark.parametrize(
    "run",
    [
        run_of(ARRAY, ends={"1-0": "COMPLETED", "merge": "COMPLETED"}),
        run_of({"1-0": None}, token="", merge_job=None),
        run_of({}, token="", merge_job=None),
    ],
)
def test_nobody_is_asked_about_a_run_that_is_over_or_was_here(run):
    assert not is_open(run)
    assert not Queue(Path(), Told()).look("one", run, HERE).live
    assert Told.asked == []


def test_what_was_noted_is_told_where_the_scheduler_has_forgotten():
    run = run_of(ARRAY, ends={"1-0": "TIMEOUT", "1-1": "no such state"})
    seen = Queue(Path(), Told()).look("one", run, HERE)
    assert {job: found.state for job, found in seen.jobs.items()} == {"1-0": "TIMEOUT"}
    assert ends_of(seen) == {"1-0": "TIMEOUT"}


def test_silence_is_told():
    Told.silent = True
    with pytest.raises(SchedulerError, match="no answer"):
        Queue(Path(), Told()).look("one", run_of(ARRAY), HERE)


def test_jobs_without_an_id_are_found_by_name():
    Told.names = {"one-1.abc": "30", "one-1-2.abc": "31", "one-1-merge-4.abc": "32"}
    run = run_of(dict.fromkeys(ARRAY), merge_job=None, array_size=2)
    seen = Queue(Path(), Told()).look("one", run, HERE)
    assert seen.run is not None
    assert seen.run.jobs == {"1-0": "30", "1-1": "30", "1-2": "31", "1-3": "31"}
    assert seen.run.merge_job == "32"


def test_jobs_submitted_one_by_one_are_found_by_name():
    Told.names = {"one-1-2.abc": "31"}
    run = run_of({"1-0": "30", "1-1": None, "1-2": None}, merge_job=None)
    seen = Queue(Path(), Told()).look("one", run, HERE)
    assert seen.run is not None
    assert seen.run.jobs == {"1-0": "30", "1-1": None, "1-2": "31"}
