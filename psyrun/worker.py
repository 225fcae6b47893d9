"""Own the supervisor: it starts row processes, deals rows to them and replaces the dead.

Run as ``python -P -m psyrun.worker WORKDIR JOB...``, on a laptop and on a compute node alike.
Imports nothing of the user's.
"""

import argparse
import contextlib
import json
import mmap
import os
import selectors
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TextIO

from psyrun import machine, rowprocess, rows
from psyrun.code import CodeImage, frozen_code
from psyrun.dealing import Dealer
from psyrun.exceptions import PsyrunError, TaskError
from psyrun.jobs import Job, job_names, origin, read_job
from psyrun.journal import JournalWriter
from psyrun.locks import now
from psyrun.rowprocess import IDLE, Assignment
from psyrun.rows import Ranges
from psyrun.state import read_sources
from psyrun.workdir import Workdir

_DEATHS_WITHOUT_ROW = 3
_TERMINATED = 143
_END_SECONDS = 5.0


@dataclass
class RowProcess:
    """A row process as its supervisor sees it.

    Attributes
    ----------
    slot : int
        Its place.
    pid : int
        Its process id.
    orders : text file
        Where it is told what to do.
    answers : int
        The file descriptor of the pipe on which it answers.
    death : int
        A file descriptor that can be read once it has ended; -1 where there is no such thing.
    job, block : int or None, ranges
        What it works on.
    started : bool
        Whether it has loaded the task.
    stopping : bool
        Whether it was told to end.
    """

    slot: int
    pid: int
    orders: TextIO
    answers: int
    death: int = -1
    job: int | None = None
    block: Ranges = ()
    started: bool = False
    stopping: bool = False
    buffer: bytes = b""

    def order(self, message: Any) -> None:
        """Tell it what to do; one that is dead is found out when its pipe ends."""
        self.stopping = message == "stop"
        try:
            self.orders.write(json.dumps(message) + "\n")
            self.orders.flush()
        except BrokenPipeError:
            pass


