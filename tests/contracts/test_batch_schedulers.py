"""The schedulers with commands keep the contract, on fake systems."""

from collections.abc import Iterator
from typing import ClassVar

import pytest

from psyrun.scheduler import BatchScheduler, Slurm
from tests.contracts.batchcontract import ArrayContract, BatchContract
from tests.contracts.faultcontract import FaultContract, GarbageContract
from tests.fakescheduler.system import FakeSystem


class OnFakes(FaultContract, BatchContract):
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


class TestSlurm(OnFakes, GarbageContract, ArrayContract):
    KIND, SCHEDULER = "slurm", Slurm
    SUBMIT, STATUS, KILL = "sbatch", "squeue", "scancel"
