"""Slurm keeps the contract of schedulers, on the real system."""

import pytest

from psyrun.scheduler import Slurm
from tests.contracts.batchcontract import ArrayContract, BatchContract

pytestmark = pytest.mark.slurm


class TestSlurm(BatchContract, ArrayContract):
    @pytest.fixture
    def scheduler(self, slurm) -> Slurm:
        return Slurm()
