"""Own Slurm: its job scripts, its commands, and what they print.

The facts are from sbatch(1), squeue(1), sacct(1) and scontrol(1), and from what the commands of
version 22.05 were seen to do.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from psyrun import machine
from psyrun.exceptions import SchedulerError
from psyrun.scheduler import options
from psyrun.scheduler.base import JobInfo, JobState, Limits, unknown_state
from psyrun.scheduler.batch import BatchScheduler
from psyrun.scheduler.jobscripts import Request, script
from psyrun.scheduler.numbers import parse_indices
from psyrun.scheduler.units import clock, megabytes, seconds

_SHORT = {
    "timelimit": "time",
    "memory": "mem",
    "memory_per_cpu": "mem_per_cpu",
    "n_cpus": "cpus_per_task",
    "n_nodes": "nodes",
}
"""Names that Psyrun has for options of sbatch, for all schedulers alike."""

_OPTIONS = frozenset(  # a table that can be read at a glance
    """
    account acctg_freq batch bb bbf begin chdir comment constraint container contiguous
    core_spec cores_per_socket cpu_freq cpus_per_gpu cpus_per_task
    deadline delay_boot distribution exclude exclusive export export_file extra
    extra_node_info get_user_env gid gpu_bind gpu_freq gpus gpus_per_node gpus_per_socket
    gpus_per_task gres gres_flags hint hold ignore_pbs kill_on_invalid_dep licenses mail_type
    mail_user mcs_label mem mem_bind mem_per_cpu mem_per_gpu mincpus network nice no_kill
    no_requeue nodefile nodelist nodes ntasks ntasks_per_core ntasks_per_gpu ntasks_per_node
    ntasks_per_socket oom_kill_step overcommit oversubscribe partition power prefer priority
    profile propagate qos reboot requeue reservation resv_ports segment signal
    sockets_per_node spread_job switches thread_spec threads_per_core time time_min tmp
    tres_bind tres_per_task use_min_nodes wait_all_nodes wckey
    """.split()  # noqa: SIM905
)
"""The long options of sbatch(1)."""

_REFUSED = {
    "array": "Psyrun makes the arrays; max_jobs sets how many jobs there are",
    "cluster_constraint": "squeue would look for the jobs elsewhere",
    "clusters": "squeue would look for the jobs elsewhere; run psy on that cluster",
    "dependency": "Psyrun sets what the merge job waits for",
    "error": "output and errors go into one log, see psy logs",
    "input": "jobs have no input",
    "job_name": "Psyrun finds its jobs by their names; `name` in the task file names the task",
    "open_mode": "logs are appended to, so that nothing is lost when a job comes back",
    "output": "logs are in the work directory, see psy logs",
    "parsable": "Psyrun reads what sbatch prints",
    "uid": "Psyrun looks for jobs of the user who runs it",
    "wait": "use psy run --wait",
    "wrap": "Psyrun writes the job script",
}

_STATES = {
    "BOOT_FAIL": JobState.NODE_FAIL,
    "COMPLETING": JobState.RUNNING,
    "CONFIGURING": JobState.RUNNING,
    "DEADLINE": JobState.TIMEOUT,
    "LAUNCH_FAILED": JobState.FAILED,
    "RECONFIG_FAIL": JobState.FAILED,
    "REQUEUED": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "REQUEUE_HOLD": JobState.PENDING,
    "RESIZING": JobState.RUNNING,
    "RESV_DEL_HOLD": JobState.PENDING,
    "REVOKED": JobState.CANCELLED,
    "SIGNALING": JobState.RUNNING,
    "SPECIAL_EXIT": JobState.PENDING,
    "STAGE_OUT": JobState.RUNNING,
    "STOPPED": JobState.SUSPENDED,
}
"""States of Slurm that are one of those that Psyrun tells apart."""

_HEADER = ("array", "dependency", "error", "input", "job_name", "open_mode", "output", "wait")
"""What Psyrun decides for each job, whatever the environment says."""

_VARIABLES = {"array": "ARRAY_INX", "mem": "MEM_PER_NODE", "time": "TIMELIMIT"}
"""Variables of sbatch(1), after `SBATCH_`, that are not called like their options."""

_REQUEUE = frozenset({"SBATCH_REQUEUE", "SBATCH_NO_REQUEUE"})

_MISLEADING = ("SQUEUE_", "SACCT_", "SCANCEL_")
"""Beginnings of variables that change what the other commands do; see squeue(1)."""

_ELSEWHERE = frozenset({"SBATCH_CLUSTERS", "SBATCH_CLUSTER_CONSTRAINT", "SLURM_CLUSTERS"})
"""Variables that name other clusters, whose jobs have ids that may be those of others here."""

_ID = re.compile(r"(\d+)(?:_(?:(\d+)|\[([^\]%]*)(?:%\d+)?\]?))?(?:\+\d+)?(?:\.\w+)?")
_FIELDS = 4
_NO_ACCOUNTING = ("accounting storage is disabled", "not running a supported accounting")
_CONFIG = re.compile(r"^(\w+)\s*=\s*(\S+)", re.MULTILINE)


class Slurm(BatchScheduler):
    """Run jobs by Slurm.

    `scheduler_args` takes `timelimit`, `memory`, `memory_per_cpu`, `n_cpus`, `n_nodes`,
    `throttle` (jobs at a time), `setup` (shell lines), and any long option of sbatch by its
    name, such as `partition`, `account`, `qos`, `gpus`, `constraint` or `mail_user`.
    """

    title = "Slurm"
    can_requeue: ClassVar[bool] = True
    time_names: ClassVar[tuple[str, ...]] = ("timelimit", "time")

    def render(self, request: Request) -> str:
        """Write the job script; see `BatchScheduler.render`."""
        header = [_directive("job-name", request.name), _directive("open-mode", "append")]
        redirect = any(c in request.output for c in "\\\n")
        header.append(_directive("output", "/dev/null" if redirect else _pattern(request)))
        asked = self._options(request)
        throttle = options.counted("throttle", asked)
        asked.pop("throttle", None)
        if request.size is not None:
            at_a_time = f"%{throttle}" if throttle else ""
            header.append(_directive("array", f"0-{request.size - 1}{at_a_time}"))
        if request.depends_on:
            header.append(_directive("dependency", ":".join(["afterany", *request.depends_on])))
        header += [_option(name, value) for name, value in asked.items()]
        return script(header, request, "$SLURM_ARRAY_TASK_ID", redirect=redirect)

    def _options(self, request: Request) -> dict[str, Any]:
        """Find out what is asked of sbatch, by its own names; and the throttle."""
        known = {*_OPTIONS, *_SHORT, *options.SHARED}
        found = options.resolved(request.asked, known, self.title, request.name, _REFUSED)
        found.pop("setup", None)
        if request.asked.get("requeue") is False:  # which is not what leaving it to Slurm is
            found["no_requeue"] = True
        if {"requeue", "no_requeue"} <= {*found}:
            raise SchedulerError("scheduler_args has requeue and no_requeue: leave one out")
        found = options.one_of(_SHORT, found)
        if "time" in found:
            limit = seconds(found["time"])
            found["time"] = "UNLIMITED" if limit is None else clock(limit, days=True)
        for name in ("mem", "mem_per_cpu"):
            if name in found and not re.fullmatch(r"\d+[KMGT]?", str(found[name])):
                found[name] = f"{megabytes(found[name])}M"
        signal = str(found.get("signal", "B:"))
        if not signal.startswith(("B:", "RB:", "BR:")):
            raise SchedulerError(
                f"scheduler_args['signal'] is {signal!r}, which no job of Psyrun gets; use "
                f"{'B:' + signal!r}"
            )
        return found

    def submit_command(self, request: Request) -> list[str]:
        """Return the command that submits; see `BatchScheduler.submit_command`."""
        return ["sbatch", "--parsable", str(request.script)]

    def parse_id(self, output: str) -> str:
        """Find the id; see `BatchScheduler.parse_id`. A name of a cluster may follow it."""
        found = re.search(r"^(?:Submitted batch job )?(\d+)(?:;.*)?$", output, re.MULTILINE)
        return found[1] if found else ""

    def status_command(self) -> list[str]:
        """Return the command that tells about jobs; see `BatchScheduler.status_command`.

        Asked by user and not by id: Slurm refuses to answer at all for an id that it has
        forgotten. `-a` because it hides the jobs of hidden partitions.
        """
        return ["squeue", "-a", "-h", "-u", str(os.getuid()), "-t", "all", "-o", "%i|%T|%r|%j"]

    def parse_status(self, output: str) -> Iterator[JobInfo]:
        """Read what squeue printed; see `BatchScheduler.parse_status`."""
        for line in output.split("\n"):
            fields = line.split("|", _FIELDS - 1)
            if len(fields) == _FIELDS:
                jobid, state, reason, name = fields
                yield from _jobs(jobid, state, reason, name)

    def kill_command(self, jobid: str) -> list[str]:
        """Return the command that cancels; see `BatchScheduler.kill_command`."""
        return ["scancel", jobid]

    def environment(self, request: Request | None = None) -> dict[str, str]:
        """Return the environment of commands; see `BatchScheduler.environment`.

        Variables of the user that would hide jobs, ask questions, or make of a submission what
        was not asked for are left out, and lists of indices are not cut. What sbatch takes from
        the environment is stronger than a job script, so what a request sets is left out there.
        All commands mean the cluster of this machine: one that came to another cluster than
        sbatch did would find no job, or somebody else's.
        """
        here = {k: v for k, v in os.environ.items() if k not in _ELSEWHERE}
        if request is None:
            kept = {k: v for k, v in here.items() if not k.startswith(_MISLEADING)}
            return {**kept, "SLURM_BITSTR_LEN": "0"}
        asked = {
            _VARIABLES.get(name, name.upper()) for name in (*_HEADER, *self._options(request))
        }
        left_out = {f"SBATCH_{name}" for name in asked}
        if left_out & _REQUEUE:
            left_out |= _REQUEUE
        return {k: v for k, v in here.items() if k not in left_out}

    def query(self, ids: Collection[str]) -> list[JobInfo]:
        """Tell all that is known of some jobs; see `Scheduler.query`.

        What squeue has forgotten, accounting may know, where there is accounting. It lags, so
        what it says of jobs that have not ended is left out.
        """
        found = super().query(ids)
        if not ids:
            return found
        known = {(job.id, job.indices) for job in found}
        later = [
            job
            for job in self._accounted(sorted(ids))
            if job.state.final and (job.id, job.indices) not in known
        ]
        live = [job for job in found if not job.state.final]
        return [*found, *(job for job in later if not _overlaps(job, live))]

    def _accounted(self, ids: Sequence[str]) -> list[JobInfo]:
        """Ask accounting for jobs; there may be none."""
        columns = "jobid%255,state%30,jobname%255"
        try:
            output = self.ask(["sacct", "-X", "-n", "-P", "-j", ",".join(ids), "-o", columns])
        except SchedulerError:  # what accounting says is an addition
            return []
        return list(parse_accounting(output))

    def limits(self, scheduler_args: Mapping[str, Any] | None = None) -> Limits:
        """Ask how much may be submitted; see `Scheduler.limits`.

        Where MaxArraySize is 0, there are no arrays, as `submit_array` then says.
        """
        config = self._config()
        array = _number(config.get("MaxArraySize"))
        most = [n - 1 for n in [_number(config.get("MaxJobCount"))] if n]
        if "limits" in config.get("AccountingStorageEnforce", ""):
            asked = options.one_of(_SHORT, scheduler_args or {})
            most += [limit - self._queued() for limit in self._submit_limits(asked)]
        return Limits(array or None, max(1, min(most) - 1) if most else None)

    def _config(self) -> dict[str, str]:
        """Ask how Slurm is configured."""
        return dict(_CONFIG.findall(self.ask(["scontrol", "show", "config"])))

    def _submit_as_it_is(self, request: Request) -> str:
        try:
            return super()._submit_as_it_is(request)
        except SchedulerError as err:
            refused = request.size is not None and "Invalid job array" in str(err)
            if not refused or self._config().get("MaxArraySize") != "0":
                raise
            raise NotImplementedError("this Slurm has no job arrays") from err

    def _submit_limits(self, asked: Mapping[str, Any]) -> Iterator[int]:
        """Ask accounting for how many jobs this user may have submitted."""
        user = f"user={machine.login_name()}"
        columns = "format=account,maxsubmitjobs,grpsubmitjobs,defaultqos"
        try:
            output = self.ask(["sacctmgr", "-n", "-P", "show", "assoc", "where", user, columns])
            rows = [line.split("|") for line in output.split("\n") if line.count("|") == 3]
            account = asked.get("account")
            mine = [row for row in rows if row[0] == account] or rows
            yield from (n for row in mine for n in map(_number, row[1:3]) if n)
            for qos in (
                {str(asked["qos"])} if "qos" in asked else {row[3] for row in mine} - {""}
            ):
                columns = "format=maxsubmitjobsperuser,maxsubmitjobsperaccount"
                where = ["where", f"name={qos}", columns]
                output = self.ask(["sacctmgr", "-n", "-P", "show", "qos", *where])
                yield from (n for n in map(_number, output.strip().split("|")) if n)
        except SchedulerError:  # then sbatch says so itself
            return

    def _queued(self) -> int:
        """Count the jobs that this user has now."""
        return sum(
            sum(stop - start for start, stop in job.indices) if job.indices else 1
            for job in self._all()
            if not job.state.final
        )

    def is_harmless(self, command: Sequence[str], words: str) -> bool:
        """Tell whether a failure does not matter: there is nothing to cancel any more."""
        return command[0] == "scancel" and "Invalid job id" in words


def parse_accounting(output: str) -> Iterator[JobInfo]:
    """Read what sacct printed: id, state and name, one job a line."""
    for line in output.split("\n"):
        fields = line.split("|", 2)
        if len(fields) == 3:
            jobid, state, name = fields
            yield from _jobs(jobid, state.split(" ")[0], "", name)


def _jobs(jobid: str, state: str, reason: str, name: str) -> Iterator[JobInfo]:
    """Make of a line what it tells; nothing if it is none."""
    found = _ID.fullmatch(jobid)
    if found:
        array, index, listed = found.groups()
        indices = parse_indices(listed if index is None else index)
        why = "" if reason == "None" else reason
        known = _STATES.get(state) or JobState.__members__.get(state)
        told = (known, why) if known else unknown_state(state)
        yield JobInfo(array, *told, name, indices)


def _overlaps(job: JobInfo, others: Iterable[JobInfo]) -> bool:
    """Tell whether others are, in part, the same jobs."""
    for other in others:
        if other.id != job.id:
            continue
        if other.indices is None or job.indices is None:
            return True
        if any(a < d and c < b for a, b in job.indices for c, d in other.indices):
            return True
    return False


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _pattern(request: Request) -> str:
    """Write the path of the log as sbatch understands it: `%` begins what it replaces."""
    if request.size is None:
        return request.output.replace("%", "%%")
    return "%a".join(part.replace("%", "%%") for part in request.output.split("%a"))


def _option(name: str, value: Any) -> str:
    option = name.replace("_", "-")
    return f"#SBATCH --{option}" if value is True else _directive(option, value)


def _directive(option: str, value: Any) -> str:
    line = options.text(option, value)
    if re.fullmatch(r"[\w./:,=+@%-]+", line):
        return f"#SBATCH --{option}={line}"
    escaped = line.replace("\\", "\\\\").replace('"', '\\"')
    return f'#SBATCH --{option}="{escaped}"'
