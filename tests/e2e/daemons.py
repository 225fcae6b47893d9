"""What private batch systems share: their daemons, free ports, and the end of both."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.waiting import until

SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def needed(programs: Iterable[str]) -> None:
    """Skip the test, with a word, unless all of some programs are here."""
    for program in programs:
        if shutil.which(program, path=SYSTEM_PATH) is None:
            if "PSYRUN_TEST_CLUSTERS" in os.environ:
                pytest.fail(f"clusters are to be tested, but there is no {program} here")
            pytest.skip(f"there is no {program} here")


def free_ports(count: int) -> list[int]:
    """Find ports of loopback that nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def answers(port: int) -> bool:
    """Tell whether somebody listens at a port of loopback."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def state_folder(prefix: str) -> Path:
    """Make a folder that other users may enter, with a short path.

    slurmstepd's socket has to fit in 107 bytes, and munged refuses a folder that is private.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    folder.chmod(0o755)
    return folder


class Daemons:
    """Daemons that stay children of this process, so that they can be ended by their ids.

    They end too when this process is killed, where there is setpriv(1).
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a daemon, unless it runs."""
        if self.runs(name):
            return
        end_with_us = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with (self.logs / f"{name}.out").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*end_with_us, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.logs,
                env={**environment, "PATH": SYSTEM_PATH},
                start_new_session=True,
            )

    def runs(self, name: str) -> bool:
        """Tell whether a daemon runs, stopped or not."""
        return name in self.running and self.running[name].poll() is None

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a daemon a signal; wait for its end if it ends by it."""
        process = self.running[name]
        process.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            process.wait()

    def end(self, name: str, kind_seconds: float = 15) -> None:
        """End a daemon, kindly first; one that does not run is no error."""
        process = self.running.pop(name, None)
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(kind_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a daemon is ready; say what it said if it ended."""

        def ready_or_ended() -> bool:
            assert self.runs(name), f"{name} ended: {self.said(name)}"
            return ready()

        until(ready_or_ended, f"{name}: {self.said(name)}")

    def said(self, name: str) -> str:
        """Return the last lines that a daemon printed."""
        lines = (self.logs / f"{name}.out").read_text(errors="replace").split("\n")
        return "; ".join(lines[-4:])


def end_processes(variable: str, value: str, marked: str) -> None:
    """End the jobs that outlive their daemons: what has both variables in its environment."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            names = environ.read_bytes().split(b"\0")
        except OSError:
            continue
        theirs = f"{variable}={value}".encode() in names
        pid = int(environ.parent.name)
        if theirs and pid != os.getpid() and any(n.startswith(marked.encode()) for n in names):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
