"""A harness that kills processes of runs at random, and counts what that cost.

    python -m tests.e2e.faulting --trials 200

In a trial, one task is run again and again while processes of the run are killed at random
moments, until it is left in peace. What came of it is compared with a loop in this process.
"""

import argparse
import contextlib
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.processes import children_of, gone
from tests.waiting import until

ROWS = 60
PROCESSES = 2
MOST_FAULTS = 6
LATEST_SECONDS = 1.2
_WAIT_SECONDS = 60

TASK = f"""
import os, random, time
from psyrun import Param

pspace = Param(a=range({ROWS // 2})) * Param(b=['x', 'y'])
pool_size = {PROCESSES}
max_jobs = 6

def execute(a, b):
    fd = os.open('evaluated', os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(fd, f'{{a}}{{b}}\\n'.encode())
    os.close(fd)
    time.sleep(random.Random(f'{{a}}{{b}}').uniform(0, 0.06))
    return {{'y': a * a, 'z': b * 1000}}
"""
EXPECTED = {
    "a": [a for a in range(ROWS // 2) for _ in "xy"],
    "b": ["x", "y"] * (ROWS // 2),
    "y": [a * a for a in range(ROWS // 2) for _ in "xy"],
    "z": [b * 1000 for _ in range(ROWS // 2) for b in "xy"],
}

VICTIMS = {
    "command": (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP),
    "supervisor": (signal.SIGKILL, signal.SIGTERM),
    "row process": (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV),
    "guard": (signal.SIGKILL, signal.SIGTERM),
    "all but the command": (signal.SIGKILL, signal.SIGTERM),
    "command's group": (signal.SIGKILL, signal.SIGINT),
    "all": (signal.SIGKILL,),
}


@dataclass
class Tally:
    """What some trials came to.

    Attributes
    ----------
    faults : Counter
        How often which victim got which signal.
    runs, rows, evaluations : int
        Commands run, rows of all results, and how often their evaluation began.
    lost, wrong : int
        Rows evaluated more often than faults can explain, and results that were not right.
    """

    faults: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    rows: int = 0
    evaluations: int = 0
    lost: int = 0
    wrong: int = 0

    def text(self) -> str:
        """Put it in words."""
        number = sum(self.faults.values())
        lines = [f"{what}: {count}" for what, count in sorted(self.faults.items())]
        lines.append(f"{number} faults in {self.runs} runs of {self.rows} rows in all")
        again = self.evaluations - self.rows
        lines.append(f"{again} rows begun twice, of {PROCESSES * number} that may have been")
        lines.append(f"{self.lost} rows lost, {self.wrong} results wrong")
        return "\n".join(lines)


class Trial:
    """One task that is run until it is done, with faults."""

    def __init__(self, folder: Path, seed: int, tally: Tally) -> None:
        self.folder = folder
        self.draw = random.Random(seed)
        self.tally = tally
        self.started: list[int] = []
        (folder / "psy-tasks").mkdir()
        (folder / "psy-tasks" / "task_t.py").write_text(TASK)

    def start(self) -> "subprocess.Popen[str]":
        """Start the command."""
        self.tally.runs += 1
        return subprocess.Popen(
            [sys.executable, "-m", "psyrun", "run"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def go(self) -> None:
        """Run with faults, then without, and check what came of it."""
        faults = 0
        for _ in range(self.draw.randint(1, MOST_FAULTS)):
            command = self.start()
            time.sleep(self.draw.uniform(0.0, LATEST_SECONDS))
            faults += self.strike(command)
            _, err = command.communicate(timeout=_WAIT_SECONDS)
            is_clean(err)
            if self.draw.random() < 0.5:  # else the next run starts while these may still end
                until(lambda: gone(self.started), "all processes to end")
        command = self.start()
        _, err = command.communicate(timeout=_WAIT_SECONDS)
        is_clean(err)
        assert command.returncode == 0, err
        sound = subprocess.run(
            [sys.executable, "-m", "psyrun", "verify"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        assert sound.returncode == 0
        until(lambda: gone(self.started), "all processes to end")
        self.judge(faults)

    def strike(self, command: "subprocess.Popen[str]") -> int:
        """Send a signal to some process of the run; return how many faults that was."""
        victim = self.draw.choice([*VICTIMS])
        number = self.draw.choice(VICTIMS[victim])
        pids = processes_of(command.pid)
        # a signal that the command handles comes when Python itself has started
        handled = victim in {"command", "command's group"} and number != signal.SIGKILL
        needs = "supervisor" if handled else victim
        while command.poll() is None and not chosen_of(pids, needs, self.draw):
            time.sleep(0.005)
            pids = processes_of(command.pid)
        chosen = chosen_of(pids, victim, self.draw) if command.poll() is None else []
        struck = False
        for pid in chosen:
            with contextlib.suppress(ProcessLookupError):
                if victim == "command's group":
                    os.killpg(pid, number)
                else:
                    os.kill(pid, number)
                struck = True
        if struck:
            self.tally.faults[f"{victim}, {signal.Signals(number).name}"] += 1
        self.started += [pid for group in pids.values() for pid in group]
        return int(struck)

    def judge(self, faults: int) -> None:
        """Compare the result, and count how often rows were evaluated."""
        path = self.folder / "psy-work" / "t" / "result.pkl"
        with path.open("rb") as file:
            result = pickle.load(file)
        evaluated = (self.folder / "psy-tasks" / "evaluated").read_text().split()
        left = [p for p in self.folder.rglob("*") if p.name.startswith(".tmp-")]
        self.tally.rows += ROWS
        self.tally.evaluations += len(evaluated)
        self.tally.lost += max(0, len(evaluated) - ROWS - PROCESSES * faults)
        self.tally.wrong += result != EXPECTED
        assert result == EXPECTED
        assert len(evaluated) <= ROWS + PROCESSES * faults
        assert left == []


def is_clean(err: str) -> None:
    """Hold that a command, however it ended, showed no traceback and blamed nothing."""
    assert "Traceback" not in err, err
    assert "damaged" not in err, err


def processes_of(command: int) -> dict[str, list[int]]:
    """List the processes of a run by what they are."""
    supervisor = children_of(command)
    below = [pid for parent in supervisor for pid in children_of(parent)]
    guard = [pid for pid in below if is_session_leader(pid)]
    return {
        "command": [command],
        "supervisor": supervisor,
        "guard": guard,
        "row process": [pid for pid in below if pid not in guard],
    }


def is_session_leader(pid: int) -> bool:
    """Tell whether a process leads a session; below a supervisor only the guard does."""
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def chosen_of(pids: dict[str, list[int]], victim: str, draw: random.Random) -> list[int]:
    """Pick the processes to be struck."""
    match victim:
        case "all":
            chosen = [pid for group in pids.values() for pid in group]
            draw.shuffle(chosen)
            return chosen
        case "all but the command":
            return [*pids["supervisor"], *pids["guard"], *pids["row process"]]
        case "command's group":
            return pids["command"]
        case "row process":
            return draw.sample(pids[victim], min(1, len(pids[victim])))
        case _:
            return pids[victim]


def main(argv: Sequence[str] | None = None) -> int:
    """Run many trials, and print what they came to."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    tally = Tally()
    for seed in range(args.seed, args.seed + args.trials):
        with tempfile.TemporaryDirectory() as folder:
            print(f"\rtrial {seed}", end="", file=sys.stderr, flush=True)
            Trial(Path(folder), seed, tally).go()
    print(f"\n{tally.text()}")
    return int(bool(tally.lost or tally.wrong))


if __name__ == "__main__":
    sys.exit(main())
