"""Own PBS, of both kinds: its job scripts, its commands, and what they print.

The facts are from qsub(1B), qstat(1B), qselect(1B) and qdel(1B) of OpenPBS (PBS Pro) and of
Torque.
"""

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from psyrun import machine
from psyrun.exceptions import SchedulerError
from psyrun.scheduler import options
from psyrun.scheduler.base import JobInfo, JobState, Limits, unknown_state
from psyrun.scheduler.batch import BatchScheduler
from psyrun.scheduler.jobscripts import Request, script
from psyrun.scheduler.numbers import number_of, printed_id, split_id
from psyrun.scheduler.units import clock, megabytes, seconds

_ARGS = frozenset(
    {
        "account",
        "extra",
        "gpus",
        "mail_type",
        "mail_user",
        "memory",
        "n_cpus",
        "n_nodes",
        "priority",
        "project",
        "queue",
        "timelimit",
    }
)
_WORDS = {
    "account": "-A",
    "mail_type": "-m",
    "mail_user": "-M",
    "priority": "-p",
    "project": "-P",
    "queue": "-q",
}
"""What becomes an option of qsub as it is."""

_STATES = {
    "B": JobState.RUNNING,
    "C": JobState.COMPLETED,
    "E": JobState.RUNNING,
    "F": JobState.COMPLETED,
    "H": JobState.PENDING,
    "M": JobState.PENDING,
    "Q": JobState.PENDING,
    "R": JobState.RUNNING,
    "S": JobState.SUSPENDED,
    "T": JobState.PENDING,
    "U": JobState.SUSPENDED,
    "W": JobState.PENDING,
    "X": JobState.COMPLETED,
}
_OUT_OF_TIME = "-29"
"""The exit status of a job that was ended for its time limit, in PBS Pro."""

_KILLED = frozenset({"265", "271"})
"""Exit statuses of jobs that were ended by SIGKILL or SIGTERM: 256 and the signal."""

_ID = re.compile(r"(\d+)(?:\[(\d*)\])?(\.\S+)?")
_GONE = re.compile(
    r"unknown job|job has finished|invalid (request )?(for )?state", re.IGNORECASE
)
_AT_A_TIME = 200


