"""What every scheduler with commands has to do, on its real system and on fakes alike."""

import sys
from functools import partial
from typing import ClassVar

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import BatchScheduler, JobState
from tests.contracts.schedulercontract import SchedulerContract
from tests.waiting import until

PYTHON = [sys.executable, "-SEc"]
WAITS_LONG = [*PYTHON, "import time; print('begun', flush=True); time.sleep(1000)"]
NOTES = (  # without a buffer, so that the lines of several jobs do not mix
    "import os, sys; fd = os.open(sys.argv[1], os.O_CREAT | os.O_APPEND | os.O_WRONLY); "
    "note = lambda text: os.write(fd, (text + chr(10)).encode()); "
)


def states(scheduler: BatchScheduler, jobid: str) -> set[JobState]:
    return {job.state for job in scheduler.query([jobid])}


def known(scheduler: BatchScheduler, jobid: str, state: JobState) -> set[int]:
    """Return the indices of an array that are in a state."""
    return {
        index
        for job in scheduler.query([jobid])
        for start, stop in job.indices or ()
        if job.state == state
        for index in range(start, stop)
    }


class BatchContract(SchedulerContract):
    """Inherit, and make the scheduler in `scheduler`; four jobs run at a time or more."""

    waits = WAITS_LONG
    told_after_failure: ClassVar[set[JobState]] = {JobState.FAILED}
    told_after_kill: ClassVar[set[JobState]] = {JobState.CANCELLED, JobState.FAILED}

    def test_a_job_that_runs_is_told_to_run(self, scheduler, tmp_path):
        jobid = scheduler.submit(WAITS_LONG, str(tmp_path / "log"), name="mine")
        until(lambda: (tmp_path / "log").exists() and (tmp_path / "log").read_text())
        until(lambda: scheduler.get_status(jobid) == (jobid, "R", "mine"))
        assert states(scheduler, jobid) == {JobState.RUNNING}

    def test_a_job_that_fails_is_told_or_gone(self, scheduler, tmp_path):
        jobid = scheduler.submit([*PYTHON, "raise SystemExit(3)"], str(tmp_path / "log"))
        until(lambda: self.ended(scheduler, jobid))
        assert states(scheduler, jobid) <= self.told_after_failure

    def test_a_job_that_ends_well_is_told_or_gone(self, scheduler, tmp_path):
        jobid = scheduler.submit([*PYTHON, ""], str(tmp_path / "log"))
        until(lambda: self.ended(scheduler, jobid))
        assert states(scheduler, jobid) <= {JobState.COMPLETED}

    def test_a_job_that_is_killed_is_told_or_gone(self, scheduler, tmp_path):
        jobid = scheduler.submit(WAITS_LONG, str(tmp_path / "log"))
        until(lambda: states(scheduler, jobid) == {JobState.RUNNING})
        scheduler.kill(jobid)
        until(lambda: self.ended(scheduler, jobid))
        assert states(scheduler, jobid) <= self.told_after_kill

    def test_a_job_that_waits_for_another_is_told_and_killed(self, scheduler, tmp_path):
        first = scheduler.submit(WAITS_LONG, str(tmp_path / "first"))
        second = scheduler.submit(WAITS_LONG, str(tmp_path / "log"), depends_on=[first])
        until(lambda: scheduler.get_status(second).status == "*Q")
        assert states(scheduler, second) == {JobState.PENDING}
        scheduler.kill(second)
        until(lambda: self.ended(scheduler, second))
        assert not (tmp_path / "log").exists()
        assert not self.ended(scheduler, first)

    def test_jobs_are_found_by_name(self, scheduler, tmp_path):
        one = scheduler.submit(WAITS_LONG, str(tmp_path / "a"), name="task:one 1")
        two = scheduler.submit(WAITS_LONG, str(tmp_path / "b"), name="2nd")
        until(lambda: scheduler.find(["task:one 1"]) == {"task:one 1": one})
        assert scheduler.find(["2nd", "3rd"]) == {"2nd": two}
        assert scheduler.find([]) == {}

    def test_a_job_with_a_long_name_is_found(self, scheduler, tmp_path):
        names = ["n" * 300 + end for end in "ab"]
        jobs = [scheduler.submit(WAITS_LONG, tmp_path / "log", name=name) for name in names]
        until(lambda: scheduler.find(names) == dict(zip(names, jobs, strict=True)))

    def test_a_job_waits_for_one_that_fails(self, scheduler, tmp_path):
        log = tmp_path / "log"
        fails = [*PYTHON, "sum(range(5 * 10**6)); print('one'); raise SystemExit(3)"]
        before = scheduler.submit(fails, str(log))
        after = scheduler.submit([*PYTHON, "print('two')"], str(log), depends_on=[before])
        until(lambda: self.ended(scheduler, after))
        assert log.read_text() == "one\ntwo\n"

    def test_a_job_that_depends_on_what_has_ended_runs(self, scheduler, tmp_path):
        before = scheduler.submit([*PYTHON, ""], str(tmp_path / "before"))
        until(lambda: self.ended(scheduler, before))
        after = scheduler.submit(
            [*PYTHON, "print(1)"], str(tmp_path / "log"), depends_on=[before]
        )
        until(lambda: self.ended(scheduler, after))
        assert (tmp_path / "log").read_text() == "1\n"

    def test_logs_may_have_any_name(self, scheduler, tmp_path):
        folder = tmp_path / "a 'b' \"c\" $d: %j 100%"
        folder.mkdir()
        names = ["x:y.log", "back\\slash", "a,b=c.log", "two\nlines", "\u00fc\u4f60", "100%%"]
        jobs = [scheduler.submit([*PYTHON, "print(1)"], folder / name) for name in names]
        until(lambda: all(self.ended(scheduler, jobid) for jobid in jobs))
        for name in names:
            assert (folder / name).read_text() == "1\n"

    def test_setup_lines_come_before_the_command(self, scheduler, tmp_path):
        lines = ["A='x y'", "export A"]
        ways: list[object] = [lines, "\n".join(lines), lambda name: [f"# {name}", *lines]]
        for setup in ways:
            jobid = scheduler.submit(
                [*PYTHON, "import os; print(os.environ['A'])"],
                str(tmp_path / "log"),
                scheduler_args={"setup": setup},
            )
            until(partial(self.ended, scheduler, jobid))
        assert (tmp_path / "log").read_text() == "x y\n" * 3

    def test_a_warning_that_comes_early_ends_no_job(self, scheduler, tmp_path):
        code = "import os; os.kill(os.getpid(), 10); os.kill(os.getpid(), 12); print(1)"
        jobid = scheduler.submit(
            [*PYTHON, code],
            str(tmp_path / "log"),
            scheduler_args={"setup": "kill -USR1 $$; kill -USR2 $$; echo 0"},
        )
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == "0\n1\n"

    def test_what_all_schedulers_take_is_taken(self, scheduler, tmp_path):
        asked = {"timelimit": "1h", "memory": "50M", "n_cpus": 1, "n_nodes": 1}
        jobid = scheduler.submit(
            [*PYTHON, "print(1)"],
            str(tmp_path / "log"),
            name="mine",
            scheduler_args={**asked, "timelimit": lambda name: {"mine": "1h"}[name]},
        )
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == "1\n"
        assert scheduler.time_limit(asked) == 3600

    def test_a_misspelt_argument_is_refused_with_a_hint(self, scheduler, tmp_path):
        asked = {"timelimt": "1h"}
        with pytest.raises(SchedulerError, match="did you mean 'timelimit'"):
            scheduler.check(asked)
        with pytest.raises(SchedulerError, match="did you mean 'timelimit'"):
            scheduler.submit(["true"], str(tmp_path / "log"), scheduler_args=asked)

    def test_values_that_cannot_be_are_refused(self, scheduler):
        for asked, message in (
            ({"timelimit": "soon"}, "timelimit is 'soon'"),
            ({"n_cpus": "a\nb"}, "has to be one line|whole number"),
            ({"setup": 3}, "setup"),
        ):
            with pytest.raises(SchedulerError, match=message):
                scheduler.check(asked)


