"""Grid Engine keeps the contract of schedulers, on the real system."""

import pytest

from psyrun.scheduler import SGE
from tests.contracts.batchcontract import ArrayContract, BatchContract

pytestmark = [pytest.mark.gridengine, pytest.mark.slow]


class TestGridEngine(BatchContract, ArrayContract):
    @pytest.fixture
    def scheduler(self, gridengine) -> SGE:
        return SGE()
