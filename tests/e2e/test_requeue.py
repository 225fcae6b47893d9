"""A job that starts again while its former self still runs: a requeue, a false node failure."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.waiting import WAIT_SECONDS

TASK = """
import random, time
from psyrun.scheduler import Scheduler

class Nobody(Scheduler):
    '''Takes jobs and starts none: the test does.'''

    def submit(self, args, output_filename, name=None, depends_on=None, scheduler_args=None):
        return name

    def kill(self, jobid):
        pass

    def get_status(self, jobid):
        return None

    def get_jobs(self):
        return []

pspace = Param(a=range(40))
max_jobs = 4
scheduler = Nobody()

def execute(a):
    time.sleep(0.01)
    return {'y': a * a, 'who': os.getpid(), 'big': os.urandom(50_000)}
"""


def workers(project, count):
    command = [sys.executable, "-P", "-m", "psyrun.worker", "--pool-size", "2", "--run", "1"]
    for _ in range(count):
        yield subprocess.Popen(
            [*command, str(project.workdir("twice"))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


@pytest.mark.parametrize("seed", range(4))
def test_selves_of_a_job_at_once_harm_nothing(project, seed):
    draw = random.Random(seed)
    path = project.task("twice", TASK)
    assert project.psy("run").code == 0
    started = list(workers(project, 3))
    victims = started[: draw.randint(1, 3)]
    for victim in victims:
        time.sleep(draw.uniform(0.1, 0.5))
        os.killpg(victim.pid, signal.SIGKILL)
    for worker in started:
        _, err = worker.communicate(timeout=WAIT_SECONDS)
        assert b"Traceback" not in err, err
    path.write_text(path.read_text().replace("scheduler = Nobody()", "pool_size = 2"))
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert "damaged" not in ran.err
    result = project.result("twice")
    assert result["a"] == [*range(40)]
    assert result["y"] == [a * a for a in range(40)]
    out = project.workdir("twice") / "out"
    named = {*out.glob("*.json"), *out.glob("*.part")}
    assert len([p for p in out.iterdir() if p not in named]) == len([*out.glob("*.json")])
