"""What commands do to files is counted, so that no cost grows with the square of anything.

Each command runs for k, 2k and 4k jobs, and for n, 2n and 4n rows in as many jobs. What grows
with a straight line grows twice as much from 2k to 4k as from k to 2k, whatever it begins with;
what grows with the square, four times as much.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakescheduler.system import FakeSystem
from tests.tracing.trace import Trace, traced

PSY = ("-m", "psyrun")
_RUN = """
import sys
from psyrun.follow import Follower
from psyrun.main import psy_main

Follower.due = lambda self: False
sys.exit(psy_main(sys.argv[1:]))
"""
RUN = ("-c", _RUN, "run")
"""How often a command looks at its worker meanwhile depends on the machine, so it does not."""

JOBS = (8, 16, 32)
ROWS = (100, 200, 400)
SUBMITTED = (24, 48, 96)
ROWS_FOR_JOBS = 64

TASK = """
from psyrun import Param, LoadBalancingBackend, Slurm

pspace = Param(a=range({rows}))
max_jobs = {jobs}
pool_size = 1
{more}

def execute(a):
    return {{"b": a * 2.0}}
"""

MAP = """
from psyrun import Param, map_pspace_hdd_backed
for _ in range(2):
    map_pspace_hdd_backed(lambda a: {{"b": a * 2.0}}, Param(a=range({rows})), "map.pkl")
"""

Cost = Callable[[Trace], int]

COSTS: dict[str, Cost] = {
    "files opened": lambda trace: trace.opened,
    "files renamed": lambda trace: trace.number("rename"),
    "files removed": lambda trace: trace.number("remove"),
    "folders listed": lambda trace: trace.number("list"),
    "fsyncs": lambda trace: trace.number("fsync"),
}

A_JOB = {
    #          opened, renamed, removed, listed, fsyncs
    "run": (17, 3, 1, 0, 3),
    "again": (1, 0, 0, 0, 0),
    "status": (1, 0, 0, 0, 0),
    "grown": (22, 3, 1, 0, 3),
    "merge": (6, 0, 0, 0, 0),
    "load": (1, 0, 0, 0, 0),
}
"""How much each command may do for one more job; a flush of a folder counts for some jobs."""


class Growth(NamedTuple):
    """A cost at k, 2k and 4k."""

    costs: tuple[int, int, int]

    @property
    def is_linear(self) -> bool:
        """Whether it lies on a straight line, or below; 10 % and some aside."""
        one, two, four = self.costs
        return four - two <= 1.1 * 2 * (two - one) + max(4, 0.01 * one)

    @property
    def is_straight(self) -> bool:
        """Whether it is linear, and nearly exact: calls of functions hardly ever differ."""
        one, two, four = self.costs
        return four - two <= 1.01 * 2 * (two - one) + 100

    def slope(self, sizes: tuple[int, ...]) -> float:
        """Tell how much one more costs."""
        return (self.costs[2] - self.costs[1]) / (sizes[2] - sizes[1])


def grown(traces: list[Trace], cost: Cost) -> Growth:
    one, two, four = map(cost, traces)
    return Growth((one, two, four))


def write_task(root: Path, rows: int, jobs: int, more: str = "") -> None:
    (root / "psy-tasks").mkdir(exist_ok=True)
    text = TASK.format(rows=rows, jobs=jobs, more=more)
    (root / "psy-tasks" / "task_t.py").write_text(text)


def all_commands(root: Path, rows: int, jobs: int) -> dict[str, Trace]:
    """Do with a task what people do, and count each command's operations."""
    root.mkdir()
    write_task(root, rows, jobs)
    found = {"run": traced(root, [*RUN, "t"])}
    found["again"] = traced(root, [*RUN, "t"])
    found["status"] = traced(root, [*PSY, "status", "t"], calls=True)
    found["load"] = traced(root, ["-c", "import psyrun; psyrun.load_result('t')"])
    write_task(root, rows + ROWS_FOR_JOBS, jobs)
    found["grown"] = traced(root, [*RUN, "-c", "t"])
    found["merge"] = traced(root, [*PSY, "merge", "psy-work/t/out", "all.pkl"])
    assert found["again"].out.startswith("t: up to date"), found["again"].out
    return found


