"""The private Slurm that other tests use does what it says."""

import signal
from pathlib import Path

import pytest

from tests.e2e.slurm_cluster import SlurmCluster
from tests.waiting import until

pytestmark = pytest.mark.slurm


def submitted(
    cluster: SlurmCluster, folder: Path, *options: str, code: str = "sleep 100"
) -> str:
    job = folder / "job.sh"
    job.write_text(f"#!/bin/sh\n{code}\n")
    done = cluster.run("sbatch", "--parsable", "-o", f"{folder}/log", *options, str(job))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_jobs_run(slurm, tmp_path):
    jobid = submitted(slurm, tmp_path, code="echo hello")
    until(lambda: slurm.shown(jobid)["JobState"] == "COMPLETED")
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_controller_that_was_ended_comes_back_with_its_jobs(slurm, tmp_path):
    jobid = submitted(slurm, tmp_path)
    until(lambda: slurm.shown(jobid)["JobState"] == "RUNNING")
    slurm.send("slurmctld", signal.SIGTERM)
    slurm.start()
    assert slurm.live() == [jobid]


def test_accounting_knows_of_jobs(slurm_with_accounting, tmp_path):
    cluster = slurm_with_accounting
    jobid = submitted(cluster, tmp_path, code="true")
    asked = ("sacct", "-n", "-X", "-P", "-o", "state", "-j", jobid)
    until(lambda: cluster.run(*asked).stdout == "COMPLETED\n")


@pytest.mark.parametrize("auth", ["munge", "none"])
def test_it_ends_what_it_started(auth, tmp_path):
    with SlurmCluster(nodes=1, auth=auth, settings={"MaxArraySize": "5"}) as cluster:
        root = cluster.root
        assert "MaxArraySize            = 5" in cluster.scontrol("show", "config")
        jobid = submitted(cluster, tmp_path, code="exec sleep 100")
        until(lambda: cluster.shown(jobid)["JobState"] == "RUNNING")
        cluster.send("slurmctld", signal.SIGSTOP)
        pids = [process.pid for process in cluster._daemons.running.values()]
    assert not root.exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
