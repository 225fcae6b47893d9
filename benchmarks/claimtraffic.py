"""Simulate the traffic of claims on a shared file system, and print or write a table.

    python -m benchmarks.claimtraffic [--quick] [--capacity N] [--write FILE]

Workers share the rows of a run as `psyrun.balancing` lets them: the bookkeeping of a share and
the length of a turn are Psyrun's own functions, and each change of a share costs the operations
that were counted with strace. They all ask one metadata server, which has a queue and works at
some operations at once. Nothing sleeps: the time is simulated, and drawn from a seed.

Left out: reading and writing of rows, the start of Python, lost locks, and deaths. A worker
keeps the 256 largest of the shares it has seen, and looks at all again when these are used up.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from psyrun import rows
from psyrun.claims import Share
from psyrun.dealing import turn_seconds

if TYPE_CHECKING:
    from collections.abc import Generator

    from psyrun.rows import Ranges

START, FINISH = 20, 15
"""Operations at the start of a worker, and for the partial result of a job."""
LOCK, POLL, CHANGE = 2, 1, 5
"""Open and lock; try the lock once more; read, mkdir, create, rename, close."""
LOOK, MEET, ALIVE, BEAT = 1, 1, 4, 2
"""Read a share; its job, the first time; see whether a holder lives; touch one's own file."""
FSYNC = 1
RETRY_SECONDS, PATIENCE_SECONDS, BEAT_SECONDS, LEAST_WAIT_SECONDS = 0.002, 60.0, 10.0, 5.0
LEAST_BLOCK_SECONDS = 0.05
AT_ONCE = 64
KEPT = 256
LATENCIES = (0.001, 0.005, 0.01, 0.05)
WORKERS, SLOW = (1, 10, 100, 1000), (10_000,)
"""The slow ones take minutes each."""


@dataclass(frozen=True)
class Scene:
    """What is simulated.

    Attributes
    ----------
    workers : int
        How many there are; each has a job, and all start at once.
    latency : float
        What an operation takes, in seconds.
    capacity : int
        How many operations the server works at at once.
    shared : bool
        Whether rows are shared; else each worker has its own job only.
    most_looks : int or None
        A worker that needs rows takes from the best of so many shares, and leaves if none of so
        many has any. None looks at all, as Psyrun does.
    rows_each, seconds : int, float
        Rows of a job, and how long a row takes on average.
    """

    workers: int
    latency: float
    capacity: int = 16
    shared: bool = True
    most_looks: int | None = None
    rows_each: int = 300
    seconds: float = 2.0


@dataclass
class Outcome:
    """What came of it: times in seconds.

    Attributes
    ----------
    ideal, makespan, end : float
        When rows alone would be done; when they were; when the last worker left.
    asking : float
        How long all workers waited for the server and for locks, in sum.
    present : float
        How long all workers were there, in sum.
    claims, operations : int
        Blocks taken; operations done by the server.
    times : array of int
        How often each row was evaluated.
    """

    ideal: float
    makespan: float = 0.0
    end: float = 0.0
    asking: float = 0.0
    present: float = 0.0
    claims: int = 0
    operations: int = 0
    times: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))

    @property
    def waiting(self) -> float:
        """Which share of the workers' time went by waiting for the server."""
        return self.asking / self.present


