"""Own Grid Engine: its job scripts, its commands, and what they print.

The facts are from qsub(1), qstat(1) and qdel(1), and from what the commands of version 8.1.9
were seen to do.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, ClassVar

from psyrun import machine
from psyrun.exceptions import SchedulerError
from psyrun.scheduler import options
from psyrun.scheduler.base import JobInfo, JobState, Limits
from psyrun.scheduler.batch import BatchScheduler
from psyrun.scheduler.jobscripts import Request, script
from psyrun.scheduler.numbers import number_of, parse_indices, printed_id
from psyrun.scheduler.units import clock, megabytes, seconds

_ARGS = frozenset(
    {
        "extra",
        "gpus",
        "mail_type",
        "mail_user",
        "memory",
        "n_cpus",
        "n_nodes",
        "parallel_environment",
        "priority",
        "project",
        "queue",
        "requeue",
        "timelimit",
    }
)
_WORDS = {
    "mail_type": "-m",
    "mail_user": "-M",
    "priority": "-p",
    "project": "-P",
    "queue": "-q",
}
"""What becomes an option of qsub as it is."""

_GONE = ("does not exist", "do not exist", "invalid job-task identifier")


class SGE(BatchScheduler):
    """Run jobs by Grid Engine (Sun, Son of, Univa or Altair).

    `scheduler_args` takes `timelimit`, `memory`, `n_cpus`, `gpus`, `throttle` (jobs at a time),
    `setup` (shell lines), `queue`, `project`, `priority`, `mail_user`, `mail_type`,
    `parallel_environment` (in which a job gets its `n_cpus`; `smp` unless said otherwise), and
    `extra`: lines of further options of qsub.
    """

    title = "Grid Engine"
    can_requeue: ClassVar[bool] = True

    def render(self, request: Request) -> str:
        """Write the job script; see `BatchScheduler.render`.

        The script itself appends to the log: what `-o` takes has no escape for a colon or a
        dollar sign.
        """
        known = {*_ARGS, *options.SHARED}
        asked = options.resolved(request.asked, known, self.title, request.name)
        header = ["-S /bin/bash", "-cwd", "-V", "-j y", "-o /dev/null", f"-N {request.name}"]
        if request.size is not None:
            header.append(f"-t 1-{request.size}")
            if "throttle" in asked:
                header.append(f"-tc {options.count('throttle', asked['throttle'])}")
        if request.depends_on:
            header.append(f"-hold_jid {','.join(request.depends_on)}")
        if (requeue := request.asked.get("requeue")) is not None:
            header.append("-r y" if requeue else "-r n")
        header += _resources(asked)
        header += [f"{_WORDS[k]} {options.text(k, v)}" for k, v in asked.items() if k in _WORDS]
        header += options.lines("extra", asked.get("extra", []))
        lines = [f"#$ {line}" for line in header]
        return script(lines, request, "$((SGE_TASK_ID - 1))", redirect=True)

    def submit_command(self, request: Request) -> list[str]:
        """Return the command that submits; see `BatchScheduler.submit_command`.

        What would let the job start at once or never, or take the script for a program, may
        stand in `.sge_request` files of the user; see sge_request(5).
        """
        return ["qsub", "-terse", "-b", "n", "-now", "n", str(request.script)]

    def parse_id(self, output: str) -> str:
        """Find the id, `3` or `3.1-10:1`; see `BatchScheduler.parse_id`."""
        return printed_id(r"(\d+)(?:\.\d+-\d+:\d+)?", output)

    def status_command(self) -> list[str]:
        """Return the command that tells about jobs; see `BatchScheduler.status_command`."""
        return ["qstat", "-xml", "-u", machine.login_name(), "-s", "prs"]

    def parse_status(self, output: str) -> Iterator[JobInfo]:
        """Read what qstat printed; see `BatchScheduler.parse_status`."""
        import xml.etree.ElementTree as ET

        start = output.find("<?xml")
        try:
            jobs = ET.fromstring(output[start:] if start >= 0 else output)  # noqa: S314
        except ET.ParseError as err:
            raise SchedulerError(f"qstat printed no XML, but: {output[:200]!r}") from err
        for job in jobs.iter("job_list"):
            jobid, letters = job.findtext("JB_job_number"), job.findtext("state")
            if jobid and letters:
                state, reason = _state(letters)
                indices = _indices(job.findtext("tasks"))
                yield JobInfo(jobid, state, reason, job.findtext("JB_name") or "", indices)

    def limits(self, scheduler_args: Mapping[str, Any] | None = None) -> Limits:  # noqa: ARG002
        """Ask how much may be submitted; see `Scheduler.limits`."""
        return Limits(number_of("max_aj_tasks", self.ask(["qconf", "-sconf"])))

    def kill_command(self, jobid: str) -> list[str]:
        """Return the command that cancels; see `BatchScheduler.kill_command`."""
        array, index = self.split(jobid)
        return ["qdel", array if index is None else f"{array}.{index + 1}"]

    def is_harmless(self, command: Sequence[str], words: str) -> bool:
        """Tell whether there was nothing to cancel; see `BatchScheduler.is_harmless`."""
        return command[0] == "qdel" and any(gone in words for gone in _GONE)


def _resources(asked: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a job needs. Grid Engine counts memory by slot, and a slot is a CPU."""
    cpus = options.count("n_cpus", asked.get("n_cpus", 1))
    if options.count("n_nodes", asked.get("n_nodes", 1)) > 1:
        raise SchedulerError(
            "Grid Engine has no 'n_nodes': name a parallel environment of your site that "
            "spreads jobs over hosts in 'parallel_environment', and set 'n_cpus'"
        )
    if cpus > 1 or "parallel_environment" in asked:
        where = options.text("parallel_environment", asked.get("parallel_environment", "smp"))
        yield f"-pe {where} {cpus}"
    if "timelimit" in asked and (limit := seconds(asked["timelimit"])) is not None:
        yield f"-l h_rt={clock(limit)}"
    if "memory" in asked:
        yield f"-l h_vmem={ceil(megabytes(asked['memory']) / cpus)}M"
    if gpus := options.counted("gpus", asked):
        yield f"-l gpu={gpus}"


def _state(letters: str) -> tuple[JobState, str]:
    """Read the letters of a state, as qstat(1) lists them; and the reason that they tell."""
    if "E" in letters:
        return JobState.PENDING, f"{letters}: it could not be started; see qstat -explain E"
    if "h" in letters:
        return JobState.PENDING, "Dependency"
    if "q" in letters or "w" in letters:
        return JobState.PENDING, ""
    suspended = any(letter in letters for letter in "sST") and "d" not in letters
    return (JobState.SUSPENDED if suspended else JobState.RUNNING), ""


def _indices(tasks: str | None) -> tuple[tuple[int, int], ...] | None:
    """Read indices, which Grid Engine counts from 1 on."""
    found = parse_indices(tasks)
    return None if found is None else tuple((start - 1, stop - 1) for start, stop in found)
