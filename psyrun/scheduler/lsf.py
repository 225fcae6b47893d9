"""Own LSF: its job scripts, its commands, and what they print.

The facts are from the command reference of IBM Spectrum LSF 10.1: bsub, bjobs and bkill.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, ClassVar

from psyrun.scheduler import options
from psyrun.scheduler.base import JobInfo, JobState, Limits, unknown_state
from psyrun.scheduler.batch import BatchScheduler
from psyrun.scheduler.jobscripts import Request, script
from psyrun.scheduler.numbers import number_of, printed_id
from psyrun.scheduler.units import megabytes, seconds

_ARGS = frozenset(
    {
        "account",
        "extra",
        "gpus",
        "mail_user",
        "memory",
        "n_cpus",
        "n_nodes",
        "priority",
        "project",
        "queue",
        "requeue",
        "timelimit",
    }
)
_WORDS = {
    "account": "-G",
    "priority": "-sp",
    "project": "-P",
    "queue": "-q",
}
"""What becomes an option of bsub as it is."""

_STATES = {
    "PEND": JobState.PENDING,
    "PSUSP": JobState.PENDING,
    "PROV": JobState.PENDING,
    "WAIT": JobState.PENDING,
    "RUN": JobState.RUNNING,
    "UNKWN": JobState.RUNNING,
    "SSUSP": JobState.SUSPENDED,
    "USUSP": JobState.SUSPENDED,
    "DONE": JobState.COMPLETED,
    "EXIT": JobState.FAILED,
    "ZOMBI": JobState.FAILED,
}
_FIELDS = "jobid jobindex stat dependency job_name delimiter='^'"
_REQUEUE = 99
"""The exit code of a job that wants to come back."""

_NOTHING = ("no job found", "no matching job", "no unfinished job", "is not found")
_ENDED = ("job has already finished", "job has been terminated")


class LSF(BatchScheduler):
    """Run jobs by LSF.

    `scheduler_args` takes `timelimit`, `memory` and `n_cpus` (of a node), `n_nodes`, `gpus` (of
    a node), `throttle` (jobs at a time), `setup` (shell lines), `queue`, `account` (a user
    group), `project`, `priority`, `mail_user`, and `extra`: lines of further options of bsub.
    """

    title = "LSF"
    can_requeue: ClassVar[bool] = True
    reads_stdin: ClassVar[bool] = True
    ended_words: ClassVar[tuple[str, ...]] = ("no matching job", "dependency condition")

    def render(self, request: Request) -> str:
        """Write the job script; see `BatchScheduler.render`.

        The script itself appends to the log, into which LSF would write a report.
        """
        known = {*_ARGS, *options.SHARED}
        asked = options.resolved(request.asked, known, self.title, request.name)
        at_a_time = (
            f"%{options.count('throttle', asked['throttle'])}" if "throttle" in asked else ""
        )
        array = f"[1-{request.size}]{at_a_time}" if request.size is not None else ""
        header = [f'-J "{request.name}{array}"', "-o /dev/null"]
        if request.depends_on:
            conditions = " && ".join(f"ended({jobid})" for jobid in request.depends_on)
            header.append(f'-w "{conditions}"')
        if (requeue := request.asked.get("requeue")) is not None:
            header += ["-r", f'-Q "{_REQUEUE}"'] if requeue else ["-rn"]
        header += _resources(asked)
        header += [f"{_WORDS[k]} {options.text(k, v)}" for k, v in asked.items() if k in _WORDS]
        if "mail_user" in asked:  # who gets no mail without -N, as there is an -o
            header.append(f"-N -u {options.text('mail_user', asked['mail_user'])}")
        header += options.lines("extra", asked.get("extra", []))
        lines = [f"#BSUB {line}" for line in header]
        return script(lines, request, "$((LSB_JOBINDEX - 1))", redirect=True)

    def submit_command(self, request: Request) -> list[str]:  # noqa: ARG002 - it reads the script
        """Return the command that submits; see `BatchScheduler.submit_command`."""
        return ["bsub"]

    def parse_id(self, output: str) -> str:
        """Find the id in `Job <12> is submitted to queue <normal>.`."""
        return printed_id(r"Job <(\d+)> is submitted to .*", output)

    def status_command(self) -> list[str]:
        """Return the command that tells about jobs; see `BatchScheduler.status_command`."""
        return ["bjobs", "-a", "-noheader", "-o", _FIELDS]

    def parse_status(self, output: str) -> Iterator[JobInfo]:
        """Read what bjobs printed; see `BatchScheduler.parse_status`."""
        for line in output.split("\n"):
            fields = line.split("^", 4)
            if len(fields) != 5 or not (fields[0].isdecimal() and fields[1].isdecimal()):
                continue
            index, known = int(fields[1]), _STATES.get(fields[2])
            waits = known is JobState.PENDING and fields[3].strip() not in ("", "-")
            reason = "Dependency" if waits else ""
            told = (known, reason) if known else unknown_state(fields[2])
            name = fields[4].removesuffix(f"[{index}]") if index else fields[4]
            indices = ((index - 1, index),) if index else None
            yield JobInfo(fields[0], *told, name, indices)

    def limits(self, scheduler_args: Mapping[str, Any] | None = None) -> Limits:  # noqa: ARG002
        """Ask how much may be submitted; see `Scheduler.limits`."""
        return Limits(number_of("MAX_JOB_ARRAY_SIZE", self.ask(["bparams", "-a"])))

    def kill_command(self, jobid: str) -> list[str]:
        """Return the command that cancels; see `BatchScheduler.kill_command`."""
        array, index = self.split(jobid)
        return ["bkill", array if index is None else f"{array}[{index + 1}]"]

    def is_harmless(self, command: Sequence[str], words: str) -> bool:
        """Tell whether there are no such jobs; see `BatchScheduler.is_harmless`."""
        said = words.strip().lower().split("\n")
        known = _NOTHING if command[0] == "bjobs" else (*_NOTHING, *_ENDED)
        return command[0] != "bsub" and all(any(x in line for x in known) for line in said)


def _resources(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a job needs; LSF counts time in minutes."""
    cpus = options.count("n_cpus", asked.get("n_cpus", 1))
    nodes = options.count("n_nodes", asked.get("n_nodes", 1))
    if cpus * nodes > 1:
        yield f"-n {cpus * nodes}"
        yield f'-R "span[{f"ptile={cpus}" if nodes > 1 else "hosts=1"}]"'
    if "timelimit" in asked and (limit := seconds(asked["timelimit"])) is not None:
        yield f"-W {ceil(limit / 60)}"
    if "memory" in asked:
        memory = f"{megabytes(asked['memory'])}MB"
        yield f"-M {memory}"
        yield f'-R "rusage[mem={memory}]"'
    if gpus := options.counted("gpus", asked):
        yield f'-gpu "num={gpus}"'
