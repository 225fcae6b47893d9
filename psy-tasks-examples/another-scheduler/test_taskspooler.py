"""Tests of the scheduler: what it writes and reads, then whole tasks, on a queue of its own."""

import os
import pickle
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from taskspooler import TaskSpooler

from psyrun.exceptions import SchedulerError
from psyrun.main import psy_main
from psyrun.scheduler import JobInfo, JobState

HERE = Path(__file__).parent
LISTING = """\
ID   State      Output               E-Level  Times(r/u/s)   Command [run=2/2]
6    running    /tmp/ts-out.Q6KBvf                           [waves-1-1.ab12]bash 1-1.sh
8    queued     (file)                                       [5]&& [waves-1-2.ab12]bash 1-2.sh
9    queued     (file)                                       sleep 60
10   paused     (file)                                       [new]sleep 60
5    finished   /tmp/ts-out.CEJVEe   0        2.01/0.00/0.00 [waves-1-0.ab12]bash 1-0.sh
4    finished   /tmp/ts-out.dXjT0Q   -1       0.01/0.00/0.00 [old]sleep 60
3    skipped    (no output)                                  [after]sleep 60
"""


def test_the_list_of_jobs_is_read():
    assert list(TaskSpooler().parse_status(LISTING)) == [
        JobInfo("6", JobState.RUNNING, name="waves-1-1.ab12"),
        JobInfo("8", JobState.PENDING, name="5"),
        JobInfo("10", JobState.RUNNING, "paused", "new"),
        JobInfo("5", JobState.COMPLETED, name="waves-1-0.ab12"),
        JobInfo("4", JobState.FAILED, name="old"),
        JobInfo("3", JobState.CANCELLED, name="after"),
    ]


def test_the_id_is_read():
    assert TaskSpooler().parse_id("12\n") == "12"
    assert TaskSpooler().parse_id("cannot connect\n") == ""


def test_a_submission_asks_for_slots_and_has_a_name():
    request = TaskSpooler().request(["true"], "/log/1-0.log", "a", asked={"n_cpus": 2})
    command = ["tsp", "-B", "-L", "a", "-N", "2", "bash", "/log/1-0.sh"]
    assert TaskSpooler().submit_command(request) == command


def test_what_there_is_not_is_refused():
    with pytest.raises(SchedulerError, match="task-spooler has no 'memory'"):
        TaskSpooler().check({"memory": "2G"})
    with pytest.raises(SchedulerError, match="n_cpus"):
        TaskSpooler().check({"n_cpus": 0})


@pytest.fixture(params=["stand-in", "real"])
def scheduler(request, monkeypatch):
    """A queue of two slots that is empty, in a folder of its own."""
    if request.param == "real" and not shutil.which("tsp"):
        pytest.skip("task-spooler is not installed")
    if request.param == "stand-in":
        paths = [str(HERE / "stand-in"), str(Path(sys.executable).parent), os.environ["PATH"]]
        monkeypatch.setenv("PATH", ":".join(paths))
    with tempfile.TemporaryDirectory() as folder:  # a path that is short enough for a socket
        for name, value in {
            "TS_SOCKET": f"{folder}/s",
            "TMPDIR": folder,
            "TS_SLOTS": "2",
        }.items():
            monkeypatch.setenv(name, value)
        scheduler = TaskSpooler()
        yield scheduler
        for jobid in reversed(scheduler.get_jobs()):
            scheduler.kill(jobid)
        until(lambda: not scheduler.get_jobs())
        if request.param == "real":
            subprocess.run([shutil.which("tsp"), "-K"], check=True)


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state(scheduler, jobid):
    return [job.state for job in scheduler.query([jobid])]


def test_a_job_runs_where_it_was_submitted_and_its_output_is_appended(scheduler, tmp_path):
    (tmp_path / "log").write_text("before\n")
    code = "import sys; print(sys.argv[1]); sys.exit('end')"
    jobid = scheduler.submit([sys.executable, "-c", code, "a 'b' $c"], tmp_path / "log", "mine")
    until(lambda: state(scheduler, jobid) == [JobState.FAILED])
    assert (tmp_path / "log").read_text() == "before\na 'b' $c\nend\n"
    assert scheduler.find(["mine", "other"]) == {"mine": jobid}


def test_a_job_waits_for_others_also_where_they_fail(scheduler, tmp_path):
    before = ["sh", "-c", f"sleep 0.2; echo one >>{tmp_path}/said; exit 3"]
    one = scheduler.submit(before, tmp_path / "one.log")
    after = ["sh", "-c", f"echo two >>{tmp_path}/said"]
    two = scheduler.submit(after, tmp_path / "two.log", depends_on=[one])
    until(lambda: state(scheduler, two) == [JobState.COMPLETED])
    assert (tmp_path / "said").read_text() == "one\ntwo\n"


def test_jobs_that_run_and_jobs_that_wait_are_ended_and_no_others(scheduler, tmp_path):
    jobs = [scheduler.submit(["sleep", "60"], tmp_path / f"{i}.log") for i in range(4)]
    until(lambda: state(scheduler, jobs[1]) == [JobState.RUNNING])
    scheduler.kill(jobs[3])
    scheduler.kill(jobs[0])
    until(lambda: set(scheduler.get_jobs()) == {jobs[1], jobs[2]})
    until(lambda: state(scheduler, jobs[2]) == [JobState.RUNNING])


def test_an_unknown_job_has_no_status_and_no_end(scheduler):
    assert scheduler.get_status("99") is None
    assert scheduler.query(["99"]) == []
    scheduler.kill("99")


@pytest.mark.usefixtures("scheduler")
def test_a_whole_task_gives_what_a_plain_loop_gives(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert psy_main(["--taskdir", str(HERE), "run", "--wait", "ising"]) == 0
    result = pickle.loads(Path("psy-work/ising/result.pkl").read_bytes())
    task = runpy.run_path(str(HERE / "task_ising.py"))
    assert [
        dict(zip(result, row, strict=True)) for row in zip(*result.values(), strict=True)
    ] == [row | task["execute"](**row) for row in task["pspace"]]
    capfd.readouterr()
    assert psy_main(["--taskdir", str(HERE), "status"]) == 0
    assert capfd.readouterr().out.startswith("ising: up to date, 8 rows")
