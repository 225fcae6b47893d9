"""Jobs whose time runs out: an orderly end loses no row, and evaluates none twice."""

import os
import signal
import time

import pytest

from tests.e2e.nobody import job_errors, journaled, submit, worker
from tests.waiting import WAIT_SECONDS, until

TASK = """
pspace = Param(a=range(40))
max_jobs = 1

def execute(a):
    counted(a)
    time.sleep(0.1)
    return {'y': a}
"""
GRID_ENGINE = {"JOB_ID": "7", "SGE_TASK_ID": "undefined"}


def ended(process):
    _, err = process.communicate(timeout=WAIT_SECONDS)
    assert "Traceback" not in err, err
    return process.returncode, err


@pytest.mark.parametrize("pool", [1, 3])
def test_rows_that_would_not_fit_are_not_started(project, pool):
    workdir = submit(project, "slow", TASK, time_limit=1.2)
    began = time.monotonic()
    code, err = ended(worker(workdir, "1-0", pool=pool))
    assert time.monotonic() - began < 1.5
    assert code == 1
    done = journaled(workdir)
    assert project.evaluated() == sorted(map(str, done)), "what began is done, and once"
    assert 0 < len(done) < 40
    left = 40 - len(done)
    assert f"the job's time (1.2 s) ran out with {left} rows left; raise timelimit" in err
    assert job_errors(workdir) == ["TimeLimit"]


@pytest.mark.parametrize("pool", [1, 2])
def test_a_job_comes_back_until_all_is_done_and_no_row_twice(project, pool):
    workdir = submit(project, "slow", TASK, time_limit=1.5, requeue=9)
    codes: list[int] = []
    while not codes or codes[-1] == 99:
        code, err = ended(worker(workdir, "1-0", pool=pool, environment=GRID_ENGINE))
        codes.append(code)
        assert "ended: " in err
    assert codes[-1] == 0
    assert codes[0] == 99
    assert len(codes) > 2 / pool
    assert len(project.evaluated()) == 40
    assert job_errors(workdir) == []
    assert workdir.partial_info("1-0").exists()


def test_a_job_comes_back_no_more_often_than_it_may(project):
    workdir = submit(project, "slow", TASK, time_limit=0.8, requeue=1)
    codes, said = zip(
        *[ended(worker(workdir, "1-0", environment=GRID_ENGINE)) for _ in range(3)], strict=True
    )
    assert codes == (99, 1, 1)
    assert "or requeue; it came back once" in said[1]
    assert "the job was started again 2 times, and requeue is 1" in said[2]
    assert job_errors(workdir) == ["TimeLimit", "TooManyRestarts"]


def test_a_job_whose_scheduler_cannot_bring_it_back_fails(project):
    workdir = submit(project, "slow", TASK, time_limit=0.8, requeue=1)
    code, err = ended(worker(workdir, "1-0"))
    assert code == 1
    assert "the job cannot come back: this scheduler starts no job again" in err
    assert job_errors(workdir) == ["TimeLimit"]


def test_slurm_is_asked_to_bring_a_job_back(project, tmp_path):
    workdir = submit(project, "slow", TASK, requeue=1)
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\nkill -TERM $PPID\n')
    scontrol.chmod(0o755)
    slurm = {
        "PATH": f"{scontrol.parent}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "12",
        "SLURM_JOB_END_TIME": str(time.time() + 1.5),
    }
    code, err = ended(worker(workdir, "1-0", environment=slurm))
    assert code == 99, err
    assert (tmp_path / "asked").read_text() == "requeue 12\n"