@pytest.fixture(scope="module")
def by_jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trace]]:
    """What the commands do for k, 2k and 4k jobs of as many rows in all."""
    folder = tmp_path_factory.mktemp("jobs")
    found = [all_commands(folder / f"{jobs}", ROWS_FOR_JOBS, jobs) for jobs in JOBS]
    return {command: [traces[command] for traces in found] for command in found[0]}


@pytest.fixture(scope="module")
def by_rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trace]]:
    """What the commands do for n, 2n and 4n rows in ten jobs, whose journals are not mapped."""
    folder = tmp_path_factory.mktemp("rows")
    found = [all_commands(folder / f"{rows}", rows, 10) for rows in ROWS]
    return {command: [traces[command] for traces in found] for command in found[0]}


@pytest.mark.parametrize("command", A_JOB)
def test_one_more_job_costs_so_many_operations_and_no_more(by_jobs, command):
    by_chance = 2 / (JOBS[2] - JOBS[1])  # a second may pass, and a file is looked at again
    for (name, cost), bound in zip(COSTS.items(), A_JOB[command], strict=True):
        growth = grown(by_jobs[command], cost)
        assert growth.is_linear, (name, growth)
        assert growth.slope(JOBS) <= bound + by_chance, (name, growth)


@pytest.mark.parametrize("command", A_JOB)
def test_one_more_row_costs_no_operation_on_any_file(by_rows, command):
    for name, cost in COSTS.items():
        growth = grown(by_rows[command], cost)
        assert max(growth.costs) - min(growth.costs) <= 2, (name, growth)  # a second may pass


def test_a_row_is_written_to_a_journal_once_and_to_the_results_once_each(by_rows):
    appended = [trace.number("append") for trace in by_rows["run"]]
    assert appended[2] - appended[1] == ROWS[2] - ROWS[1]
    bytes_written = grown(by_rows["run"], lambda trace: trace.bytes_written)
    assert bytes_written.is_linear, bytes_written
    assert bytes_written.slope(ROWS) < 120, bytes_written  # 66 in the journal


@pytest.mark.parametrize("command", ["run", "grown"])
def test_a_run_writes_its_result_once(by_jobs, command):
    for trace in by_jobs[command]:
        assert trace.replaced("result.pkl") == 1


@pytest.mark.parametrize("command", ["run", "again", "status"])
def test_a_job_writes_bytes_in_proportion(by_jobs, command):
    growth = grown(by_jobs[command], lambda trace: trace.bytes_written)
    assert growth.is_linear, growth
    assert growth.slope(JOBS) < 1200, growth


@pytest.mark.parametrize("command", ["again", "status"])
@pytest.mark.parametrize("place", ["/in/", "/out/"])
def test_looking_opens_no_file_of_a_job_twice(by_jobs, command, place):
    for trace, jobs in zip(by_jobs[command], JOBS, strict=True):
        paths = [path for verb, _, path in trace.entries if verb == "read" and place in path]
        assert len(paths) == len(set(paths))
        assert len(paths) == (jobs if place == "/out/" else 0)


@pytest.mark.parametrize("command", ["again", "status", "load", "merge"])
def test_looking_lists_each_name_a_few_times_at_most(by_jobs, command):
    growth = grown(by_jobs[command], lambda trace: trace.amount("list"))
    assert growth.is_linear, growth
    assert growth.slope(JOBS) <= 8, growth


@pytest.mark.parametrize("command", ["run", "grown"])
def test_running_lists_each_name_a_few_times_at_most(by_jobs, command):
    growth = grown(by_jobs[command], lambda trace: trace.amount("list"))
    assert growth.is_linear, growth