class PBS(BatchScheduler):
    """Run jobs by PBS: OpenPBS, PBS Pro, or Torque.

    Which of them it is, `qstat --version` is asked; a subclass that sets `flavour` need not.

    `scheduler_args` takes `timelimit`, `memory` and `n_cpus` (of a node), `n_nodes`, `gpus` (of
    a node), `throttle` (jobs at a time), `setup` (shell lines), `queue`, `account`, `project`,
    `priority`, `mail_user`, `mail_type`, and `extra`: lines of further options of qsub.

    Attributes
    ----------
    flavour : str or None
        `pro` or `torque`; None asks.
    """

    title = "PBS"
    ended_words: ClassVar[tuple[str, ...]] = ("unknown job", "has finished", "invalid state")
    flavour: ClassVar[str | None] = None

    @cached_property
    def _torque(self) -> bool:
        """Whether this is Torque; where there is no PBS at all, it is not."""
        if self.flavour is not None:
            return self.flavour == "torque"
        try:
            return "pbs_version" not in self.ask(["qstat", "--version"])
        except SchedulerError:
            return False

    @cached_property
    def _servers(self) -> frozenset[str]:
        """The names of the servers that are asked."""
        told = self.ask(["qstat", "-B", "-f"])
        return frozenset(re.findall(r"^Server:\s*(\S+)", told, re.MULTILINE))

    def split(self, jobid: str) -> tuple[str, int | None]:
        """Split an id; see `BatchScheduler.split`. A server's name may end like an index."""
        array, index = split_id(jobid)
        if index is not None:
            with contextlib.suppress(SchedulerError):
                if jobid.partition(".")[2] in self._servers:
                    return jobid, None
        return array, index

    def render(self, request: Request) -> str:
        """Write the job script; see `BatchScheduler.render`.

        The script itself appends to the log: PBS takes a path with a colon for one on a host,
        brings logs only when a job has ended, and replaces what was there.
        """
        known = {*_ARGS, *options.SHARED}
        asked = options.resolved(request.asked, known, self.title, request.name)
        header = ["-S /bin/bash", "-V", "-j oe", "-o /dev/null", f"-N {request.name}"]
        throttle = options.count("throttle", asked["throttle"]) if "throttle" in asked else None
        index = "0"  # PBS refuses arrays of one: such a job is none of an array
        if request.size is not None and request.size > 1:
            option, index = (
                ("-t", "$PBS_ARRAYID") if self._torque else ("-J", "$PBS_ARRAY_INDEX")
            )
            at_a_time = f"%{throttle}" if throttle else ""
            header.append(f"{option} 0-{request.size - 1}{at_a_time}")
        if request.depends_on:
            header.append(f"-W depend={self._dependencies(request.depends_on)}")
        header += _torque_resources(asked) if self._torque else _resources(asked)
        header += [f"{_WORDS[k]} {options.text(k, v)}" for k, v in asked.items() if k in _WORDS]
        header += options.lines("extra", asked.get("extra", []))
        lines = [f"#PBS {line}" for line in header]
        home = ['cd "$PBS_O_WORKDIR" || exit']
        return script(lines, request, index, redirect=True, before=home)

    def _dependencies(self, ids: Sequence[str]) -> str:
        """Write what a job waits for; Torque has a word of its own for arrays."""
        arrays = [jobid for jobid in ids if self._torque and "[" in jobid]
        others = [jobid for jobid in ids if jobid not in arrays]
        kinds = {"afterany": others, "afteranyarray": arrays}
        return ",".join(":".join([kind, *some]) for kind, some in kinds.items() if some)

    def submit_command(self, request: Request) -> list[str]:
        """Return the command that submits; see `BatchScheduler.submit_command`."""
        return ["qsub", str(request.script)]

    def parse_id(self, output: str) -> str:
        """Find the id, `12.server` or `12[].server`; see `BatchScheduler.parse_id`."""
        return printed_id(r"(\d+(?:\[\])?(?:\.\S+)?)", output)

    def status_command(self) -> list[str]:
        """Return the command that tells about jobs, to which their ids are added.

        Not in JSON, which holds the environment of jobs and is not always well-formed.
        """
        return ["qstat", "-f", "-t"]

    def _ask_past(self, command: Sequence[str], *rest: str) -> str:
        """Ask also for jobs that have ended: of PBS Pro by an option, if it keeps a history."""
        if not self._torque:
            try:
                return self.ask([*command, "-x", *rest])
            except SchedulerError as err:
                if "history" not in str(err):
                    raise
        return self.ask([*command, *rest])

    def query(self, ids: Collection[str]) -> list[JobInfo]:
        """Tell all that is known of some jobs; see `Scheduler.query`."""
        found = []
        asked = sorted(set(ids))
        for at in range(0, len(asked), _AT_A_TIME):
            output = self._ask_past(self.status_command(), *asked[at : at + _AT_A_TIME])
            found += [job for job in self.parse_status(output) if job.id in ids]
        return found

    def _all(self) -> list[JobInfo]:
        """Ask for all jobs of this user, of PBS Pro also for those that have ended."""
        listed = self._ask_past(["qselect"], "-u", machine.login_name()).split()
        found = [match for match in map(_ID.fullmatch, listed) if match]
        return self.query([_array(match) for match in found])

    def parse_status(self, output: str) -> Iterator[JobInfo]:
        """Read what qstat printed; see `BatchScheduler.parse_status`."""
        jobs = dict(_parse_full(output))
        of_arrays = {_array(match) for match in jobs if match[2]}
        for match, known in jobs.items():
            if match[2] == "" and _array(match) in of_arrays:
                continue  # an array as a whole, whose jobs are told one by one
            indices = ((int(match[2]), int(match[2]) + 1),) if match[2] else None
            yield JobInfo(_array(match), *_state(known), known.get("Job_Name", ""), indices)

    def limits(self, scheduler_args: Mapping[str, Any] | None = None) -> Limits:  # noqa: ARG002
        """Ask how much may be submitted; see `Scheduler.limits`."""
        name = "max_job_array_size" if self._torque else "max_array_size"
        return Limits(number_of(name, self.ask(["qstat", "-B", "-f"])))

    def kill_command(self, jobid: str) -> list[str]:
        """Return the command that cancels; see `BatchScheduler.kill_command`."""
        array, index = self.split(jobid)
        return ["qdel", array.replace("[]", f"[{index}]") if index is not None else array]

    def is_harmless(self, command: Sequence[str], words: str) -> bool:
        """Tell whether the jobs are gone; see `BatchScheduler.is_harmless`."""
        said = words.strip().split("\n")
        return command[0] in ("qdel", "qstat") and all(map(_GONE.search, said))


