"""Works off the queue: starts jobs as there are slots, and ends them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fakescheduler.core import Job, Queue

KILL_SECONDS = 0.3


class Runner:
    def __init__(self, folder: Path) -> None:
        self.queue = Queue(folder)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.started: dict[str, float] = {}
        self.asked_to_end: dict[str, float] = {}

    def step(self) -> None:
        with self.queue.opened() as jobs:
            for job in jobs:
                if job.state == "RUNNING":
                    self._watch(job)
            if (self.queue.folder / "held").exists():
                return
            for job in jobs:
                if job.state == "PENDING":
                    self._consider(job, jobs)

    def _watch(self, job: Job) -> None:
        process = self.running[job.raw]
        now = time.monotonic()
        code = process.poll()
        if code is not None:
            self._ended(job, code)
            return
        scale = self.queue.settings.get("time_scale", 1)
        late = job.limit is not None and now > self.started[job.raw] + job.limit * scale
        if late and not job.reason:
            job.reason = "limit"
        if job.reason in ("limit", "cancel"):
            first = self.asked_to_end.setdefault(job.raw, now)
            hard = now > first + KILL_SECONDS
            if first == now or hard:
                _signal(process.pid, signal.SIGKILL if hard else signal.SIGTERM)

    def _ended(self, job: Job, code: int) -> None:
        _signal(self.running.pop(job.raw).pid, signal.SIGKILL)  # and what it left behind
        states = {"limit": "TIMEOUT", "cancel": "CANCELLED"}
        job.state = states.get(job.reason, "FAILED" if code else "COMPLETED")
        again = self.queue.settings.get("requeue_exit_code") == code and job.requeue
        if job.reason == "requeue" or (again and not job.reason):
            job.state = "PENDING"
            job.restarts += 1
        job.code = code
        job.reason = ""
        self.asked_to_end.pop(job.raw, None)

    def _consider(self, job: Job, jobs: list[Job]) -> None:
        if any(not other.ended for other in jobs if other.id in job.depends):
            job.reason = "Dependency"
            return
        mine = sum(other.id == job.id and other.state == "RUNNING" for other in jobs)
        if job.throttle is not None and mine >= job.throttle:
            job.reason = "JobArrayTaskLimit"
        elif len(self.running) >= self.queue.settings.get("slots", 4):
            job.reason = "Resources"
        else:
            job.reason = ""
            self._start(job)

    def _start(self, job: Job) -> None:
        spool = self.queue.spool(job)
        environment = json.loads(spool.with_suffix(".env").read_text())
        with contextlib.ExitStack() as stack:
            try:
                output = Path(job.output or "/dev/null")
                log = stack.enter_context(output.open("ab" if job.append else "wb"))
            except OSError:
                job.state, job.code = "FAILED", 53
                return
            process = subprocess.Popen(
                ["/bin/bash", str(spool.with_suffix(".sh"))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=job.folder,
                env={**environment, **job.variables},
                start_new_session=True,
            )
        self.running[job.raw] = process
        self.started[job.raw] = time.monotonic()
        job.state, job.pid = "RUNNING", process.pid

    def end(self) -> None:
        for process in self.running.values():
            _signal(process.pid, signal.SIGKILL)
            process.wait()


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def main(folder: str) -> None:
    runner = Runner(Path(folder))
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    parent = os.getppid()
    while not ended and os.getppid() == parent:
        runner.step()
        time.sleep(0.02)
    runner.end()


if __name__ == "__main__":
    main(sys.argv[1])
