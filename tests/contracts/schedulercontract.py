"""What every scheduler has to do; a scheduler's class inherits the contract."""

import os
import sys

import pytest

from psyrun.scheduler import Scheduler
from tests.waiting import until

WAITS = [sys.executable, "-c", "import sys; print('begun', flush=True); sys.stdin.read()"]


class SchedulerContract:
    """Inherit, and make the scheduler in `scheduler`; end its jobs afterwards."""

    waits = WAITS

    def ended(self, scheduler: Scheduler, jobid: str) -> bool:
        status = scheduler.get_status(jobid)
        return status is None or status.status == "D"

    def test_a_job_runs_and_its_output_is_kept(self, scheduler, tmp_path):
        code = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
        jobid = scheduler.submit([sys.executable, "-c", code], str(tmp_path / "log"), name="n")
        assert type(jobid) is str
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == "out\nerr\n"

    def test_a_job_that_runs_is_listed_with_its_name(self, scheduler, tmp_path):
        jobid = scheduler.submit(self.waits, str(tmp_path / "log"), name="mine")
        status = scheduler.get_status(jobid)
        assert (status.id, status.name) == (jobid, "mine")
        assert status.status in {"R", "Q"}
        assert jobid in list(scheduler.get_jobs())

    def test_a_job_can_be_killed(self, scheduler, tmp_path):
        jobid = scheduler.submit(self.waits, str(tmp_path / "log"))
        scheduler.kill(jobid)
        until(lambda: self.ended(scheduler, jobid))
        assert jobid not in list(scheduler.get_jobs())

    def test_killing_what_has_ended_is_no_error(self, scheduler, tmp_path):
        jobid = scheduler.submit([sys.executable, "-c", ""], str(tmp_path / "log"))
        until(lambda: self.ended(scheduler, jobid))
        scheduler.kill(jobid)

    def test_killing_one_leaves_the_others(self, scheduler, tmp_path):
        one, other = (scheduler.submit(self.waits, str(tmp_path / name)) for name in "ab")
        scheduler.kill(one)
        until(lambda: self.ended(scheduler, one))
        assert other in list(scheduler.get_jobs())

    def test_an_unknown_job_has_no_status_and_can_be_killed(self, scheduler):
        assert scheduler.get_status("0") is None
        scheduler.kill("0")

    def test_a_job_waits_for_those_it_depends_on(self, scheduler, tmp_path):
        log = tmp_path / "log"
        first = [sys.executable, "-c", "sum(range(5 * 10**6)); print('one')"]
        before = scheduler.submit(first, str(log))
        after = scheduler.submit(
            [sys.executable, "-c", "print('two')"], str(log), depends_on=[before]
        )
        until(lambda: self.ended(scheduler, after))
        assert log.read_text() == "one\ntwo\n"

    def test_arguments_reach_the_job_as_they_are(self, scheduler, tmp_path):
        arguments = [
            "a b",
            "$HOME",
            "'",
            "*",
            "",
            "\\",
            '"',
            "`x`",
            "e\u0301 \u4f60",
            "-x",
            "a\nb",
        ]
        code = "import sys; print(ascii(sys.argv[1:]))"
        jobid = scheduler.submit(
            [sys.executable, "-c", code, *arguments], str(tmp_path / "log")
        )
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == f"{arguments!a}\n"

    def test_a_job_runs_where_it_was_submitted(self, scheduler, tmp_path, monkeypatch):
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        code = "import os; print(os.getcwd())"
        jobid = scheduler.submit([sys.executable, "-c", code], "../log")
        monkeypatch.chdir(tmp_path)
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == f"{tmp_path / 'here'}\n"

    def test_a_job_has_the_environment_of_its_submission(
        self, scheduler, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("PSY_TEST", "a 'b' $c, d=e\n\\f;\tg")
        code = "import os; print(ascii(os.environ['PSY_TEST']))"
        jobid = scheduler.submit([sys.executable, "-c", code], str(tmp_path / "log"))
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == f"{os.environ['PSY_TEST']!a}\n"

    def test_a_log_that_is_there_is_appended_to(self, scheduler, tmp_path):
        (tmp_path / "log").write_text("before\n")
        jobid = scheduler.submit([sys.executable, "-c", "print(1)"], str(tmp_path / "log"))
        until(lambda: self.ended(scheduler, jobid))
        assert (tmp_path / "log").read_text() == "before\n1\n"


class WithoutArrays:
    """For a scheduler that has no job arrays."""

    def test_without_arrays_it_says_so(self, scheduler, tmp_path):
        with pytest.raises(NotImplementedError):
            scheduler.submit_array(2, ["true"], str(tmp_path / "log-%a"))
