"""The schedulers with commands keep the contract, on fake systems."""

from collections.abc import Iterator
from typing import ClassVar

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import LSF, PBS, SGE, BatchScheduler, JobState, Slurm, Sqsub
from tests.contracts.batchcontract import PYTHON, WAITS_LONG
from tests.contracts.faultcontract import FaultContract, GarbageContract, LimitContract
from tests.contracts.schedulercontract import WithoutArrays
from tests.fakescheduler.system import FakeSystem
from tests.waiting import until


class OnFakes(FaultContract):
    """Inherit, and name the system and its scheduler."""

    KIND: ClassVar[str]
    SCHEDULER: ClassVar[type[BatchScheduler]]

    @pytest.fixture
    def system(self, tmp_path_factory, monkeypatch) -> Iterator[FakeSystem]:
        folder = tmp_path_factory.mktemp("system")
        with FakeSystem(folder, self.KIND).running() as system:
            monkeypatch.setenv("PATH", system.path)
            yield system

    @pytest.fixture
    def scheduler(self, system) -> BatchScheduler:
        return self.SCHEDULER()


class TestSlurm(OnFakes, GarbageContract, LimitContract):
    KIND, SCHEDULER = "slurm", Slurm
    SUBMIT, STATUS, KILL = "sbatch", "squeue", "scancel"


class TestGridEngine(OnFakes, LimitContract):
    KIND, SCHEDULER = "gridengine", SGE
    SUBMIT, STATUS, KILL = "qsub", "qstat", "qdel"

    def test_what_is_no_xml_is_told(self, scheduler, system):
        for said in ("", "garbage", "<?xml version='1.0'?><job_info>"):
            system.fault("qstat", prints=said)
            with pytest.raises(SchedulerError, match="qstat printed no XML"):
                scheduler.get_jobs()


class TestOpenPBS(OnFakes, GarbageContract, LimitContract):
    KIND, SCHEDULER = "pbs", PBS
    SUBMIT, STATUS, KILL = "qsub", "qstat", "qdel"

    def test_without_a_history_jobs_that_have_ended_are_gone(self, scheduler, system, tmp_path):
        system.set(history=False)
        jobid = scheduler.submit([*PYTHON, ""], tmp_path / "log", name="mine")
        until(lambda: self.ended(scheduler, jobid))
        waits = scheduler.submit(WAITS_LONG, tmp_path / "log", name="waits")
        assert scheduler.find(["waits"]) == {"waits": waits}


class TestTorque(TestOpenPBS):
    @pytest.fixture(autouse=True)
    def _torque(self, system):
        system.set(torque=True)


class TestLSF(OnFakes, GarbageContract, LimitContract):
    KIND, SCHEDULER = "lsf", LSF
    SUBMIT, STATUS, KILL = "bsub", "bjobs", "bkill"


class TestSqsub(OnFakes, GarbageContract, WithoutArrays):
    KIND, SCHEDULER = "sharcnet", Sqsub
    SUBMIT, STATUS, KILL = "sqsub", "sqjobs", "sqkill"
    told_after_failure: ClassVar[set[JobState]] = {JobState.COMPLETED}
    told_after_kill: ClassVar[set[JobState]] = {JobState.COMPLETED}
