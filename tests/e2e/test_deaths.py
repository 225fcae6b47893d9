"""Rows that kill, hang or double their process: each is found and named, the rest goes on."""

import json
import os
import signal
import subprocess
import time

import pytest

from psyrun import journal
from tests.e2e.processes import children_of, gone
from tests.waiting import WAIT_SECONDS, until

LIBRARY = "import ctypes\nfrom pathlib import Path\nfrom time import sleep\n"
NEVER_RETURNS = "ctypes.PyDLL(None).sleep(3600)"
"""Compiled code that holds the interpreter's lock for an hour."""


def errors(project, name):
    """Read the errors of failed rows and jobs from the journals, by row."""
    found = {}
    for path in sorted((project.workdir(name) / "out").glob("*.part")):
        for frame in journal.frames(path):
            if frame.kind in (journal.Kind.FAILED, journal.Kind.JOB_FAILED):
                row = frame.row if frame.kind == journal.Kind.FAILED else None
                found[row] = json.loads(frame.payload)
    return found


def deadly(project, way, more="pool_size = 1\nmax_jobs = 2"):
    project.task(
        "deadly",
        LIBRARY
        + more
        + f"""
pspace = Param(a=range(8))

def execute(a):
    counted(a)
    if a == 3:
        die()
    return {{'y': a}}

def die():
    {way}
""",
    )


@pytest.mark.parametrize(
    ("way", "cause"),
    [
        ("ctypes.string_at(0)", "signal 11 (SIGSEGV)"),
        ("os.abort()", "signal 6 (SIGABRT)"),
        ("os._exit(3)", "exit code 3"),
        ("os._exit(0)", "exit code 0"),
    ],
)
@pytest.mark.parametrize("pool", [1, 2])
def test_a_row_that_kills_its_process_is_named_and_the_rest_goes_on(project, way, cause, pool):
    deadly(project, way, f"pool_size = {pool}\nmax_jobs = 2")
    ran = project.psy("run")
    assert ran.code == 1
    assert "of 8 rows 1 failed" in ran.err
    assert f"the process died: {cause}" in ran.err
    error = errors(project, "deadly")[3]
    assert error["type"] == "ProcessDied"
    assert error["assignment"] == {"a": "3"}
    assert error["memory"] > 1 << 20
    assert project.evaluated() == sorted(map(str, range(8)))


def test_a_crash_is_told_with_the_line_that_caused_it(project):
    deadly(project, "ctypes.string_at(0)")
    ran = project.psy("run")
    error = errors(project, "deadly")[3]
    line = project.tasks.joinpath("task_deadly.py").read_text().split("\n")
    number = 1 + line.index("    ctypes.string_at(0)")
    assert error["place"] == f"{project.tasks}/task_deadly.py:{number}"
    assert "in execute" in error["traceback"]
    assert error["traceback"].index("in execute") < error["traceback"].index("in die")
    assert f"(task_deadly.py:{number})" in ran.err


def test_a_process_killed_from_outside_gets_its_row_a_second_try(project):
    deadly(
        project,
        "os.path.exists('once') or (open('once', 'w').close(), os.kill(os.getpid(), 9))",
    )
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert project.result("deadly")["y"] == [*range(8)]
    assert project.evaluated() == sorted([*map(str, range(8)), "3"])


def test_no_row_is_tried_more_than_twice(project):
    deadly(project, "os.kill(os.getpid(), 9)")
    ran = project.psy("run")
    assert ran.code == 1
    assert "the process died: signal 9 (SIGKILL); was there too little memory?" in ran.err
    assert project.evaluated() == sorted([*map(str, range(8)), "3"])


def test_one_process_that_cannot_be_set_up_leaves_the_rows_to_the_others(project):
    project.task(
        "deadly",
        """
        import time
        pspace = Param(a=range(12))
        pool_size = 2

        def setup(proc_id):
            if proc_id == 1:
                os.kill(os.getpid(), 11)

        def execute(a):
            time.sleep(0.02)
            return {'y': a}
        """,
    )
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert project.result("deadly")["y"] == [*range(12)]
    log = (project.workdir("deadly") / "log" / "1-worker.log").read_text()
    assert "died 3 times before it got to a row" in log