def _array(match: re.Match[str]) -> str:
    """Return the id of a job, or of the array that it is of."""
    return f"{match[1]}{'' if match[2] is None else '[]'}{match[3] or ''}"


def _parse_full(output: str) -> Iterator[tuple[re.Match[str], dict[str, str]]]:
    """Read what `qstat -f` printed: of each job its id, and what is said of it by name.

    Notes
    -----
    Lines that go on begin with a tab. A name that comes twice is part of a variable of the job
    that has several lines.
    """
    unbroken = re.sub(r"\n\t", "", output)
    for part in re.split(r"^Job Id:\s*", unbroken, flags=re.MULTILINE)[1:]:
        first, _, rest = part.partition("\n")
        known: dict[str, str] = {}
        for name, value in re.findall(r"^ +(\w[\w.]*) = (.*)$", rest, re.MULTILINE):
            known.setdefault(name, value)
        match = _ID.fullmatch(first.strip())
        if match:
            yield match, known


def _state(known: Mapping[str, str]) -> tuple[JobState, str]:
    """Tell how a job is, and why, by what is said of it."""
    letter = known.get("job_state", "")
    if letter not in _STATES:
        return unknown_state(letter)
    if letter == "H":
        return JobState.PENDING, "Dependency" if "depend" in known else "held"
    state = _STATES[letter]
    return _ended(known.get("Exit_status")) if state is JobState.COMPLETED else (state, "")


def _ended(status: str | None) -> tuple[JobState, str]:
    """Tell how a job that has ended did, by its exit status."""
    if status in (None, "0"):
        return JobState.COMPLETED, ""
    if status == _OUT_OF_TIME:
        return JobState.TIMEOUT, ""
    killed = status in _KILLED
    return (JobState.CANCELLED if killed else JobState.FAILED), f"exit status {status}"


def _walltime(asked: Mapping[str, Any]) -> Iterable[str]:
    if "timelimit" in asked and (limit := seconds(asked["timelimit"])) is not None:
        yield f"-l walltime={clock(limit)}"


def _resources(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a job needs, as PBS Pro understands it."""
    yield from _walltime(asked)
    wanted = _counts(asked, {"n_cpus": "ncpus", "gpus": "ngpus"})
    if "memory" in asked:
        wanted.append(f"mem={megabytes(asked['memory'])}mb")
    if wanted or "n_nodes" in asked:
        nodes = options.count("n_nodes", asked.get("n_nodes", 1))
        yield f"-l select={':'.join([str(nodes), *wanted])}"


def _torque_resources(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a job needs, as Torque understands it: memory is that of all nodes."""
    yield from _walltime(asked)
    wanted = _counts(asked, {"n_cpus": "ppn", "gpus": "gpus"})
    nodes = options.count("n_nodes", asked.get("n_nodes", 1))
    if wanted or "n_nodes" in asked:
        yield f"-l nodes={':'.join([str(nodes), *wanted])}"
    if "memory" in asked:
        yield f"-l mem={nodes * megabytes(asked['memory'])}mb"


def _counts(asked: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    counted = {to: options.counted(name, asked) for name, to in names.items()}
    return [f"{to}={number}" for to, number in counted.items() if number]
