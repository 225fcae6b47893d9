"""The words for jobs of a scheduler."""

import pytest

from psyrun.jobwords import counts_text, endings, merge_trouble, submitted_text
from psyrun.runfile import Run
from psyrun.scheduler import UNSATISFIABLE, JobInfo, JobState
from psyrun.submitted import Seen


def seen(*jobs):
    return Seen(
        None, {name: JobInfo("12", JobState(state), reason) for name, state, reason in jobs}
    )


def test_jobs_are_counted_by_state_with_the_most_frequent_reason():
    found = seen(
        ("1-0", "RUNNING", ""),
        ("1-1", "PENDING", "Resources"),
        ("1-2", "PENDING", "Priority"),
        ("1-3", "PENDING", "Priority"),
        ("1-4", "COMPLETED", ""),
        ("merge", "PENDING", "Dependency"),
    )
    assert counts_text(found) == "1 RUNNING, 3 PENDING (Priority)"


def test_a_merge_job_is_told_once_it_is_the_last():
    assert counts_text(seen(("merge", "RUNNING", ""))) == "merge job 12 RUNNING"
    assert counts_text(seen(("merge", "COMPLETED", ""))) == ""


@pytest.mark.parametrize(
    ("state", "asked", "words"),
    [
        ("TIMEOUT", {"timelimit": "1h"}, "raise timelimit in scheduler_args (now 1h)"),
        ("OUT_OF_MEMORY", {}, "raise memory in scheduler_args;"),
        ("OUT_OF_MEMORY", {"memory_per_cpu": "1G"}, "(now 1G)"),
        ("NODE_FAIL", {}, "the node failed"),
        ("PREEMPTED", {}, "others had precedence"),
        ("CANCELLED", {}, "cancelled"),
        ("FAILED", {}, "ended with an error"),
    ],
)
def test_each_end_is_told_apart(state, asked, words):
    (line,) = endings("far", seen(("1-0", state, ""), ("1-1", "COMPLETED", "")), ["1-0"], asked)
    assert line.startswith(f"1 job {state} (1-0): ")
    assert words in line
    assert line.endswith("psy logs far 1-0")


def test_jobs_with_one_end_are_told_together():
    jobs = [(f"1-{index}", "TIMEOUT", "") for index in range(12)]
    (line,) = endings("far", seen(*jobs), [name for name, *_ in jobs], {})
    assert line.startswith("12 jobs TIMEOUT (1-0, 1-1, 1-2, 9 more): out of time")


def test_a_job_that_can_never_start_is_told():
    (line,) = endings("far", seen(("merge", "PENDING", UNSATISFIABLE)), [], {})
    assert "never" not in line.split("(", maxsplit=1)[0]
    assert "psy kill far" in line


def test_the_merge_job_is_blamed_only_if_it_failed(tmp_path):
    log = tmp_path / "log"
    assert list(merge_trouble("far", seen(), log)) == []
    log.write_text("ERROR no space left\n")
    (line,) = merge_trouble("far", seen(("merge", "FAILED", "")), log)
    assert line.startswith("the merge job FAILED: no space left; merge with: psy run far")


def test_many_ids_are_cut():
    jobs = {f"1-{index}": str(index) for index in range(20)}
    run = Run(1, "", "", 20, jobs=jobs, merge_job="30")
    assert submitted_text(run, [*jobs]) == "submitted 20 jobs as 0, 1, 2, ..., 19, merge 30"
