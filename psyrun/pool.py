"""Own the processes below a supervisor: starting, hearing, ending and burying them.

Knows how row processes are told things and how they die; which rows they get is the worker's.
"""

import contextlib
import json
import os
import resource
import selectors
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any, NoReturn

from psyrun.board import IDLE, Board
from psyrun.guard import guard
from psyrun.member import Death, Member

_END_SECONDS = 5.0
_ABORT_SECONDS = 1.0
_POLL_SECONDS = 0.2
_MOST_PATIENCE_SECONDS = 86400.0
"""The system waits for no more than some weeks at a time, and an end may be a year away."""

_MOST_REPORT_BYTES = 1 << 16


@dataclass
class Pool:
    """The row processes of a worker.

    Parameters
    ----------
    board : Board
        What they share.
    become : callable
        Called in a new process with its slot and the descriptors of its orders, its answers
        and its report; when it returns, the process ends.
    lifeline : int or None
        A file descriptor; when its other end closes, `events` raises `SystemExit`.
    """

    board: Board
    become: Callable[[int, int, int, int], None]
    lifeline: int | None = None
    members: dict[int, Member] = field(default_factory=dict)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _guarded: int = -1

    def open(self) -> None:
        """Start the guard, which ends all row processes should this process die."""
        if self.lifeline is not None:
            self._selector.register(self.lifeline, selectors.EVENT_READ)
        watched, self._guarded = os.pipe()
        with _undisturbed():
            if os.fork() == 0:
                os.close(self._guarded)
                guard(self.board, watched)
        os.close(watched)

    def start(self, slot: int) -> None:
        """Fork a row process. This process has no threads, and loads nothing of the user's."""
        order_end, orders = os.pipe()
        answers, answer_end = os.pipe()
        report = _memory_file()
        self.board.rows[slot] = IDLE
        with _undisturbed():
            pid = os.fork()
            if pid == 0:
                self._be_row_process(slot, (order_end, answer_end, report), [orders, answers])
            with contextlib.suppress(OSError):  # the child does both too: who is first is open
                os.setpgid(pid, pid)
            self.board.pids[slot] = pid
            death = _death_of(pid)
            member = Member(slot, pid, os.fdopen(orders, "w"), answers, report, death)
            self.members[slot] = member
        os.close(order_end)
        os.close(answer_end)
        for fd in (answers, death):
            if fd >= 0:
                self._selector.register(fd, selectors.EVENT_READ, slot)

    def _be_row_process(self, slot: int, own: tuple[int, int, int], foreign: list[int]) -> None:
        """Be a row process from here on; never returns."""
        code = 1
        try:
            os.setpgid(0, 0)
            self.board.pids[slot] = os.getpid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # these mean something to supervisors only
            for early in (signal.SIGUSR1, signal.SIGUSR2):
                signal.signal(early, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            foreign.append(self._guarded)
            for member in self.members.values():
                foreign += [member.orders.fileno(), member.answers, member.report, member.death]
            for fd in foreign:
                if fd >= 0:
                    os.close(fd)
            with contextlib.suppress(OSError):  # kqueue's descriptor is not there in a child
                self._selector.close()
            self.become(slot, *own)
            code = 0
        except BaseException:  # noqa: BLE001 - nothing may escape into the supervisor's code
            import traceback

            traceback.print_exc()
        finally:
            _leave(code)

    def events(self, seconds: float | None) -> Iterator[tuple[Member, dict[str, Any] | Death]]:
        """Wait for what row processes say and for their deaths, for some time at most.

        A process that has died is no longer a member when that is told.

        Raises
        ------
        SystemExit
            If the lifeline ends.
        """
        for key, _ in self._selector.select(self._patience(seconds)):
            if self._selector.get_map().get(key.fd) is not key:
                continue  # of a process buried a moment ago, whose number is used again
            if key.fd == self.lifeline:
                self._listen_for_end(key.fd)
                continue
            yield from self._listen(self.members[key.data], key.fd)
        for member in list(self.members.values()):
            if time.monotonic() >= member.kill_at:
                member.kill_at = inf
                member.signal(signal.SIGKILL)
            if member.death < 0 and member.has_ended():
                yield from self._listen_to_the_end(member)

    def _patience(self, seconds: float | None) -> float | None:
        """Tell how long to wait for events at most; None is as long as it takes."""
        now = time.monotonic()
        waits = [member.kill_at - now for member in self.members.values()]
        waits += [_POLL_SECONDS for member in self.members.values() if member.death < 0]
        waits += [] if seconds is None else [seconds]
        patience = min(waits, default=inf)
        return None if patience == inf else min(max(patience, 0.0), _MOST_PATIENCE_SECONDS)

    def _listen_to_the_end(
        self, member: Member
    ) -> Iterator[tuple[Member, dict[str, Any] | Death]]:
        """Hear all that a dead process has said, and bury it."""
        while self.members.get(member.slot) is member:
            yield from self._listen(member, member.death)

    def _listen_for_end(self, lifeline: int) -> None:
        """End this process if the other end of its lifeline is closed."""
        with contextlib.suppress(ConnectionResetError):
            if os.read(lifeline, 1024):
                return
        raise SystemExit(1)

    def _listen(
        self, member: Member, fd: int
    ) -> Iterator[tuple[Member, dict[str, Any] | Death]]:
        """Hear what a process says, until its pipe ends or it is dead.

        A child of a dead row process may hold the pipe open: so its death is watched itself.
        """
        if fd == member.death:
            os.set_blocking(member.answers, False)
        try:
            data = os.read(member.answers, 1 << 16)
        except BlockingIOError:
            data = b""
        if not data and fd != member.death:
            # it is about to end, or lives on and can't be heard: its death is watched itself
            self._selector.unregister(fd)
            member.kill_at = time.monotonic() + _END_SECONDS
            return
        if not data:
            yield member, self._bury(member)
            return
        *lines, member.buffer = (member.buffer + data).split(b"\n")
        for line in lines:
            yield member, json.loads(line)

    def _bury(self, member: Member) -> Death:
        """Let go of a process that has ended and of what it has started; find out how."""
        for fd in (member.answers, member.death):
            if fd >= 0:
                if fd in self._selector.get_map():
                    self._selector.unregister(fd)
                os.close(fd)
        with contextlib.suppress(BrokenPipeError):
            member.orders.close()
        del self.members[member.slot]
        # what it started, while the group's number is still its own
        member.signal(signal.SIGKILL)
        ended = member.ended or os.wait4(member.pid, 0)
        self.board.pids[member.slot] = 0
        report = os.pread(member.report, _MOST_REPORT_BYTES, 0).decode(errors="replace")
        os.close(member.report)
        _, status, usage = ended
        code = os.waitstatus_to_exitcode(status)
        return Death(code, report, usage.ru_maxrss * _MAXRSS_BYTES)

    def abort(self, member: Member) -> None:
        """End a process that takes too long, so that it leaves a report; soon if it can't.

        The fault handler writes the report within the signal's handler, also while compiled
        code runs that never comes back to Python.
        """
        _forbid_core(member.pid)
        member.kill_at = time.monotonic() + _ABORT_SECONDS
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGABRT)

    def end(self) -> None:
        """End all row processes and what they have started; what is journaled stays."""
        for member in self.members.values():
            member.signal(signal.SIGTERM)
        signal.signal(signal.SIGALRM, lambda *_: self._kill())
        signal.setitimer(signal.ITIMER_REAL, _END_SECONDS)
        for member in self.members.values():
            if member.ended is None:
                os.waitpid(member.pid, 0)
            member.signal(signal.SIGKILL)  # what it started may not have heeded the first
            self.board.pids[member.slot] = 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.members.clear()

    def _kill(self) -> None:
        for member in self.members.values():
            member.signal(signal.SIGKILL)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Put SIGTERM off while a process is made: its handler is the supervisor's alone."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


_MAXRSS_BYTES = 1 if os.uname().sysname == "Darwin" else 1024
"""The unit of `ru_maxrss`, see getrusage(2): kilobytes on Linux, bytes on macOS."""


def _death_of(pid: int) -> int:
    """Open what can be read when a process has ended; -1 where the system has no such thing."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, an old one, or forbidden in a container
        return -1


def _memory_file() -> int:
    """Make a file without a name, and return its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("psyrun-report")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _forbid_core(pid: int) -> None:
    """See to it that a process leaves no image of its memory, where that can be done."""
    if hasattr(resource, "prlimit"):
        with contextlib.suppress(OSError):
            _, hard = resource.prlimit(pid, resource.RLIMIT_CORE)
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, hard))


def _leave(code: int) -> NoReturn:
    """End this process without what Python does at its end: much of it is the supervisor's."""
    import sys

    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