def test_journals_of_failed_rows_are_read_once_by_status(tmp_path):
    write_task(tmp_path, ROWS_FOR_JOBS, 16)
    task = tmp_path / "psy-tasks" / "task_t.py"
    task.write_text(task.read_text().replace("a * 2.0", "1 // (a % 2)"))
    traced(tmp_path, [*RUN, "t"], code=1)
    reads = traced(tmp_path, [*PSY, "status", "t"]).reads(".part")
    assert sorted(reads.values()) == [1] * 16


def test_calls_of_functions_grow_with_the_jobs_only(by_jobs):
    growth = grown(by_jobs["status"], lambda trace: trace.amount("calls"))
    assert growth.costs[0] > 1000
    assert growth.is_straight, growth
    assert growth.slope(JOBS) <= 400, growth


def test_calls_of_functions_do_not_grow_with_the_rows(by_rows):
    growth = grown(by_rows["status"], lambda trace: trace.amount("calls"))
    assert growth.slope(ROWS) < 0.5, growth


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Trace]]:
    """What it takes to submit k, 2k and 4k jobs to Slurm, and to look at them in the queue."""
    found: dict[str, list[Trace]] = {"run": [], "status": []}
    for jobs in SUBMITTED:
        folder = tmp_path_factory.mktemp("slurm")
        with FakeSystem(folder / "system", "slurm").running() as system:
            system.hold()
            root = folder / "project"
            root.mkdir()
            more = "scheduler = Slurm()\nscheduler_args = {'timelimit': '1h'}"
            write_task(root, jobs, jobs, more)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PATH", system.path)
                found["run"].append(traced(root, [*RUN, "t"], calls=True))
                found["status"].append(traced(root, [*PSY, "status", "t"], calls=True))
    return found


@pytest.mark.parametrize("command", ["run", "status"])
def test_more_jobs_take_no_more_commands_of_the_scheduler(submitted, command):
    numbers = [trace.number("command") for trace in submitted[command]]
    assert len(set(numbers)) == 1
    assert 1 <= numbers[0] <= 8


def test_submitting_costs_each_job_one_file_and_one_fsync(submitted):
    for cost in (COSTS["files renamed"], COSTS["fsyncs"]):
        growth = grown(submitted["run"], cost)
        assert growth.is_linear, growth
        assert growth.slope(SUBMITTED) <= 1, growth
    listed = grown(submitted["run"], lambda trace: trace.amount("list"))
    assert listed.slope(SUBMITTED) == 0, listed


@pytest.mark.parametrize(("command", "bound"), [("run", 1500), ("status", 400)])
def test_calls_of_functions_grow_with_the_submitted_jobs_only(submitted, command, bound):
    growth = grown(submitted[command], lambda trace: trace.amount("calls"))
    assert growth.is_straight, growth
    assert growth.slope(SUBMITTED) <= bound, growth


def test_a_map_on_disk_writes_each_row_twice_and_opens_no_file_for_it(tmp_path):
    traces = []
    for rows in ROWS:
        root = tmp_path / f"{rows}"
        root.mkdir()
        traces.append(traced(root, ["-c", MAP.format(rows=rows)]))
        assert traces[-1].replaced("map.pkl") == 1
    growth = grown(traces, lambda trace: trace.bytes_written)
    assert growth.is_linear, growth
    assert growth.slope(ROWS) < 90, growth
    for name, cost in COSTS.items():
        growth = grown(traces, cost)
        assert max(growth.costs) - min(growth.costs) <= 2, (name, growth)


@pytest.mark.parametrize("calls", [False, True])
def test_tracing_itself_counts(tmp_path, calls):
    root = tmp_path / "root"
    root.mkdir()
    code = "open('x', 'w').close(); import os; os.listdir(); os.fsync(os.open('x', 0))"
    trace = traced(root, ["-c", code], calls=calls)
    found = [(verb, amount) for verb, amount, _ in trace.entries if verb != "calls"]
    assert found == [("write", 1), ("list", 2), ("read", 1), ("fsync", 1)]
    assert bool(trace.amount("calls")) == calls
    assert [path.name for path in root.iterdir()] == ["x"]
