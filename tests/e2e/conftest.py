"""What tests on real batch systems share: private ones, started once for all tests."""

from collections.abc import Iterator

import pytest

from tests.e2e.gridengine_cluster import GridEngineCluster
from tests.e2e.slurm_cluster import SlurmCluster


@pytest.fixture(scope="session")
def _slurm() -> Iterator[SlurmCluster]:
    with SlurmCluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def _slurm_with_accounting() -> Iterator[SlurmCluster]:
    with SlurmCluster(accounting=True, settings={"MinJobAge": "2"}) as cluster:
        yield cluster


@pytest.fixture
def slurm(_slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCluster]:
    """A private Slurm without accounting, on which no job runs; commands ask this one."""
    yield from _in_use(_slurm, monkeypatch)


@pytest.fixture
def slurm_with_accounting(
    _slurm_with_accounting: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SlurmCluster]:
    """A private Slurm with sacct and sacctmgr, which itself soon forgets jobs; see `slurm`."""
    yield from _in_use(_slurm_with_accounting, monkeypatch)


def _in_use(cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCluster]:
    monkeypatch.setenv("SLURM_CONF", str(cluster.conf))
    yield cluster
    cluster.reset()


@pytest.fixture(scope="session")
def _gridengine() -> Iterator[GridEngineCluster]:
    with GridEngineCluster() as cluster:
        yield cluster


@pytest.fixture
def gridengine(
    _gridengine: GridEngineCluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GridEngineCluster]:
    """A private Grid Engine on which no job runs; commands ask this one."""
    for name, value in _gridengine.variables.items():
        monkeypatch.setenv(name, value)
    yield _gridengine
    _gridengine.reset()
