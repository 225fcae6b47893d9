"""Own sqsub, as SHARCNET had it: its commands, and what they print."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, ClassVar

from psyrun.scheduler import options
from psyrun.scheduler.base import JobInfo, JobState, unknown_state
from psyrun.scheduler.batch import BatchScheduler
from psyrun.scheduler.jobscripts import Request, script
from psyrun.scheduler.numbers import printed_id
from psyrun.scheduler.units import megabytes, seconds

_ARGS = frozenset(
    {"extra", "gpus", "memory", "n_cpus", "n_nodes", "project", "queue", "setup", "timelimit"}
)
_STATES = {
    "R": (JobState.RUNNING, ""),
    "Q": (JobState.PENDING, ""),
    "*Q": (JobState.PENDING, "Dependency"),
    "Z": (JobState.SUSPENDED, ""),
    "D": (JobState.COMPLETED, ""),
}
_MARK = "PSYRUN_JOB="
"""What the job's name follows in its command: sqjobs shows commands, but no names."""

_ROW = re.compile(r"\s*(\d+)\s+\S+\s+(\*?[A-Z])\s+.*", re.DOTALL)
_GONE = ("no such job", "unknown job", "not found", "does not exist", "already finished")


class Sqsub(BatchScheduler):
    """Run jobs by sqsub, as on SHARCNET; it has no job arrays.

    `scheduler_args` takes `timelimit`, `memory` (of a process), `n_cpus`, `n_nodes`, `gpus`,
    `setup` (shell lines), `queue`, `project`, and `extra`: further options of sqsub.
    """

    title = "sqsub"
    has_arrays: ClassVar[bool] = False
    ended_words: ClassVar[tuple[str, ...]] = _GONE

    def render(self, request: Request) -> str:
        """Write the script that the job is; what is asked for stands in the command."""
        list(_options(self._asked(request)))
        return script([], request, "", redirect=True)

    def _asked(self, request: Request) -> dict[str, Any]:
        return options.resolved(request.asked, _ARGS, self.title, request.name)

    def submit_command(self, request: Request) -> list[str]:
        """Return the command that submits; see `BatchScheduler.submit_command`."""
        asked = self._asked(request)
        command = ["sqsub", *_options(asked), "-o", "/dev/null", "-j", request.name]
        if request.depends_on:
            command.append(f"--waitfor={','.join(request.depends_on)}")
        for line in options.lines("extra", asked.get("extra", [])):
            command += shlex.split(line)
        job = ["/usr/bin/env", f"{_MARK}{request.name}", "/bin/bash", str(request.script)]
        return [*command, *job]

    def parse_id(self, output: str) -> str:
        """Find the id in `submitted as jobid 12`; see `BatchScheduler.parse_id`."""
        return printed_id(r".*submitted as jobid (\d+)", output)

    def status_command(self) -> list[str]:
        """Return the command that tells about jobs; see `BatchScheduler.status_command`."""
        return ["sqjobs"]

    def parse_status(self, output: str) -> Iterator[JobInfo]:
        """Read what sqjobs printed; see `BatchScheduler.parse_status`."""
        for line in output.split("\n"):
            match = _ROW.fullmatch(line)
            if match:
                told = _STATES.get(match[2]) or unknown_state(match[2])
                name = re.search(rf"{_MARK}([\w.-]+)", line)
                yield JobInfo(match[1], *told, name[1] if name else "")

    def kill_command(self, jobid: str) -> list[str]:
        """Return the command that cancels; see `BatchScheduler.kill_command`."""
        return ["sqkill", jobid]

    def is_harmless(self, command: Sequence[str], words: str) -> bool:
        """Tell whether there is no such job; see `BatchScheduler.is_harmless`."""
        return command[0] == "sqkill" and any(gone in words.lower() for gone in _GONE)


def _options(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options that ask for what a job needs."""
    for name, option in {"queue": "-q", "project": "-p"}.items():
        if name in asked:
            yield from (option, options.text(name, asked[name]))
    if "timelimit" in asked and (limit := seconds(asked["timelimit"])) is not None:
        yield from ("-r", f"{ceil(limit / 60)}m")
    if "memory" in asked:
        yield f"--mpp={megabytes(asked['memory'])}M"
    for name, option in {"n_cpus": "-n", "n_nodes": "-N"}.items():
        if name in asked:
            yield from (option, str(options.count(name, asked[name])))
    if gpus := options.counted("gpus", asked):
        yield f"--gpp={gpus}"
