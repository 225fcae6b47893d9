"""The private Grid Engine that other tests use does what it says."""

from pathlib import Path

import pytest

from tests.e2e.gridengine_cluster import GridEngineCluster
from tests.waiting import until

pytestmark = pytest.mark.gridengine


def test_jobs_run(gridengine, tmp_path):
    job = tmp_path / "job.sh"
    job.write_text("#!/bin/sh\necho hello\n")
    done = gridengine.run("qsub", "-terse", "-j", "y", "-o", f"{tmp_path}/log", str(job))
    assert done.stdout.strip().isdecimal()
    until(lambda: not gridengine.live())
    assert (tmp_path / "log").read_text() == "hello\n"


def test_it_ends_what_it_started():
    with GridEngineCluster(slots=1) as cluster:
        root = cluster.root
        cluster.run("qsub", "-b", "y", "-o", "/dev/null", "-j", "y", "sleep", "100")
        until(lambda: " r " in cluster._qstat())
        pids = [process.pid for process in cluster._daemons.running.values()]
    assert len(pids) == 2
    assert not root.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