@dataclass
class Supervisor:
    """Evaluates the rows of some jobs with a pool of row processes.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    jobs : sequence of Job
        The jobs, all of one run.
    pool_size : int
        How many row processes to start at most.
    lifeline : int or None
        A file descriptor; when its other end closes, this process ends.
    """

    workdir: Workdir
    jobs: Sequence[Job]
    pool_size: int
    lifeline: int | None
    image: CodeImage = field(init=False)
    dealer: Dealer = field(init=False)
    pool: dict[int, RowProcess] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    failed: bool = False
    _deaths: int = 0
    _journals: dict[str, JournalWriter] = field(default_factory=dict)

    def run(self) -> int:
        """Evaluate all rows that are not done yet; return the exit code."""
        self.image = frozen_code(self.workdir.code(self.jobs[0].code))
        changed = self.image.changed_files(Path(self.jobs[0].taskdir))
        if changed:
            self._fail_jobs(_changed_error(changed))
            return 1
        todo = [left_to_do(self.workdir, job) for job in self.jobs]
        total = sum(map(rows.count, todo))
        size = max(1, min(self.pool_size, total))
        self.dealer = Dealer(todo, size)
        machine.limit_threads(size)
        self.cells = memoryview(mmap.mmap(-1, 8 * size)).cast("q")
        if self.lifeline is not None:
            self.selector.register(self.lifeline, selectors.EVENT_READ)
        for slot in range(size):
            self._start(slot)
        while self.pool:
            for key, _ in self.selector.select():
                if self.selector.get_map().get(key.fd) is not key:
                    continue  # of a process buried a moment ago, whose number is used again
                if key.fd == self.lifeline:
                    self._check_lifeline()
                else:
                    self._listen(self.pool[key.data], key.fd)
        for journal in self._journals.values():
            journal.close()
        return int(self.failed)

    def _start(self, slot: int) -> None:
        """Fork a row process. This process has no threads, and loads nothing of the user's."""
        order_end, orders = os.pipe()
        answers, answer_end = os.pipe()
        self.cells[slot] = IDLE
        pid = os.fork()
        if pid == 0:
            self._become(slot, order_end, answer_end, [orders, answers])
        os.close(order_end)
        os.close(answer_end)
        death = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
        self.pool[slot] = RowProcess(slot, pid, os.fdopen(orders, "w"), answers, death)
        self.selector.register(answers, selectors.EVENT_READ, slot)
        if death >= 0:
            self.selector.register(death, selectors.EVENT_READ, slot)

    def _become(self, slot: int, orders: int, answers: int, foreign: list[int]) -> NoReturn:
        """Be a row process from here on."""
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for p in self.pool.values():
                foreign += [p.orders.fileno(), p.answers, p.death]
            for fd in foreign:
                if fd >= 0:
                    os.close(fd)
            self.selector.close()
            self._detach_input()
            rowprocess.main(
                Assignment(
                    slot=slot,
                    workdir=self.workdir,
                    jobs=self.jobs,
                    image=self.image,
                    cells=self.cells,
                    orders=orders,
                    answers=answers,
                    own_logs=self.lifeline is not None,
                )
            )
            code = 0
        except BaseException:  # noqa: BLE001 - nothing may escape into the supervisor's code
            import traceback

            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)

    def _detach_input(self) -> None:
        """Let user code read an empty standard input, not the supervisor's lifeline."""
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)

    def _listen(self, process: RowProcess, fd: int) -> None:
        """Hear what a process says, until its pipe ends or it is dead.

        A child of a dead row process may hold the pipe open: so its death is watched itself.
        """
        dead = fd == process.death
        if dead:
            os.set_blocking(process.answers, False)
        try:
            data = os.read(process.answers, 1 << 16)
        except BlockingIOError:
            data = b""
        if not data:
            self._bury(process)
            return
        *lines, process.buffer = (process.buffer + data).split(b"\n")
        for line in lines:
            self._hear(process, json.loads(line))

    def _hear(self, process: RowProcess, answer: dict[str, Any]) -> None:
        match answer:
            case {"broken": error}:
                self._fail_jobs(error)
                return
            case {"evaluated": index}:
                self.dealer.settled(index, rows.count(process.block))
                self._deaths = 0
        process.started = True
        process.job, process.block = None, ()
        self._occupy(process)

    def _occupy(self, process: RowProcess) -> None:
        """Give an idle process its next order."""
        whole = self.dealer.next_whole()
        if whole is not None:
            process.order({"finish": whole})
            return
        block = self.dealer.next_block()
        if block is not None:
            process.job, process.block = block
            process.order({"job": process.job, "rows": process.block})
            return
        process.order("stop")

    def _bury(self, process: RowProcess) -> None:
        """See what a process that ended was at, and start another if there is work left."""
        for fd in (process.answers, process.death):
            if fd >= 0:
                self.selector.unregister(fd)
                os.close(fd)
        with contextlib.suppress(BrokenPipeError):
            process.orders.close()
        del self.pool[process.slot]
        _, status = os.waitpid(process.pid, 0)
        if status == 0 and process.stopping:
            return
        cause = _cause(os.waitstatus_to_exitcode(status))
        row = self.cells[process.slot]
        if process.job is not None and row != IDLE:
            self._record_death(process.job, row, process.block, cause)
        elif not process.started or self._deaths >= _DEATHS_WITHOUT_ROW:
            self._fail_jobs(_error("ProcessDied", f"the row process died: {cause}"))
            return
        else:
            self._deaths += 1
            if process.job is not None:
                self.dealer.give_back(process.job, process.block)
        self._start(process.slot)

    def _record_death(self, index: int, row: int, block: Ranges, cause: str) -> None:
        """Give the row under way its error, and the rest of its block back."""
        done, rest = _around(block, row)
        self.dealer.settled(index, done + 1)
        self.dealer.give_back(index, rest)
        self.failed = True
        error = _error("ProcessDied", f"the process died: {cause}")
        self._journal(self.jobs[index]).failed(row, 0.0, 0.0, error)

    def _fail_jobs(self, error: dict[str, Any]) -> None:
        """Note that the jobs cannot be evaluated, and end the row processes."""
        self.failed = True
        for process in self.pool.values():
            process.order("stop")
        if self._deaths > _DEATHS_WITHOUT_ROW:
            return
        self._deaths = _DEATHS_WITHOUT_ROW + 1
        print(f"{error['type']}: {error['message']}", file=sys.stderr, flush=True)
        for job in self.jobs:
            if left_to_do(self.workdir, job):
                self._journal(job).job_failed(error)

    def _journal(self, job: Job) -> JournalWriter:
        if job.name not in self._journals:
            writer = JournalWriter(self.workdir.new_journal(job.name), origin(job))
            self._journals[job.name] = writer
        return self._journals[job.name]

    def _check_lifeline(self) -> None:
        assert self.lifeline is not None
        if not os.read(self.lifeline, 1024):
            raise SystemExit(1)

    def end_pool(self) -> None:
        """End all row processes; what they have journaled stays."""
        for process in self.pool.values():
            os.kill(process.pid, signal.SIGTERM)
        signal.signal(signal.SIGALRM, lambda *_: self._kill_pool())
        signal.setitimer(signal.ITIMER_REAL, _END_SECONDS)
        for process in self.pool.values():
            os.waitpid(process.pid, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _kill_pool(self) -> None:
        for process in self.pool.values():
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def left_to_do(workdir: Workdir, job: Job) -> Ranges:
    """Find the rows of a job that no journal and no partial result of it holds."""
    wanted = bytearray(max((stop for _, stop in job.rows), default=0))
    for start, stop in job.rows:
        wanted[start:stop] = b"\1" * (stop - start)
    for source in read_sources(workdir, job.name):
        for start, stop in source.done:
            wanted[start:stop] = bytes(stop - start)
    return rows.of_state(wanted, rows.RowState.FAILED)


def _around(block: Ranges, row: int) -> tuple[int, Ranges]:
    """Count a block's rows before one, and return those behind it."""
    before = sum(min(stop, row) - start for start, stop in block if start < row)
    rest = tuple((max(start, row + 1), stop) for start, stop in block if stop > row + 1)
    return before, rest


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"signal {-code}"


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "host": machine.host(), "when": now()}


