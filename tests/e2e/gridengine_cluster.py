"""A private Grid Engine on loopback, for tests: no systemd, and no network.

Its two daemons are children of this process; all that they write is in one folder.
"""

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from tests.e2e import daemons
from tests.waiting import until

_PROGRAMS = ("sge_qmaster", "sge_execd", "qsub", "qstat", "qdel", "qconf")
_LIBRARY = Path("/usr/lib/gridengine")
_SHARED = Path("/usr/share/gridengine")

_BOOTSTRAP = """\
admin_user none
default_domain none
ignore_fqdn true
spooling_method berkeleydb
spooling_lib libspoolb
spooling_params {root}/spool/db
binary_path /usr/sbin
qmaster_spool_dir {root}/spool/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""

_HOST = """\
hostname localhost
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""


@dataclass
class GridEngineCluster:
    """A private Grid Engine; use it as a context, or `start` and `stop` it.

    Attributes
    ----------
    slots : int
        How many jobs run at a time.
    """

    slots: int = 8

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @cached_property
    def root(self) -> Path:
        """The folder of everything."""
        root = daemons.state_folder("sge-")
        folders = ("bin", "lib", "utilbin", "default/common", "spool/execd", "spool/db", "log")
        for name in (*folders, "spool/qmaster/job_scripts"):
            (root / name).mkdir(parents=True)
        return root

    @cached_property
    def _daemons(self) -> daemons.Daemons:
        return daemons.Daemons(self.root / "log")

    @cached_property
    def variables(self) -> dict[str, str]:
        """What Grid Engine's commands need in their environment to ask this one."""
        qmaster, execd = daemons.free_ports(2)
        return {
            "SGE_ROOT": str(self.root),
            "SGE_CELL": "default",
            "SGE_ARCH": "lx-amd64",
            "SGE_QMASTER_PORT": str(qmaster),
            "SGE_EXECD_PORT": str(execd),
        }

    @property
    def env(self) -> dict[str, str]:
        """The environment of Grid Engine's commands."""
        return {**os.environ, **self.variables}

    def start(self) -> None:
        """Start what does not run, and wait for it.

        Skips the test where programs are missing.
        """
        daemons.needed(_PROGRAMS)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        new = not (self.root / "default/common/bootstrap").exists()
        if new:
            self._configure()
        foreground = {**self.env, "SGE_ND": "1"}
        self._daemons.start("sge_qmaster", ["sge_qmaster"], foreground)
        self._daemons.wait_for("sge_qmaster", lambda: self.run("qconf", "-sh").returncode == 0)
        if new:
            self._make_queue()
        self._daemons.start("sge_execd", ["sge_execd"], foreground)
        up = re.compile(r"^all\.q@localhost .* lx-amd64 *$", re.MULTILINE)
        self._daemons.wait_for("sge_execd", lambda: bool(up.search(self._qstat("-f"))))

    def stop(self) -> None:
        """End all jobs and both daemons, by their ids, and remove the folder."""
        for name in ("sge_qmaster", "sge_execd"):
            if self._daemons.runs(name):
                self._daemons.send(name, signal.SIGCONT)
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            if self._daemons.runs("sge_qmaster"):
                self.cancel_all()
        self._daemons.end("sge_execd", 0)  # they take long to go, and nothing is kept
        daemons.end_processes("SGE_ROOT", str(self.root), "JOB_ID=")
        self._daemons.end("sge_qmaster", 0)
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("root", "_daemons", "variables"):  # so that it can be started anew
            self.__dict__.pop(name, None)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to `sge_qmaster` or `sge_execd`; `start` brings back what ended."""
        self._daemons.send(name, number)

    def reset(self) -> None:
        """Make both daemons run and no job; for use between tests."""
        for name in list(self._daemons.running):
            if self._daemons.runs(name):
                self._daemons.send(name, signal.SIGCONT)
        self.start()
        self.cancel_all()

    def run(self, *command: str, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run one of Grid Engine's commands on this one."""
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=seconds, check=False
        )

    def live(self) -> list[str]:
        """List the ids of jobs that have not ended."""
        return re.findall(r"^ *(\d+) ", self._qstat("-u", "*"), re.MULTILINE)

    def cancel_all(self) -> None:
        """Cancel all jobs, and wait for their end."""
        if self.live():
            self.run("qdel", "-f", "-u", "*")
        until(lambda: not self.live(), "the end of all jobs")

    def _qstat(self, *arguments: str) -> str:
        return self.run("qstat", *arguments).stdout

    def _qconf(self, *arguments: str) -> str:
        done = self.run("qconf", *arguments)
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    def _from_file(self, option: str, text: str) -> None:
        """Let qconf read a file."""
        file = self.root / "log" / "qconf"
        file.write_text(text)
        self._qconf(option, str(file))

    def _configure(self) -> None:
        for name in ("bin", "lib", "utilbin"):
            (self.root / name / "lx-amd64").symlink_to(_LIBRARY)
        (self.root / "util").symlink_to(_SHARED / "util")
        common = self.root / "default/common"
        # everything is called localhost, whatever the machine's own name
        (common / "host_aliases").write_text(f"localhost {socket.gethostname()}\n")
        (common / "act_qmaster").write_text("localhost\n")
        (common / "cluster_name").write_text("psy\n")
        (common / "bootstrap").write_text(_BOOTSTRAP.format(root=self.root))
        for command in self._spooling():
            done = self.run(str(_LIBRARY / command[0]), *command[1:])
            assert done.returncode == 0, done.stderr or done.stdout

    def _spooling(self) -> list[list[str]]:
        """Return the commands that make the first configuration."""
        settings = (_SHARED / "default-configuration").read_text()
        for pattern, value in {
            "/var/spool/gridengine/execd": f"{self.root}/spool/execd",
            r"(?m)^min_uid .*": "min_uid 0",  # root may submit
            r"(?m)^min_gid .*": "min_gid 0",
            "/usr/bin/mail": "/bin/true",
            r"(?m)^load_report_time .*": "load_report_time 00:00:05",
            "flush_time=00:00:15": "flush_time=00:00:01 accounting_flush_time=00:00:01",
        }.items():
            settings = re.sub(pattern, value, settings)
        file = self.root / "global.conf"
        file.write_text(settings)
        database = str(self.root / "spool/db")
        resources = _SHARED / "util/resources"
        return [
            ["spoolinit", "berkeleydb", "libspoolb", database, "init"],
            ["spooldefaults", "configuration", str(file)],
            ["spooldefaults", "complexes", str(resources / "centry")],
            ["spooldefaults", "usersets", str(resources / "usersets")],
            ["spooldefaults", "managers", getpass.getuser()],
        ]

    def _make_queue(self) -> None:
        self._qconf("-as", "localhost")
        self._from_file("-Ae", _HOST)
        self._from_file("-Ahgrp", "group_name @allhosts\nhostlist localhost\n")
        self._qconf("-Ap", str(_SHARED / "util/resources/pe/smp"))
        scheduling = self._qconf("-ssconf")
        for name, value in {
            "schedule_interval": "0:0:1",
            "flush_submit_sec": "1",
            "flush_finish_sec": "1",
        }.items():
            scheduling = re.sub(rf"(?m)^{name} .*", f"{name} {value}", scheduling)
        self._from_file("-Msconf", scheduling)
        queue = self._qconf("-sq")
        for name, value in {
            "qname": "all.q",
            "hostlist": "@allhosts",
            "load_thresholds": "NONE",
            "pe_list": "smp",
            "slots": str(self.slots),
            "shell_start_mode": "unix_behavior",
            "notify": "00:00:05",
        }.items():
            queue = re.sub(rf"(?m)^{name} .*", f"{name} {value}", queue)
        self._from_file("-Aq", queue)
