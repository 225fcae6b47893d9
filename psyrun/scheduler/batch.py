"""Own what schedulers with commands and job scripts have in common; know no one of them.

Such a scheduler gives six answers: how a job script looks (`render`), how it is submitted
(`submit_command`), what its id is (`parse_id`), how to ask for jobs (`status_command`), what
the answer says (`parse_status`), and how a job is cancelled (`kill_command`).
"""

import contextlib
import os
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from psyrun.exceptions import SchedulerError
from psyrun.files import replacing
from psyrun.scheduler import options
from psyrun.scheduler.base import (
    UNSATISFIABLE,
    JobInfo,
    JobState,
    JobStatus,
    Scheduler,
)
from psyrun.scheduler.jobscripts import Request, plain_name
from psyrun.scheduler.numbers import split_id
from psyrun.scheduler.units import seconds


class BatchScheduler(Scheduler):
    """A scheduler with commands and job scripts.

    All of them take in `scheduler_args`: `timelimit`, `memory`, `n_cpus`, `n_nodes`, `setup`
    (lines of shell before the job's command), and where they have arrays `throttle` (how many
    jobs of an array run at a time).

    Attributes
    ----------
    title : str
        What people call it.
    has_arrays : bool
        Whether it has job arrays.
    reads_stdin : bool
        Whether the job script is what the command reads from its standard input.
    ended_words : tuple of str
        What it says, in small letters, when it refuses a submission that depends on a job that
        has ended; none if it takes such a dependency as met.
    time_names : tuple of str
        What the time limit is called in `scheduler_args`.
    submit_seconds : float
        How long a submission may take: a scheduler that is full lets it wait for some minutes
        before it refuses.
    ask_seconds : float
        How long an answer may take.
    """

    title: ClassVar[str]
    has_arrays: ClassVar[bool] = True
    reads_stdin: ClassVar[bool] = False
    ended_words: ClassVar[tuple[str, ...]] = ()
    time_names: ClassVar[tuple[str, ...]] = ("timelimit",)
    submit_seconds: ClassVar[float] = 300.0
    ask_seconds: ClassVar[float] = 60.0

    @abstractmethod
    def render(self, request: Request) -> str:
        """Write the job script of a submission; depends on nothing else.

        Raises
        ------
        SchedulerError
            If it asks for what there is not.
        """

    @abstractmethod
    def submit_command(self, request: Request) -> list[str]:
        """Return the command that submits a request's job script."""

    @abstractmethod
    def parse_id(self, output: str) -> str:
        """Find the job's id in what the command printed; empty if there is none."""

    @abstractmethod
    def status_command(self) -> list[str]:
        """Return the command that tells about all jobs of this user."""

    @abstractmethod
    def parse_status(self, output: str) -> Iterable[JobInfo]:
        """Read what that command printed; lines that are no job are passed over."""

    @abstractmethod
    def kill_command(self, jobid: str) -> list[str]:
        """Return the command that cancels a job or an array."""

    def submit(
        self,
        args: Sequence[str],
        output_filename: str | os.PathLike[str],
        name: str | None = None,
        depends_on: Sequence[str] | None = None,
        scheduler_args: Mapping[str, Any] | None = None,
    ) -> str:
        """Submit one job; see `Scheduler.submit`."""
        return self._submit(
            self.request(
                args, output_filename, name, depends_on=depends_on, asked=scheduler_args
            )
        )

    def submit_array(
        self,
        n: int,
        args: Sequence[str],
        output_filename: str | os.PathLike[str],
        name: str | None = None,
        depends_on: Sequence[str] | None = None,
        scheduler_args: Mapping[str, Any] | None = None,
    ) -> str:
        """Submit an array; see `Scheduler.submit_array`."""
        if not self.has_arrays:
            raise NotImplementedError(f"{self.title} has no job arrays")
        return self._submit(
            self.request(
                args, output_filename, name, n, depends_on=depends_on, asked=scheduler_args
            )
        )

    def request(
        self,
        args: Sequence[str],
        output: str | os.PathLike[str],
        name: str | None = None,
        size: int | None = None,
        *,
        depends_on: Sequence[str] | None = None,
        asked: Mapping[str, Any] | None = None,
    ) -> Request:
        """Make a submission of its parts."""
        return Request(
            tuple(map(str, args)),
            os.path.abspath(os.fspath(output)),  # noqa: PTH100 - of a pattern, no file
            plain_name(name or Path(args[0]).name),
            size,
            tuple(depends_on or ()),
            {**self.USER_DEFAULT_ARGS, **(asked or {})},
        )

    def _submit(self, request: Request) -> str:
        if self.ended_words and request.depends_on:
            request = self._without_ended(request)
        try:
            return self._submit_as_it_is(request)
        except SchedulerError as err:
            if not any(words in str(err).lower() for words in self.ended_words):
                raise
            fewer = self._without_ended(request)
            if fewer == request:
                raise
            return self._submit_as_it_is(fewer)  # a job ended between question and submission

    def _without_ended(self, request: Request) -> Request:
        """Leave out what a submission need not wait for any more."""
        live = {job.id for job in self.query(request.depends_on) if not job.state.final}
        waited_for = tuple(jobid for jobid in request.depends_on if jobid in live)
        return replace(request, depends_on=waited_for)

    def _submit_as_it_is(self, request: Request) -> str:
        text = self.render(request)
        with replacing(request.script) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
        command = self.submit_command(request)
        output = self.ask(command, request)
        jobid = self.parse_id(output)
        if not jobid:
            raise SchedulerError(
                f"{command[0]} printed no job id, but: {output.strip()!r}; the job may run all "
                "the same"
            )
        return jobid

    def kill(self, jobid: str) -> None:
        """Cancel a job; see `Scheduler.kill`."""
        self.ask(self.kill_command(jobid))

    def get_status(self, jobid: str) -> JobStatus | None:
        """Tell how a job is; see `Scheduler.get_status`."""
        array, index = self.split(jobid)
        found = [
            job
            for job in self.query([array])
            if index is None or job.indices is None or _holds(job.indices, index)
        ]
        if not found:
            return None
        live = [job for job in found if not job.state.final]
        return JobStatus(jobid, _letter(live or found), found[0].name)

    def split(self, jobid: str) -> tuple[str, int | None]:
        """Split the id of one job of an array into the array's id and the index."""
        return split_id(jobid)

    def get_jobs(self) -> list[str]:
        """List the ids of the user's jobs; see `Scheduler.get_jobs`."""
        return list(dict.fromkeys(job.id for job in self._all() if not job.state.final))

    def query(self, ids: Collection[str]) -> list[JobInfo]:
        """Tell all that is known of some jobs; see `Scheduler.query`."""
        wanted = set(ids)
        return [job for job in self._all() if job.id in wanted] if wanted else []

    def find(self, names: Collection[str]) -> dict[str, str]:
        """Find jobs by name; see `Scheduler.find`."""
        asked = {plain_name(name): name for name in names}
        return {asked[job.name]: job.id for job in self._all() if job.name in asked}

    def _all(self) -> list[JobInfo]:
        """Ask for all jobs of this user."""
        return list(self.parse_status(self.ask(self.status_command())))

    def time_limit(
        self, scheduler_args: Mapping[str, Any] | None = None, name: str = ""
    ) -> float | None:
        """Tell for how many seconds a job may run; see `Scheduler.time_limit`."""
        asked = {**self.USER_DEFAULT_ARGS, **(scheduler_args or {})}
        for given, limit in asked.items():
            if str(given).replace("-", "_") in self.time_names:
                if callable(limit):
                    limit = options.called(given, limit, plain_name(name))  # noqa: PLW2901
                if not options.is_nothing(limit):
                    return seconds(limit)
        return None

    def check(self, scheduler_args: Mapping[str, Any]) -> None:
        """Raise a SchedulerError if something cannot be asked for; see `Scheduler.check`."""
        size = 1 if self.has_arrays else None
        self.render(self.request(["true"], "log", "job", size, asked=scheduler_args))

    def ask(self, command: Sequence[str], request: Request | None = None) -> str:
        """Run one of the scheduler's commands, and return what it prints.

        Parameters
        ----------
        command : sequence of str
            The command and its arguments.
        request : Request, optional
            The submission that the command is for; None for other commands.

        Raises
        ------
        SchedulerError
            If it is not there, fails, or takes too long; the message is what it said.
        """
        import subprocess

        patience = self.submit_seconds if request else self.ask_seconds
        stdin = request.script if request and self.reads_stdin else Path(os.devnull)
        try:
            code, *printed = _run(command, stdin, patience, self.environment(request))
        except FileNotFoundError as err:
            raise SchedulerError(
                f"there is no {command[0]} here: run this where {self.title}'s commands are, "
                "or set scheduler = ImmediateRun()"
            ) from err
        except OSError as err:
            raise SchedulerError(f"cannot run {command[0]}: {err.strerror}") from err
        except subprocess.TimeoutExpired as err:
            raise SchedulerError(
                f"{command[0]} gave no answer within {patience:.0f} s"
            ) from err
        output, words = (data.decode(errors="replace") for data in printed)
        said = words.strip() or output.strip()  # some say on their output why they fail
        if code and not self.is_harmless(command, said):
            said = "; ".join(line.strip() for line in said.split("\n") if line.strip())
            raise SchedulerError(said or f"{command[0]} failed with {code}")
        return output

    def environment(self, request: Request | None = None) -> dict[str, str] | None:  # noqa: ARG002
        """Return the environment of commands; None is this process' own.

        Parameters
        ----------
        request : Request, optional
            The submission that a command is for; None for other commands.
        """
        return None

    def is_harmless(self, command: Sequence[str], words: str) -> bool:  # noqa: ARG002
        """Tell whether a failed command that said this did what was wanted all the same."""
        return False


def _run(
    command: Sequence[str], stdin: Path, patience: float, environment: Mapping[str, str] | None
) -> tuple[int, bytes, bytes]:
    """Run a command; return its exit code, its output and its errors.

    When it takes too long, what it started is ended too: sites wrap commands in scripts.
    """
    import signal
    import subprocess

    with (
        stdin.open("rb") as source,
        subprocess.Popen(
            list(command),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        ) as process,
    ):
        try:
            output, words = process.communicate(timeout=patience)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, output, words


def _holds(indices: Iterable[tuple[int, int]], index: int) -> bool:
    return any(start <= index < stop for start, stop in indices)


def _letter(jobs: Sequence[JobInfo]) -> str:
    """Tell how some jobs are together, in the letters of `JobStatus`."""
    states = {job.state for job in jobs}
    if JobState.RUNNING in states:
        return "R"
    if JobState.SUSPENDED in states:
        return "Z"
    if JobState.PENDING in states:
        waits = all(job.reason in ("Dependency", UNSATISFIABLE) for job in jobs)
        return "*Q" if waits else "Q"
    return "D"