class Simulation:
    """Workers, shares and a server."""

    def __init__(self, scene: Scene, seed: int = 1) -> None:
        self.scene = scene
        draw = np.random.default_rng(seed)
        shape = (scene.workers, scene.rows_each)
        # rows of a job take alike, and jobs differ
        of_job = draw.lognormal(-0.045, 0.3, (scene.workers, 1))
        lasting = scene.seconds * of_job * draw.lognormal(-0.125, 0.5, shape)
        self.ends = np.cumsum(lasting, axis=1)
        self.outcome = Outcome(float(self.ends[:, -1].sum()) / scene.workers)
        self.outcome.times = np.zeros(shape, np.uint8)
        self.shares = [Share(((0, scene.rows_each),)) for _ in range(scene.workers)]
        self.free = np.full(scene.workers, scene.rows_each)
        self.over = np.zeros(scene.workers, bool)
        self.locked = np.zeros(scene.workers, bool)
        self.slots = [0.0] * scene.capacity
        self.now = 0.0
        self.watch: int | None = None

    def ask(self, operations: int) -> float:
        """Let the server do operations that follow each other; tell how long that takes."""
        start = max(self.now, heapq.heappop(self.slots))
        end = start + operations * self.scene.latency
        heapq.heappush(self.slots, end)
        self.outcome.operations += operations
        return end - self.now

    def evaluate(self, index: int, block: Ranges, turn: float) -> tuple[Ranges, float]:
        """Evaluate rows until the turn is over; tell which are left, and how long it took."""
        spent, left = 0.0, []
        for start, stop in block:
            before = self.ends[index, start - 1] if start else 0.0
            ends = self.ends[index, start:stop]
            begun = int(np.searchsorted(ends, before + turn - spent)) + 1 if spent < turn else 0
            begun = min(begun, stop - start)
            if begun:
                spent += float(ends[begun - 1] - before)
                self.outcome.times[index, start : start + begun] += 1
            if start + begun < stop:
                left.append((start + begun, stop))
        self.outcome.makespan = max(self.outcome.makespan, self.now + spent)
        return tuple(left), spent

    def put(self, index: int, share: Share) -> None:
        """Let a share be what a worker has written."""
        self.shares[index] = share
        self.free[index] = rows.count(share.free)
        self.over[index] = share.is_over

    def run(self) -> Outcome:
        """Let all workers work until the last one leaves."""
        make = SharingWorker if self.scene.shared else Worker
        living = [make(self, number).live() for number in range(self.scene.workers)]
        queue = [(0.0, number) for number in range(self.scene.workers)]
        while queue:
            self.now, number = heapq.heappop(queue)
            pause = next(living[number], None)
            if pause is None:
                self.outcome.present += self.now
                self.outcome.end = self.now
            else:
                heapq.heappush(queue, (self.now + pause, number))
        return self.outcome


class Worker:
    """A worker that has the rows of its own job and no others."""

    def __init__(self, simulation: Simulation, number: int) -> None:
        self.simulation, self.number = simulation, number

    def ask(self, operations: int) -> float:
        spent = self.simulation.ask(operations)
        self.simulation.outcome.asking += spent
        return spent

    def live(self) -> Generator[float]:
        simulation = self.simulation
        yield self.ask(START)
        whole = ((0, simulation.scene.rows_each),)
        yield simulation.evaluate(self.number, whole, np.inf)[1]
        yield self.ask(FINISH)