def test_a_process_that_dies_between_its_start_and_its_first_row_ends_the_run(project):
    project.task(
        "deadly",
        """
        pspace = Param(a=range(4))
        pool_size = 2

        def setup(proc_id):
            import psyrun.pspace.param as param
            param.Param.columns = lambda self, start, stop: os._exit(7)

        def execute(a):
            return {'y': a}
        """,
    )
    ran = project.psy("run")
    assert ran.code == 1
    assert "the row processes died before they got to a row: exit code 7" in ran.err


@pytest.mark.parametrize("where", ["the task file", "setup"])
def test_all_processes_dying_before_a_row_is_told(project, where):
    in_worker = "'worker' in sys.argv[0] and os.kill(os.getpid(), 11)"
    project.task(
        "deadly",
        f"""
        import sys
        pspace = Param(a=range(12))
        pool_size = 2
        {in_worker if where == "the task file" else ""}

        def setup(proc_id):
            {in_worker}

        def execute(a):
            return {{'y': a}}
        """,
    )
    ran = project.psy("run")
    assert ran.code == 1
    assert "the row processes died before they got to a row: signal 11 (SIGSEGV)" in ran.err


@pytest.mark.parametrize("way", ["sleep(3600)", NEVER_RETURNS, "while_true()"])
def test_a_row_over_its_timeout_fails_with_that_reason(project, way):
    deadly(project, way, "pool_size = 2\nmax_jobs = 2\ntimeout = 0.5")
    path = project.tasks / "task_deadly.py"
    path.write_text(path.read_text() + "\n\ndef while_true():\n    while True:\n        pass\n")
    began = time.monotonic()
    ran = project.psy("run")
    assert time.monotonic() - began < 15
    assert ran.code == 1
    assert "of 8 rows 1 failed" in ran.err
    error = errors(project, "deadly")[3]
    assert error["type"] == "Timeout"
    assert error["message"] == "the row took longer than its timeout of 500 ms"
    assert error["assignment"] == {"a": "3"}
    assert "in die" in error["traceback"]
    assert project.evaluated() == sorted(map(str, range(8)))


def test_a_row_that_takes_no_notice_of_its_end_is_killed(project):
    deadly(
        project,
        "import signal; signal.signal(signal.SIGABRT, signal.SIG_IGN); sleep(3600)",
        "pool_size = 1\nmax_jobs = 1\ntimeout = 0.5",
    )
    ran = project.psy("run")
    assert "of 8 rows 1 failed" in ran.err
    assert "longer than its timeout" in ran.err


def test_a_row_that_closes_what_is_not_its_own_delays_nobody(project):
    deadly(project, "os.closerange(3, 200); sleep(3600)", "pool_size = 2\nmax_jobs = 1")
    ran = project.psy("run")
    assert "of 8 rows 1 failed" in ran.err
    assert project.evaluated() == sorted([*map(str, range(8)), "3"])


def test_rows_within_the_timeout_are_left_alone(project):
    project.task(
        "steady",
        """
        from time import sleep
        pspace = Param(a=range(20))
        pool_size = 2
        timeout = 0.5

        def execute(a):
            sleep(0.1)
            return {'y': a}
        """,
    )
    assert project.psy("run").code == 0


def test_what_a_row_started_ends_with_it(project):
    deadly(
        project,
        "import subprocess; subprocess.run(['sh', '-c', 'echo $$ > child; exec sleep 3600'])",
        "pool_size = 1\nmax_jobs = 2\ntimeout = 0.5",
    )
    assert project.psy("run").code == 1
    child = int((project.tasks / "child").read_text())
    until(lambda: gone([child]), "the row's own child to end")


@pytest.mark.parametrize("way", [NEVER_RETURNS, "sleep(3600)"])
def test_row_processes_never_outlive_their_supervisor(project, way):
    deadly(project, f"open('in', 'w').close(); {way}")
    command = project.start("run")
    until((project.tasks / "in").exists, "row 3")
    (supervisor,) = children_of(command.pid)
    processes = children_of(supervisor)
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: gone(processes), "the row processes and their guard to end")
    command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 1


def test_max_failures_stops_a_run_whose_rows_fail(project):
    project.task(
        "failing",
        """
        pspace = Param(a=range(5000))
        pool_size = 2
        max_jobs = 4
        max_failures = 10

        def execute(a):
            counted(a)
            raise ValueError('no')
        """,
    )
    ran = project.psy("run")
    assert ran.code == 1
    assert 10 <= len(project.evaluated()) <= 12
    assert "rows had no turn: TooManyFailures: 10 rows failed (max_failures = 10)" in ran.err


