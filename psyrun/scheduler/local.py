"""Own jobs on this machine: processes that live as long as the command that started them."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyrun.exceptions import SchedulerError
from psyrun.files import disk_errors
from psyrun.scheduler.base import JobStatus, Scheduler

if TYPE_CHECKING:
    import socket
    import subprocess


class ImmediateRun(Scheduler):
    """Run jobs on this machine, at once.

    `psy run` starts one worker for all jobs of a task, with as many row processes as there are
    usable cores (or `pool_size`), and waits for it. A job's standard input is a socket whose
    other end dies with this process; a worker ends when it does. What a job writes into it are
    its last words, which are heard even if no disk takes any.
    """

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lifelines: dict[str, socket.socket] = {}
        self._last_words: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def submit(
        self,
        args: Sequence[str],
        output_filename: str | os.PathLike[str],
        name: str | None = None,
        depends_on: Sequence[str] | None = None,
        scheduler_args: Mapping[str, Any] | None = None,  # noqa: ARG002 - nothing to ask for
    ) -> str:
        """Start a job; see `Scheduler.submit`. A job that depends on others waits for them."""
        import socket
        import subprocess

        for other in depends_on or ():
            self.wait(other)
        output = Path(output_filename)
        output.parent.mkdir(parents=True, exist_ok=True)
        with disk_errors(output):
            log = output.open("ab")
        lifeline, end_of_job = socket.socketpair()
        try:
            with log, end_of_job:
                process = subprocess.Popen(  # in a session of its own: Ctrl-C is for `psy`
                    list(args),
                    stdin=end_of_job.fileno(),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as err:
            lifeline.close()
            raise SchedulerError(
                f"cannot start {args[0]}: {err.strerror}; the setting python says what to start"
            ) from err
        jobid = str(process.pid)
        self._processes[jobid] = process
        self._lifelines[jobid] = lifeline
        self._names[jobid] = name or jobid
        return jobid

    def wait(self, jobid: str, seconds: float | None = None) -> int | None:
        """Wait until a job ends.

        Parameters
        ----------
        jobid : str
            A job that was submitted through this object; others count as ended.
        seconds : float, optional
            How long to wait; None waits as long as it takes.

        Returns
        -------
        int or None
            Its exit code, negative for a signal; None if it still runs.
        """
        import subprocess

        process = self._processes.get(jobid)
        if process is None:
            return 0
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        if jobid in self._lifelines:
            self._last_words[jobid] = _drained(self._lifelines.pop(jobid))
        return code

    def last_words(self, jobid: str) -> str:
        """Return what a job wrote into its standard input, once it has been waited for."""
        return self._last_words.get(jobid, "")

    def kill(self, jobid: str) -> None:
        """End a job with SIGTERM; see `Scheduler.kill`."""
        process = self._processes.get(jobid)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)

    def get_status(self, jobid: str) -> JobStatus | None:
        """Tell how a job is; see `Scheduler.get_status`."""
        process = self._processes.get(jobid)
        if process is None:
            return None
        status = "R" if process.poll() is None else "D"
        return JobStatus(jobid, status, self._names[jobid])

    def get_jobs(self) -> list[str]:
        """List jobs that run; see `Scheduler.get_jobs`."""
        return [jobid for jobid, process in self._processes.items() if process.poll() is None]


def _drained(lifeline: "socket.socket") -> str:
    """Read all that is in a socket, and close it."""
    words = b""
    with lifeline:
        lifeline.setblocking(False)
        with contextlib.suppress(OSError):  # nothing more, though somebody may hold it open
            while part := lifeline.recv(1 << 16):
                words += part
    return words.decode(errors="replace").strip()
