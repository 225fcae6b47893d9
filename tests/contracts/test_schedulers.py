"""What every scheduler has to do; a scheduler's class inherits the contract."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import ImmediateRun, Scheduler
from psyrun.scheduler.base import JobStatus
from tests.waiting import until

WAITS = [sys.executable, "-c", "import sys; print('begun', flush=True); sys.stdin.read()"]


class SchedulerContract:
    """Inherit, and make the scheduler in `scheduler`; end its jobs afterwards."""

    def ended(self, scheduler: Scheduler, jobid: str) -> bool:
        status = scheduler.get_status(jobid)
        return status is None or status.status == "D"

    def test_a_job_runs_and_its_output_is_kept(self, scheduler, tmp_path):
        code = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
        jobid = scheduler.submit([sys.executable, "-c", code], str(tmp_path / "log"), name="n")
        assert type(jobid) is str
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == "out\nerr\n"

    def test_a_job_that_runs_is_listed_with_its_name(self, scheduler, tmp_path):
        jobid = scheduler.submit(WAITS, str(tmp_path / "log"), name="mine")
        status = scheduler.get_status(jobid)
        assert (status.id, status.name) == (jobid, "mine")
        assert status.status in {"R", "Q"}
        assert jobid in list(scheduler.get_jobs())

    def test_a_job_can_be_killed(self, scheduler, tmp_path):
        jobid = scheduler.submit(WAITS, str(tmp_path / "log"))
        scheduler.kill(jobid)
        until(lambda: self.ended(scheduler, jobid))
        assert jobid not in list(scheduler.get_jobs())

    def test_killing_what_has_ended_is_no_error(self, scheduler, tmp_path):
        jobid = scheduler.submit([sys.executable, "-c", ""], str(tmp_path / "log"))
        until(lambda: self.ended(scheduler, jobid))
        scheduler.kill(jobid)

    def test_killing_one_leaves_the_others(self, scheduler, tmp_path):
        one, other = (scheduler.submit(WAITS, str(tmp_path / name)) for name in "ab")
        scheduler.kill(one)
        until(lambda: self.ended(scheduler, one))
        assert other in list(scheduler.get_jobs())

    def test_an_unknown_job_has_no_status_and_can_be_killed(self, scheduler):
        assert scheduler.get_status("0") is None
        scheduler.kill("0")

    def test_a_job_waits_for_those_it_depends_on(self, scheduler, tmp_path):
        log = tmp_path / "log"
        first = [sys.executable, "-c", "sum(range(5 * 10**6)); print('one')"]
        before = scheduler.submit(first, str(log))
        after = scheduler.submit(
            [sys.executable, "-c", "print('two')"], str(log), depends_on=[before]
        )
        until(lambda: self.ended(scheduler, after))
        assert log.read_text() == "one\ntwo\n"

    def test_arguments_reach_the_job_as_they_are(self, scheduler, tmp_path):
        arguments = ["a b", "$HOME", "'", "*", ""]
        code = "import sys; print(sys.argv[1:])"
        jobid = scheduler.submit(
            [sys.executable, "-c", code, *arguments], str(tmp_path / "log")
        )
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == f"{arguments}\n"

    def test_without_arrays_it_says_so(self, scheduler, tmp_path):
        with pytest.raises(NotImplementedError):
            scheduler.submit_array(2, ["true"], str(tmp_path / "log-%a"))


class TestImmediateRun(SchedulerContract):
    @pytest.fixture
    def scheduler(self) -> Iterator[ImmediateRun]:
        scheduler = ImmediateRun()
        yield scheduler
        for jobid in list(scheduler._processes):
            scheduler.kill(jobid)
            scheduler.wait(jobid)

    def test_what_cannot_be_started_is_told(self, scheduler, tmp_path):
        with pytest.raises(SchedulerError, match=r"cannot start /not/there: No such file"):
            scheduler.submit(["/not/there"], str(tmp_path / "log"))


class Shell(Scheduler):
    """A user's own scheduler: processes of this machine, no job arrays."""

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[subprocess.Popen[bytes], str]] = {}

    def submit(self, args, output_filename, name=None, depends_on=None, scheduler_args=None):
        for other in depends_on or ():
            self.jobs[other][0].wait()
        with Path(output_filename).open("ab") as log:
            process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=log, stderr=log)
        self.jobs[str(process.pid)] = process, name or ""
        return str(process.pid)

    def kill(self, jobid):
        if jobid in self.jobs and self.jobs[jobid][0].poll() is None:
            os.kill(int(jobid), signal.SIGTERM)

    def get_status(self, jobid):
        if jobid not in self.jobs:
            return None
        process, name = self.jobs[jobid]
        return JobStatus(jobid, "R" if process.poll() is None else "D", name)

    def get_jobs(self):
        return [jobid for jobid, (process, _) in self.jobs.items() if process.poll() is None]


class TestSchedulerOfAUser(SchedulerContract):
    @pytest.fixture
    def scheduler(self) -> Iterator[Shell]:
        scheduler = Shell()
        yield scheduler
        for process, _ in scheduler.jobs.values():
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