def test_deaths_count_as_failures_too(project):
    project.task(
        "failing",
        """
        pspace = Param(a=range(100))
        pool_size = 1
        max_failures = 3

        def execute(a):
            counted(a)
            os._exit(1)
        """,
    )
    ran = project.psy("run")
    assert "max_failures = 3" in ran.err
    assert len(project.evaluated()) == 3


def test_rows_that_max_failures_left_untried_are_evaluated_by_the_next_run(project):
    project.task(
        "failing",
        """
        pspace = Param(a=range(100))
        pool_size = 2
        max_failures = 3

        def execute(a):
            if not os.path.exists('go'):
                raise ValueError('no')
            return {'y': a}
        """,
    )
    assert project.psy("run").code == 1
    (project.tasks / "go").touch()
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert project.result("failing")["y"] == [*range(100)]


@pytest.mark.parametrize(
    "way", ["os.closerange(3, 200); sleep(3600)", "os.fork() or os._exit(0)"]
)
def test_deaths_are_found_without_help_of_the_kernel(project, monkeypatch, way):
    """Old kernels and some containers have no pidfd, and so has macOS."""
    site = project.root / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import errno, os\n\ndef refused(*_):\n    raise OSError(errno.ENOSYS, 'no')\n\n"
        "os.pidfd_open = refused\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    deadly(project, way, "pool_size = 2\nmax_jobs = 1\ntimeout = 1")
    command = project.start("run")
    command.communicate(timeout=WAIT_SECONDS)
    assert set(project.evaluated()) == set(map(str, range(8)))


def test_a_death_without_help_of_the_kernel_is_seen_though_a_child_lives_on(
    project, monkeypatch
):
    site = project.root / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import os\ndel os.pidfd_open\n")
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    deadly(project, "os.fork() or (os.setsid(), sleep(25), os._exit(0)); os._exit(1)")
    began = time.monotonic()
    ran = project.psy("run")
    assert time.monotonic() - began < 20
    assert "of 8 rows 1 failed" in ran.err


def test_a_long_last_word_ends_the_run(project):
    project.task(
        "wordy",
        """
        pspace = Param(a=range(3))

        def setup(proc_id):
            raise ValueError('x' * 1_000_000)

        def execute(a):
            return {'y': a}
        """,
    )
    command = project.start("run")
    _, err = command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 1
    assert "(1,000,000 characters)" in err


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_rows_started_ends_though_it_takes_no_notice(project, end):
    deadly(
        project,
        "import subprocess; subprocess.run(['sh', '-c', 'trap \"\" TERM INT HUP; "
        "echo $$ > child.tmp; mv child.tmp child; while true; do sleep 1; done'])",
    )
    command = project.start("run")
    child = project.tasks / "child"
    until(child.exists, "the row's own child")
    command.send_signal(end)
    command.communicate(timeout=WAIT_SECONDS)
    until(lambda: gone([int(child.read_text())]), "the row's own child to end")


def test_a_suspended_worker_does_not_use_up_the_time_of_its_rows(project):
    project.task(
        "steady",
        """
        from time import sleep
        pspace = Param(a=range(2))
        pool_size = 1
        timeout = 2

        def execute(a):
            open('in', 'w').close()
            sleep(1)
            return {'y': a}
        """,
    )
    command = project.start("run")
    until((project.tasks / "in").exists, "the first row")
    (supervisor,) = children_of(command.pid)
    pids = [supervisor, *children_of(supervisor)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(3)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    _, err = command.communicate(timeout=WAIT_SECONDS)
    assert command.returncode == 0, err


def test_a_death_that_was_being_told_when_the_run_stopped_is_not_forgotten(project):
    project.task(
        "telling",
        """
        import sys, time

        class Slow:
            def __init__(self, n):
                self.n = n

            def __repr__(self):
                if 'worker' in sys.argv[0]:
                    time.sleep(3)
                return f'Slow {self.n}'

            def __eq__(self, other):
                return self.n == other.n

            def __hash__(self):
                return self.n

        pool_size = 2
        max_jobs = 1
        max_failures = 2
        pspace = Param(a=[Slow(n) for n in range(4)])

        def execute(a):
            if a.n == 1:
                time.sleep(1)
            if a.n < 2:
                os._exit(1)
            time.sleep(2)
            return {'y': 1}
        """,
    )
    project.psy("run")
    assert {0, 1} <= errors(project, "telling").keys()