@pytest.fixture
def in_slurm(tmp_path):
    """Make the environment of a job of Slurm, with a fake `scontrol` and `squeue`."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()

    def environment(ends_in, squeue=""):
        fakes = {"scontrol": f'echo "$@" >>{tmp_path}/asked', "squeue": squeue}
        for name, body in fakes.items():
            (bin_folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (bin_folder / name).chmod(0o755)
        return {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "SLURM_JOB_ID": "12",
            "SLURM_JOB_END_TIME": str(time.time() + ends_in),
        }

    return environment


OLD = """
import time
clock_gettime = time.clock_gettime
time.clock_gettime = lambda clock: clock_gettime(clock) + 3600  # as the age is told by it
"""


def test_a_row_given_up_in_a_large_margin_brings_the_job_back(project, in_slurm, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(OLD)
    paths = [str(tmp_path), *os.environ.get("PYTHONPATH", "").split(":")]
    workers = []
    for name in ("alone", "balanced"):
        asked = {"time_limit": 440, "requeue": 2, "balanced": name == "balanced"}
        workdir = submit(project, name, TASK.replace("0.1", "60"), **asked)
        # the last 22 seconds of these 440 are the margin, and the last 11 are for the end
        environment = in_slurm(23.5) | {"PYTHONPATH": ":".join(paths)}
        workers.append((workdir, worker(workdir, "1-0", environment=environment)))
    for workdir, process in workers:
        code, err = ended(process)
        assert (code, "with 40 rows left; it comes back" in err) == (99, True), err
        assert job_errors(workdir) == []


def begun(project):
    until((project.root / "counted").exists, "a row")


@pytest.mark.parametrize("pool", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_an_early_signal_lets_rows_under_way_finish(project, pool, number):
    workdir = submit(project, "slow", TASK.replace("0.1", "0.5"))
    process = worker(workdir, "1-0", pool=pool)
    begun(project)
    process.send_signal(number)
    code, err = ended(process)
    assert code == 1
    assert "the job's time ran out with " in err
    done = journaled(workdir)
    assert 0 < len(done) <= pool + 1
    assert project.evaluated() == sorted(map(str, done))


def test_an_early_signal_reaches_a_worker_that_is_not_ready(project):
    workdir = submit(project, "slow", TASK)
    path = workdir.job("1-0")
    whole = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    # as a job's script leaves it, in case the signal comes before the worker is there
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        process = worker(workdir, "1-0")
    finally:
        signal.signal(signal.SIGUSR1, before)
    with path.open("wb") as file:  # by now the worker reads
        process.send_signal(signal.SIGUSR1)
        file.write(whole)
        path.unlink()
        path.write_bytes(whole)
    code, err = ended(process)
    assert (code, "the job's time ran out with 40 rows left" in err) == (1, True), err
    assert project.evaluated() == []


def test_an_early_signal_means_nothing_to_the_merge_job(project):
    source = TASK.replace("range(40)", "range(2)") + (
        "import signal, sys\n"
        "if '--merge' in sys.argv:\n"
        "    os.kill(os.getpid(), signal.SIGUSR1)\n"
    )
    workdir = submit(project, "merged", source)
    assert ended(worker(workdir, "1-0"))[0] == 0
    merge = worker(workdir, "--merge", "1", "--folder", str(project.root))
    assert ended(merge) == (0, "")
    assert project.result("merged")["y"] == [0, 1]


def test_an_early_signal_after_the_last_row_harms_nothing(project):
    workdir = submit(project, "slow", TASK.replace("range(40)", "range(1)"))
    process = worker(workdir, "1-0")
    begun(project)
    process.send_signal(signal.SIGUSR1)
    code, err = ended(process)
    assert (code, "ended: all rows had their turn" in err) == (0, True)


def test_a_signal_to_end_long_before_the_end_asks_for_nothing(project):
    workdir = submit(project, "slow", TASK, time_limit=3600, requeue=5)
    process = worker(workdir, "1-0", environment=GRID_ENGINE)
    begun(project)
    process.terminate()
    code, err = ended(process)
    assert (code, "ended: a signal asked for it" in err) == (143, True)
    assert job_errors(workdir) == []


def test_a_signal_to_end_near_the_end_tells_of_it(project):
    workdir = submit(project, "slow", TASK.replace("0.1", "9"), time_limit=9, requeue=5)
    process = worker(workdir, "1-0", environment=GRID_ENGINE)
    begun(project)
    process.terminate()
    code, err = ended(process)
    assert (code, "with 40 rows left; it comes back" in err) == (99, True)


def test_a_row_longer_than_the_whole_time_does_not_use_up_all_restarts(project):
    workdir = submit(project, "slow", TASK.replace("0.1", "60"), time_limit=4, requeue=9)
    code, err = ended(worker(workdir, "1-0", environment=GRID_ENGINE))
    assert (code, "(4 s) ran out with 40 rows left; a row takes" in err) == (1, True), err
    assert job_errors(workdir) == ["TimeLimit"]


def test_what_rows_took_before_a_restart_is_known_after_it(project, in_slurm, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(OLD)
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    source = TASK.replace("0.1", "2")
    workdir = submit(project, "slow", source, time_limit=3600, requeue=3)
    process = worker(workdir, "1-0")
    until(lambda: journaled(workdir), "a row")
    process.kill()
    process.communicate()
    project.evaluated()
    # the last 30 seconds are the margin, so a row would have to end within two
    environment = in_slurm(32) | {"PYTHONPATH": path}
    code, err = ended(worker(workdir, "1-0", environment=environment))
    assert (code, "it comes back" in err) == (99, True), err
    assert project.evaluated() == []


KILLED = "echo 'COMPLETING|None'"
OVER = "echo 'COMPLETING|TimeLimit'"


@pytest.mark.parametrize(
    ("ends_in", "says", "comes_back"),
    [
        (9, KILLED, False),
        (9, OVER, True),
        (9, "exit 1", True),
        (9, "echo 'RUNNING|None'", True),
        (600, KILLED, False),
        (600, OVER, True),  # it was shortened meanwhile
        (600, "exit 1", False),
    ],
)
def test_a_signal_to_end_is_what_slurm_says_it_is(
    project, in_slurm, tmp_path, ends_in, says, comes_back
):
    workdir = submit(project, "slow", TASK.replace("0.1", "60"), requeue=5)
    process = worker(workdir, "1-0", environment=in_slurm(ends_in, says))
    begun(project)
    process.terminate()
    code, err = ended(process)
    assert code == (99 if comes_back else 143), err
    assert (tmp_path / "asked").exists() is comes_back


def test_a_row_under_way_is_given_up_before_the_end(project):
    workdir = submit(project, "slow", TASK.replace("0.1", "60"), time_limit=1)
    began = time.monotonic()
    code, err = ended(worker(workdir, "1-0"))
    assert time.monotonic() - began < 3
    assert (code, "ran out with 40 rows left" in err) == (1, True)


def test_a_stretch_of_slow_rows_is_shared_by_all_processes(project):
    source = """
pspace = Param(a=range(200))
max_jobs = 1

def execute(a):
    time.sleep(0.1 if a < 24 else 0)
    return {'y': os.getpid(), 't': time.monotonic()}
"""
    project.task("front", "import time\npool_size = 2\n" + source)
    assert project.psy("run", "front").code == 0
    result = project.result("front")
    slow = [result["y"][a] for a in range(24)]
    assert 9 <= slow.count(slow[0]) <= 15
