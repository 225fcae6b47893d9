"""Whatever process dies, and however: finished rows stay, and the next run completes them."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.e2e.processes import children_of, gone
from tests.waiting import WAIT_SECONDS, until

SLOW = """
import time
pspace = Param(a=range(30))
pool_size = 2

def execute(a):
    time.sleep(0.02)
    counted(a)
    while a >= 10 and not os.path.exists('go'):  # for who interrupts it, however late
        time.sleep(0.005)
    return {'y': a * a}
"""


@pytest.fixture
def under_way(project):
    """A run of which some rows are done, with its processes: command, supervisor, rows'."""
    project.task("slow", SLOW)
    command = project.start("run", "slow")
    counted = project.root / "counted"
    until(lambda: counted.exists() and counted.read_text().count("\n") >= 5, "rows")
    (supervisor,) = children_of(command.pid)
    victims = {
        "command": [command.pid],
        "supervisor": [supervisor],
    }
    victims["all"] = [*victims["command"], *victims["supervisor"], *children_of(supervisor)]
    yield command, victims
    (project.tasks / "go").touch()
    command.communicate(timeout=WAIT_SECONDS)


def completes(project, before):
    """Run again; check the result, and how often rows were evaluated in both runs."""
    (project.tasks / "go").touch()
    ran = project.psy("run", "slow")
    assert ran.code == 0, ran.err
    assert project.result("slow") == {"a": [*range(30)], "y": [a * a for a in range(30)]}
    rows = [*before, *project.evaluated()]
    assert set(rows) == set(map(str, range(30)))
    assert len(rows) - 30 <= 2, "more than the rows under way were evaluated twice"


@pytest.mark.parametrize("victim", ["command", "supervisor", "all"])
def test_killed_processes_lose_no_row(project, under_way, victim):
    command, victims = under_way
    for pid in victims[victim]:
        with contextlib.suppress(ProcessLookupError):  # row processes end with the supervisor
            os.kill(pid, signal.SIGKILL)
    command.wait(WAIT_SECONDS)
    until(lambda: gone(victims["all"]), "the processes to end")
    completes(project, project.evaluated())


def test_a_killed_row_process_is_replaced_and_its_row_tried_again(project):
    project.task(
        "slow",
        """
        import time
        pspace = Param(a=range(30))
        pool_size = 2

        def execute(a):
            counted(a)
            if a == 3 and not os.path.exists('go'):
                with open('victim.tmp', 'w') as file:
                    file.write(str(os.getpid()))
                os.rename('victim.tmp', 'victim')
                time.sleep(60)
            return {'y': a * a}
        """,
    )
    command = project.start("run", "slow")
    victim = project.tasks / "victim"
    until(victim.exists, "row 3")
    (project.tasks / "go").touch()
    os.kill(int(victim.read_text()), signal.SIGKILL)
    _, err = command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 0, err
    completes(project, project.evaluated())


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_interrupting_the_command_ends_it_in_order(project, under_way, number, code):
    command, victims = under_way
    os.kill(command.pid, number)
    _, err = command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == code
    assert "go on with the same command" in err
    assert gone(victims["all"])
    completes(project, project.evaluated())


def test_psy_kill_ends_this_task_only(project, under_way):
    command, _ = under_way
    project.task("other", SLOW)
    other = project.start("run", "other")
    until(lambda: (project.workdir("other") / "lock.json").exists(), "the other task")
    ran = project.psy("kill", "slow")
    assert "slow: ended process" in ran.out
    command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 143
    (project.tasks / "go").touch()
    other.communicate(timeout=WAIT_SECONDS)
    assert other.returncode == 0


def test_jobs_run_what_was_submitted(project):
    path = project.task(
        "edit",
        """
        import os, time
        pspace = Param(a=range(4))
        pool_size = 1

        def execute(a):
            counted(a)
            while not os.path.exists('go'):
                time.sleep(0.005)
            return {'y': 'as submitted'}
        """,
    )
    command = project.start("run", "edit")
    until(lambda: (project.root / "counted").exists(), "the first row")
    path.write_text(path.read_text().replace("as submitted", "edited"))
    (path.parent / "go").touch()
    command.communicate(timeout=WAIT_SECONDS)
    assert project.result("edit")["y"] == ["as submitted"] * 4
    assert "stale" in project.psy("status").out


def test_a_full_disk_is_said_and_rows_stay(project):
    project.task(
        "big",
        """
        pspace = Param(a=range(40))
        pool_size = 1
        max_jobs = 1

        def execute(a):
            counted(a)
            return {'y': 'x' * 20_000}
        """,
    )
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -f 400; exec "$0" -m psyrun run big', sys.executable],
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert limited.returncode == 1
    assert "cannot write" in limited.stderr
    assert "Traceback" not in limited.stderr
    before = project.evaluated()
    assert 10 < len(before) < 40
    assert project.psy("run", "big").code == 0
    assert len(before) + len(project.evaluated()) <= 41
    assert len(project.result("big")["y"]) == 40


def test_ctrl_c_never_reaches_rows_that_catch_it(project):
    project.task(
        "patient",
        """
        import time
        pspace = Param(a=range(2))
        pool_size = 2

        def execute(a):
            steps = 0
            try:
                counted(a)
                for steps in range(1, 61):
                    time.sleep(0.02)
            except KeyboardInterrupt:
                pass
            return {'steps': steps}
        """,
    )
    command = project.start("run")
    until(lambda: (project.root / "counted").exists(), "the first row")
    os.killpg(command.pid, signal.SIGINT)
    command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 130
    assert "failed" not in project.psy("status").out
    assert project.psy("run").code == 0
    assert project.result("patient")["steps"] == [60, 60]


@pytest.mark.parametrize("way", ["os._exit(0)", "os.fork() or os._exit(0)", "os.fork()"])
def test_rows_that_end_or_double_their_process_do_no_harm(project, way):
    project.task(
        "strange",
        f"""
        pspace = Param(a=range(12))
        pool_size = 1
        max_jobs = 2

        def execute(a):
            if a == 2:
                {way}
            return {{'y': a}}
        """,
    )
    command = project.start("run")
    _, err = command.communicate(timeout=WAIT_SECONDS)
    if way == "os._exit(0)":
        assert "of 12 rows 1 failed" in err
        assert "the process died: exit code 0" in err
    else:
        assert command.returncode == 0, err
        assert project.result("strange")["y"] == [*range(12)]


def test_a_death_is_seen_though_a_child_of_the_dead_lives_on(project):
    project.task(
        "orphan",
        """
        import time
        pspace = Param(a=range(4))
        pool_size = 1

        def execute(a):
            if a == 1:
                if os.fork() == 0:
                    time.sleep(25)
                    os._exit(0)
                os.kill(os.getpid(), 9)
            return {'y': a}
        """,
    )
    began = time.monotonic()
    command = project.start("run")
    out, err = command.communicate(timeout=WAIT_SECONDS)
    assert time.monotonic() - began < 20, out + err
    assert "of 4 rows 1 failed" in err


INTERRUPTED_WHILE_LOADING = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == 'click':
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from psyrun.__main__ import start
start()
"""


def test_ctrl_c_while_the_command_loads_shows_no_traceback(project):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_LOADING],
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")