def _changed_error(files: Sequence[str]) -> dict[str, Any]:
    listed = ", ".join(files[:5])
    return _error(
        TaskError.__name__,
        f"file_dep changed since the task was submitted: {listed}; run the task again",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Be a worker."""
    parser = argparse.ArgumentParser(prog="python -m psyrun.worker", description=main.__doc__)
    parser.add_argument("workdir", type=Path, help="the task's work directory")
    parser.add_argument("jobs", nargs="*", help="names of the jobs to evaluate")
    parser.add_argument("--run", type=int, help="evaluate all jobs of this run")
    parser.add_argument("--pool-size", type=int, default=1, help="number of row processes")
    parser.add_argument(
        "--lifeline", action="store_true", help="end when standard input ends; log by job"
    )
    parser.add_argument("--merge", type=int, help="merge the results of this run instead")
    parser.add_argument("--folder", type=Path, help="where the task was submitted")
    args = parser.parse_args(argv)
    workdir = Workdir(args.workdir.absolute())
    if args.merge is not None:
        from psyrun.run import merge_job

        return _told(lambda: merge_job(workdir, args.merge, args.folder))
    names = args.jobs or job_names(workdir, args.run)
    jobs = [read_job(workdir, name) for name in names]
    supervisor = Supervisor(workdir, jobs, args.pool_size, 0 if args.lifeline else None)

    def terminate(*_: object) -> NoReturn:
        raise SystemExit(_TERMINATED)

    signal.signal(signal.SIGTERM, terminate)
    try:
        return _told(supervisor.run)
    finally:
        supervisor.end_pool()


def _told(action: Callable[[], int]) -> int:
    """Do something; an error becomes a message in the log."""
    try:
        return action()
    except (PsyrunError, OSError) as err:
        print(f"ERROR {err}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
