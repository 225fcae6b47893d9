"""The schedulers that start processes of this machine keep the contract."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import ImmediateRun, Scheduler
from psyrun.scheduler.base import JobStatus
from tests.contracts.schedulercontract import SchedulerContract, WithoutArrays


class TestImmediateRun(SchedulerContract, WithoutArrays):
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


class TestSchedulerOfAUser(SchedulerContract, WithoutArrays):
    @pytest.fixture
    def scheduler(self) -> Iterator[Shell]:
        scheduler = Shell()
        yield scheduler
        for process, _ in scheduler.jobs.values():
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
