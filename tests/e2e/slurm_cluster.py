"""A private Slurm on loopback, for tests: needs neither root nor systemd, and no network.

The daemons run as the user who runs the tests, as children of this process; all that they
write is in one folder. With accounting there is a MariaDB too, and then sacct works.
"""

import contextlib
import getpass
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import pytest

from tests.e2e import daemons
from tests.waiting import until

_PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
_ACCOUNTING = ("slurmdbd", "sacct", "sacctmgr", "mariadbd", "mariadb-install-db")

_PATIENCE_SECONDS = 5

_CONF = """\
ClusterName=psy
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/{auth}
CredType=cred/{auth}
AuthInfo={socket}cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd-%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=10
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
MaxArraySize=1001
MinJobAge=300
KillWait=5
MessageTimeout={patience}
ReturnToService=2
SlurmctldTimeout=120
SlurmdTimeout=300
JobAcctGatherType=jobacct_gather/none
"""

_WITH_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[1]}
"""

_DATABASE = """\
AuthType=auth/{auth}
{socket_line}
CommunicationParameters=NoInAddrAny
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[1]}
SlurmUser={user}
LogFile={root}/log/slurmdbd.log
PidFile={root}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={user}
StorageLoc=slurm_acct
"""


@dataclass
class SlurmCluster:
    """A private Slurm; use it as a context, or `start` and `stop` it.

    Attributes
    ----------
    nodes, cpus, memory : int
        How many nodes there are (n1, n2, ...), and the CPUs and MiB that each pretends to have.
    accounting : bool
        Whether there is a database, so that sacct and sacctmgr work.
    settings : dict
        Lines of slurm.conf that are set, or set otherwise than here: `{"MaxArraySize": "5"}`.
    auth : str or None
        `munge` or `none`; None takes munge where it is installed.
    """

    nodes: int = 2
    cpus: int = 8
    memory: int = 2000
    accounting: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    auth: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @cached_property
    def root(self) -> Path:
        """The folder of everything."""
        root = daemons.state_folder("slurm-")
        for name in ("munge", "state", "log", "spool"):
            (root / name).mkdir(mode=0o755)
        return root

    @cached_property
    def _daemons(self) -> daemons.Daemons:
        return daemons.Daemons(self.root / "log")

    @cached_property
    def _ports(self) -> list[int]:
        """The ports: of slurmctld, of slurmdbd, of each slurmd."""
        return daemons.free_ports(2 + self.nodes)

    @cached_property
    def _munge(self) -> bool:
        if self.auth is None:
            return shutil.which("munged", path=daemons.SYSTEM_PATH) is not None
        return self.auth == "munge"

    @property
    def conf(self) -> Path:
        """The path of slurm.conf."""
        return self.root / "slurm.conf"

    @property
    def node_names(self) -> list[str]:
        """The names of the nodes, and of their slurmd for `send`."""
        return [f"n{i + 1}" for i in range(self.nodes)]

    @property
    def env(self) -> dict[str, str]:
        """The environment in which Slurm's commands ask this cluster."""
        others = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH"))}
        return {**others, "SLURM_CONF": str(self.conf)}

    def start(self) -> None:
        """Start what does not run: everything, or daemons that were killed; wait for it.

        Skips the test where programs are missing.
        """
        daemons.needed([*_PROGRAMS, *(_ACCOUNTING if self.accounting else ())])
        if not self.conf.exists():
            self._configure()
        try:
            self._start_daemons()
        except BaseException:
            self.stop()
            raise

    def _start_daemons(self) -> None:
        if self._munge:
            self._start_munge()
        if self.accounting:
            self._start_database()
        self._daemons.start("slurmctld", ["slurmctld", "-D"], self.env)
        for name in self.node_names:
            (self.root / "spool" / name).mkdir(exist_ok=True)
            self._daemons.start(name, ["slurmd", "-D", "-N", name], self.env)
        self._daemons.wait_for("slurmctld", self._ready)

    def _ready(self) -> bool:
        """Tell whether all nodes are up; a new slurmctld shows what it had saved at first."""
        if not all(daemons.answers(port) for port in (self._ports[0], *self._ports[2:])):
            return False
        states = self.run("sinfo", "-h", "-N", "-p", "debug", "-o", "%T").stdout.split()
        up = {"idle", "mixed", "allocated", "completing"}
        return len(states) == self.nodes and up.issuperset(states)

    def stop(self) -> None:
        """End all jobs and daemons, by their ids, and remove the folder."""
        for name in ("slurmctld", *self.node_names):
            if self._daemons.runs(name):
                self._daemons.send(name, signal.SIGCONT)
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            if self._daemons.runs("slurmctld"):
                self.cancel_all()
        for name in (*self.node_names, "slurmctld"):
            self._daemons.end(name)
        daemons.end_processes("SLURM_CONF", str(self.conf), "SLURM_JOB_ID=")
        for name in ("slurmdbd", "mariadbd", "munged"):
            self._daemons.end(name)
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("root", "_daemons", "_ports"):  # so that it can be started anew
            self.__dict__.pop(name, None)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to `slurmctld`, `slurmdbd`, or to the slurmd of a node: `n1`.

        After SIGTERM and SIGKILL, `start` brings it back. A slurmctld saves its state when it
        is asked to end, and every five seconds: one that is killed forgets what is younger,
        and gives its ids again.
        """
        self._daemons.send(name, number)

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Let slurmctld give no answer; commands do not wait long for one meanwhile."""
        hasty = self.conf.with_name("hasty.conf")
        patience = f"MessageTimeout={_PATIENCE_SECONDS}\n"
        assert patience in self.conf.read_text()
        hasty.write_text(self.conf.read_text().replace(patience, "MessageTimeout=1\n"))
        self.send("slurmctld", signal.SIGSTOP)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SLURM_CONF", str(hasty))
                yield
        finally:
            self.send("slurmctld", signal.SIGCONT)

    def reset(self) -> None:
        """Make all daemons run and no job; for use between tests."""
        for name in list(self._daemons.running):
            if self._daemons.runs(name):
                self._daemons.send(name, signal.SIGCONT)
        self.start()
        self.cancel_all()

    def run(self, *command: str, seconds: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run one of Slurm's commands on this cluster."""
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=seconds, check=False
        )

    def scontrol(self, *arguments: str) -> str:
        """Run scontrol, and return what it prints."""
        done = self.run("scontrol", *arguments)
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    def live(self) -> list[str]:
        """List the ids of jobs that have not ended; each job of an array for itself."""
        return self.run("squeue", "-h", "-r", "-o", "%i").stdout.split()

    def cancel_all(self) -> None:
        """Cancel all jobs, and wait for their end."""
        arrays = {jobid.partition("_")[0] for jobid in self.live()}
        for jobid in arrays:
            self.run("scancel", jobid)
        until(lambda: not self.live(), "the end of all jobs")

    def shown(self, jobid: str) -> dict[str, str]:
        """Return what scontrol shows of a job, by its names."""
        return dict(re.findall(r"(?:^|\s)(\w+)=(\S*)", self.scontrol("show", "job", jobid)))

    def _configure(self) -> None:
        text = _CONF + (_WITH_ACCOUNTING if self.accounting else "")
        munge_socket = f"socket={self.root}/munge/sock"
        known = {
            "root": self.root,
            "ports": self._ports,
            "user": getpass.getuser(),
            "patience": _PATIENCE_SECONDS,
            "auth": "munge" if self._munge else "none",
            "socket": f"{munge_socket}," if self._munge else "",
            "socket_line": f"AuthInfo={munge_socket}" if self._munge else "",
        }
        lines = dict(line.split("=", 1) for line in text.format(**known).splitlines())
        if self.accounting and self._munge:
            lines["AccountingStoragePass"] = f"{self.root}/munge/sock"
        lines.update(self.settings)
        nodes = [
            f"NodeName={name} NodeHostname={name} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={self.cpus} RealMemory={self.memory} State=UNKNOWN"
            for name, port in zip(self.node_names, self._ports[2:], strict=True)
        ]
        nodes.append("PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP")
        if self.accounting:
            database = self.root / "slurmdbd.conf"
            database.touch(mode=0o600)
            database.write_text(_DATABASE.format(**known))
        settings = [f"{name}={value}" for name, value in lines.items()]
        self.conf.write_text("\n".join([*settings, *nodes, ""]))

    def _start_munge(self) -> None:
        folder = self.root / "munge"
        key = folder / "key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(os.urandom(128))
        paths = {"key-file": key, "socket": folder / "sock", "pid-file": folder / "pid"}
        paths |= {"log-file": folder / "log", "seed-file": folder / "seed"}
        options = [f"--{name}={path}" for name, path in paths.items()]
        self._daemons.start("munged", ["munged", "-F", *options], os.environ)
        self._daemons.wait_for("munged", paths["socket"].exists)

    def _start_database(self) -> None:
        data, at, user = self.root / "mysql", self.root / "mysql.sock", getpass.getuser()
        common = ["--no-defaults", f"--user={user}", f"--datadir={data}"]
        if not data.exists():
            rights = ["--auth-root-authentication-method=socket", "--skip-test-db"]
            made = self.run(
                "mariadb-install-db", *common, *rights, f"--auth-root-socket-user={user}"
            )
            assert made.returncode == 0, made.stderr or made.stdout
        quick = ["--skip-networking", "--innodb-flush-log-at-trx-commit=0"]
        pid = f"--pid-file={self.root}/mysql.pid"
        server = ["mariadbd", *common, *quick, f"--socket={at}", pid]
        self._daemons.start("mariadbd", server, os.environ)
        self._daemons.wait_for("mariadbd", at.exists)
        environment = {**self.env, "MYSQL_UNIX_PORT": str(at)}
        self._daemons.start("slurmdbd", ["slurmdbd", "-D"], environment)
        self._daemons.wait_for(
            "slurmdbd", lambda: self.run("sacctmgr", "-n", "show", "cluster").returncode == 0
        )
