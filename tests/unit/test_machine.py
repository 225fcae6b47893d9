import os
import signal
import subprocess
import sys

import pytest

from psyrun import machine


def test_usable_cores_respect_the_affinity():
    assert 1 <= machine.usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("200000 100000", 2.0),
        ("150000 100000\n", 1.5),
        ("max 100000", None),
        ("", None),
        ("-1 100000", None),
        ("x y", None),
    ],
)
def test_the_limit_of_a_control_group(tmp_path, text, cores):
    (tmp_path / "cpu.max").write_text(text)
    assert machine._cgroup_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("50000", 0.5), ("-1", None)])
def test_the_limit_of_an_old_control_group(tmp_path, quota, cores):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert machine._cgroup_cores(tmp_path) == cores


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert machine._cgroup_cores(tmp_path) is None


@pytest.fixture
def no_thread_variables(monkeypatch):
    for name in machine.THREAD_VARIABLES:
        monkeypatch.setenv(name, "")  # so that what is set is undone
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("no_thread_variables")
def test_threads_are_shared_but_what_the_user_set_stays(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    machine.limit_threads(10**6)
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    ("asked", "others"), [("7", "7"), ("7,2", "7"), ("", "1")], ids=["one", "levels", "empty"]
)
@pytest.mark.usefixtures("no_thread_variables")
def test_libraries_that_heed_the_variable_of_openmp_still_do(monkeypatch, asked, others):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    machine.limit_threads(10**6)
    assert os.environ["OMP_NUM_THREADS"] == asked
    assert os.environ["OPENBLAS_NUM_THREADS"] == others


def test_a_process_lives_until_it_ends():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with process:
        start = machine.process_start(process.pid)
        assert machine.is_alive(process.pid, start)
        assert not machine.is_alive(process.pid, "another start")
        assert not machine.is_alive(process.pid, None)
        process.kill()
        process.wait()
        assert not machine.is_alive(process.pid, start)


@pytest.fixture
def sleeper():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("pidfd", [True, False])
class TestTerminating:
    @pytest.fixture(autouse=True)
    def system(self, monkeypatch, pidfd):
        if not pidfd:
            monkeypatch.delattr(os, "pidfd_open", raising=False)

    def test_ends_a_process(self, sleeper):
        assert machine.terminate(sleeper.pid, machine.process_start(sleeper.pid))
        assert sleeper.wait() == -signal.SIGTERM

    def test_spares_another_process_of_the_same_number(self, sleeper):
        assert not machine.terminate(sleeper.pid, "another start")
        assert sleeper.poll() is None

    def test_tells_that_a_process_had_ended(self, sleeper):
        start = machine.process_start(sleeper.pid)
        sleeper.kill()
        sleeper.wait()
        assert not machine.terminate(sleeper.pid, start)


def test_this_machine_and_user_have_names():
    assert machine.host()
    assert machine.user()


def test_the_login_name_is_what_the_system_knows_whatever_variables_say(monkeypatch):
    shown = subprocess.run(["id", "-un"], capture_output=True, text=True, check=False)
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody")
    assert machine.login_name() == (shown.stdout.strip() or str(os.getuid()))


def test_the_login_name_of_a_user_without_one_is_a_number(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert machine.login_name() == "54321"