class ArrayContract(SchedulerContract):
    """For a scheduler that has job arrays."""

    def all_ended(self, scheduler: BatchScheduler, jobid: str) -> bool:
        return all(job.state.final for job in scheduler.query([jobid]))

    @pytest.mark.parametrize("n", [1, 3, 12])
    def test_each_index_runs_once_with_its_own_log(self, n, scheduler, tmp_path):
        code = "import sys; print(sys.argv[1:])"
        args = [*PYTHON, code, "%a", "a %a's", "$index", "50%%a"]
        jobid = scheduler.submit_array(n, args, tmp_path / "log-%a x%.log")
        assert type(jobid) is str
        until(lambda: self.all_ended(scheduler, jobid))
        assert len(list(tmp_path.glob("log-*.log"))) == n
        for i in range(n):
            expected = [str(i), f"a {i}'s", "$index", f"50%{i}"]
            assert (tmp_path / f"log-{i} x%.log").read_text() == f"{expected}\n"

    def test_no_more_run_at_a_time_than_the_throttle_says(self, scheduler, tmp_path):
        code = f"{NOTES} note('begin'); sum(range(10**6)); note('end')"
        jobid = scheduler.submit_array(
            3,
            [*PYTHON, code, str(tmp_path / "notes")],
            tmp_path / "log-%a",
            scheduler_args={"throttle": 1},
        )
        until(lambda: self.all_ended(scheduler, jobid))
        assert (tmp_path / "notes").read_text().split() == ["begin", "end"] * 3

    def test_a_job_waits_for_all_of_an_array(self, scheduler, tmp_path):
        notes = str(tmp_path / "notes")
        code = f"{NOTES} sum(range(10**6)); note('one'); raise SystemExit(int(sys.argv[2]))"
        array = scheduler.submit_array(3, [*PYTHON, code, notes, "%a"], tmp_path / "log-%a")
        after = scheduler.submit(
            [*PYTHON, f"{NOTES} note('two')", notes], tmp_path / "log", depends_on=[array]
        )
        until(lambda: self.ended(scheduler, after))
        assert (tmp_path / "notes").read_text().split() == ["one", "one", "one", "two"]

    def test_an_array_waits_for_a_job(self, scheduler, tmp_path):
        before = scheduler.submit(WAITS_LONG, tmp_path / "before")
        array = scheduler.submit_array(
            2, [*PYTHON, "print(1)"], tmp_path / "log-%a", depends_on=[before]
        )
        until(lambda: scheduler.get_status(array).status == "*Q")
        assert known(scheduler, array, JobState.PENDING) == {0, 1}
        scheduler.kill(before)
        until(lambda: self.all_ended(scheduler, array))
        assert (tmp_path / "log-1").read_text() == "1\n"

    def test_a_killed_array_leaves_the_others(self, scheduler, tmp_path):
        one, two = (
            scheduler.submit_array(2, WAITS_LONG, tmp_path / f"{name}-%a") for name in "ab"
        )
        until(lambda: known(scheduler, two, JobState.RUNNING) == {0, 1})
        scheduler.kill(one)
        until(lambda: self.all_ended(scheduler, one))
        assert known(scheduler, two, JobState.RUNNING) == {0, 1}
        assert one not in scheduler.get_jobs()
        assert two in scheduler.get_jobs()

    def test_one_job_of_an_array_can_be_killed(self, scheduler, tmp_path):
        jobid = scheduler.submit_array(3, WAITS_LONG, tmp_path / "log-%a", name="mine")
        until(lambda: known(scheduler, jobid, JobState.RUNNING) == {0, 1, 2})
        scheduler.kill(f"{jobid}_1")
        until(lambda: self.ended(scheduler, f"{jobid}_1"))
        assert known(scheduler, jobid, JobState.RUNNING) == {0, 2}
        assert scheduler.get_status(f"{jobid}_2") == (f"{jobid}_2", "R", "mine")
        assert scheduler.get_status(jobid).status == "R"
        assert scheduler.find(["mine"]) == {"mine": jobid}

    def test_the_only_job_of_an_array_can_be_killed(self, scheduler, tmp_path):
        jobid = scheduler.submit_array(1, WAITS_LONG, tmp_path / "log-%a")
        until(lambda: states(scheduler, jobid) == {JobState.RUNNING})
        scheduler.kill(f"{jobid}_0")
        until(lambda: self.all_ended(scheduler, jobid))

    def test_killing_an_ended_or_unknown_job_of_an_array_is_no_error(self, scheduler, tmp_path):
        jobid = scheduler.submit_array(2, [*PYTHON, ""], tmp_path / "log-%a")
        until(lambda: self.all_ended(scheduler, jobid))
        for each in (f"{jobid}_1", f"{jobid}_77", jobid):
            scheduler.kill(each)

    def test_a_setup_line_sees_the_index(self, scheduler, tmp_path):
        jobid = scheduler.submit_array(
            2, ["true"], tmp_path / "log-%a", scheduler_args={"setup": 'echo "at $index"'}
        )
        until(lambda: self.all_ended(scheduler, jobid))
        assert (tmp_path / "log-1").read_text() == "at 1\n"