class SharingWorker(Worker):
    """A worker that takes blocks of any share; see `psyrun.balancing.BalancedDealer`."""

    def __init__(self, simulation: Simulation, number: int) -> None:
        super().__init__(simulation, number)
        self.name = str(number)
        self.pace: float | None = None
        self.heap: list[tuple[int, int]] = []
        self.pending = np.zeros(0, np.uint16)
        self.block: tuple[int, Ranges] | None = None
        self.met = False
        self.began = 0.0

    @property
    def turn(self) -> float:
        return turn_seconds(self.simulation.now - self.began)

    def live(self) -> Generator[float]:
        yield self.ask(START + BEAT)
        self.began = self.simulation.now
        while True:
            yield from self.find()
            if self.block is None and not (yield from self.wait()):
                break
            if self.block is not None:
                yield from self.work(*self.block)
        if self.simulation.watch == self.number:
            self.simulation.watch = None
        yield self.ask(1 + 2 * len(self.pending))

    def find(self) -> Generator[float]:
        """Take a block of one's own share, or of the largest."""
        self.block = None
        if self.simulation.free[self.number]:
            yield from self.take(self.number)
        while self.block is None:
            if not self.heap and not (yield from self.look_around()):
                return
            _, index = heapq.heappop(self.heap)
            yield self.ask(LOOK)
            free = int(self.simulation.free[index])
            if free and self.heap and free < -self.heap[0][0]:
                heapq.heappush(self.heap, (-free, index))
            elif free:
                yield from self.take(index)

    def look_around(self) -> Generator[float, None, bool]:
        """Look at the shares, each worker first at the one behind its own."""
        simulation, size = self.simulation, self.simulation.scene.workers
        most = simulation.scene.most_looks
        each, seen = LOOK + (0 if self.met else MEET), []
        for low in range(1, min(size, most + 1 if most else size), AT_ONCE):
            part = (self.number + np.arange(low, min(low + AT_ONCE, size))) % size
            yield self.ask(each * len(part))
            seen.append(part)
        self.met = True
        every = np.concatenate([[self.number], *seen]).astype(int)
        free = simulation.free[every]
        best = np.argsort(-free, kind="stable")[:KEPT]
        self.heap = [(-int(free[i]), int(every[i])) for i in best if free[i]]
        self.pending = every[(free == 0) & ~simulation.over[every]].astype(np.uint16)
        return bool(self.heap)

    def wait(self) -> Generator[float, None, bool]:
        """Wait for rows that others hold: for a while, or to the end as the one watcher."""
        simulation, since = self.simulation, self.simulation.now
        while len(self.pending):
            if simulation.watch is None:
                simulation.watch = self.number
            idle = simulation.now - since
            if simulation.watch != self.number and idle >= max(self.turn, LEAST_WAIT_SECONDS):
                return False
            some, rest = self.pending[:AT_ONCE], self.pending[AT_ONCE:]
            yield self.ask(len(some) * (LOOK + ALIVE))
            if (found := some[simulation.free[some] > 0]).size:
                self.heap = [(-int(simulation.free[i]), int(i)) for i in found]
                heapq.heapify(self.heap)
                return True
            self.pending = np.concatenate([rest, some[~simulation.over[some]]])
            yield min(max(self.turn / 4, 0.05), 1.0)
        return False

    def work(self, index: int, block: Ranges) -> Generator[float]:
        """Evaluate a block, and let go of it."""
        left, spent = self.simulation.evaluate(index, block, self.turn)
        yield spent
        self.simulation.ask(FSYNC + BEAT * int(spent // BEAT_SECONDS))  # nobody waits for it
        self.pace = spent / (rows.count(block) - rows.count(left))
        yield from self.lock(index)
        yield self.ask(CHANGE)
        share = self.simulation.shares[index].end(self.name, block, left)
        self.simulation.put(index, share)
        self.simulation.locked[index] = False
        if left and index != self.number:
            heapq.heappush(self.heap, (-rows.count(share.free), index))
        if share.is_over:
            yield self.ask(FINISH)

    def take(self, index: int) -> Generator[float]:
        """Take a block of a share."""
        yield from self.lock(index)
        yield self.ask(CHANGE)
        bounds = (1, 1)
        if self.pace is not None:
            least = int(LEAST_BLOCK_SECONDS / self.pace)
            bounds = max(1, least), max(1, int(self.turn / self.pace))
        share, block = self.simulation.shares[index].take(self.name, 1, bounds)
        self.simulation.put(index, share)
        self.simulation.locked[index] = False
        if block:
            self.simulation.outcome.claims += 1
            self.block = index, block
            if share.free and index != self.number:
                heapq.heappush(self.heap, (-rows.count(share.free), index))

    def lock(self, index: int) -> Generator[float]:
        """Lock a share; ask again and again while another has it."""
        locked, began = self.simulation.locked, self.simulation.now
        yield self.ask(LOCK)
        while locked[index] and self.simulation.now - began < PATIENCE_SECONDS:
            self.simulation.outcome.asking += RETRY_SECONDS
            yield RETRY_SECONDS
            yield self.ask(POLL)
        locked[index] = True


HEAD = ("workers", "ms", "own jobs", "shared", "asking", "claims/s", "operations", "16 looks")


def line(workers: int, latency: float, capacity: int) -> tuple[str, ...]:
    """Simulate a number of workers on a file system, each way."""
    plain, shared, few = (
        Simulation(Scene(workers, latency, capacity, shared=way, most_looks=most)).run()
        for way, most in ((False, None), (True, None), (True, 16))
    )
    return (
        f"{workers:,}",
        f"{1000 * latency:g}",
        f"{plain.makespan / plain.ideal:.2f}",
        f"{shared.makespan / shared.ideal:.2f}",
        f"{shared.waiting:.0%}",
        f"{shared.claims / shared.makespan:,.1f}",
        f"{shared.operations / workers:,.0f}",
        f"{few.makespan / few.ideal:.2f}",
    )


def table(lines: list[tuple[str, ...]]) -> str:
    """Lay out lines as a simple table of reStructuredText."""
    widths = [max(len(cells[i]) for cells in lines) for i in range(len(HEAD))]
    rule = "  ".join("=" * width for width in widths)
    text = [
        "  ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)) for cells in lines
    ]
    return "\n".join([rule, text[0], rule, *text[1:], rule, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the 10,000 workers")
    parser.add_argument("--capacity", type=int, default=16, help="operations at once")
    parser.add_argument("--write", type=Path, help="write the table into this file")
    args = parser.parse_args()
    lines = [HEAD]
    for workers in WORKERS if args.quick else WORKERS + SLOW:
        for latency in LATENCIES:
            lines.append(line(workers, latency, args.capacity))
            print("  ".join(lines[-1]), flush=True)
    print(table(lines))
    if args.write:
        args.write.write_text(f".. written by benchmarks/claimtraffic.py\n\n{table(lines)}")


if __name__ == "__main__":
    main()
