"""A job that starts again while its former self still runs: a requeue, a false node failure."""

import os
import random
import signal
import time

import pytest

from tests.e2e.nobody import submit, worker
from tests.waiting import WAIT_SECONDS

TASK = """
pspace = Param(a=range(40))
max_jobs = 4

def execute(a):
    time.sleep(0.01)
    return {'y': a * a, 'who': os.getpid(), 'big': os.urandom(50_000)}
"""


@pytest.mark.parametrize("seed", range(4))
def test_selves_of_a_job_at_once_harm_nothing(project, seed):
    draw = random.Random(seed)
    workdir = submit(project, "twice", TASK)
    path = project.tasks / "task_twice.py"
    started = [worker(workdir, "--run", "1", pool=2) for _ in range(3)]
    victims = started[: draw.randint(1, 3)]
    for victim in victims:
        time.sleep(draw.uniform(0.1, 0.5))
        os.killpg(victim.pid, signal.SIGKILL)
    for process in started:
        _, err = process.communicate(timeout=WAIT_SECONDS)
        assert "Traceback" not in err, err
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
