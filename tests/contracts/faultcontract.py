"""What every scheduler with commands has to do when they fail; needs a fake system."""

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import JobState
from tests.contracts.batchcontract import (
    PYTHON,
    WAITS_LONG,
    ArrayContract,
    BatchContract,
    states,
)
from tests.waiting import until


class FaultContract(BatchContract):
    """Inherit, and make `system`; name the commands that submit, tell and cancel."""

    SUBMIT: str
    STATUS: str
    KILL: str

    @pytest.fixture(autouse=True)
    def _no_patience(self, scheduler, monkeypatch):
        monkeypatch.setattr(type(scheduler), "submit_seconds", 2.0)
        monkeypatch.setattr(type(scheduler), "ask_seconds", 2.0)

    def test_a_refusal_is_told_in_its_words(self, scheduler, system, tmp_path):
        system.fault(self.SUBMIT, says="error: no more jobs for you\ncome back later")
        with pytest.raises(SchedulerError, match="no more jobs for you; come back later"):
            scheduler.submit(["true"], tmp_path / "log")

    def test_a_submission_without_an_id_is_told(self, scheduler, system, tmp_path):
        for said in ("", "hello\n", "\xff\xfe\x00"):
            system.fault(self.SUBMIT, prints=said)
            with pytest.raises(SchedulerError, match=f"{self.SUBMIT} printed no job id"):
                scheduler.submit(["true"], tmp_path / "log")

    def test_words_before_the_id_are_passed_over(self, scheduler, system, tmp_path):
        system.fault(self.SUBMIT, adds="Welcome to the cluster!\n\n")
        jobid = scheduler.submit(WAITS_LONG, tmp_path / "log")
        assert scheduler.get_status(jobid)

    @pytest.mark.parametrize(
        "how", [{"says": "timed out", "works": True}, {"hangs": True, "works": True}]
    )
    def test_a_job_that_was_taken_without_a_word_is_found(
        self, how, scheduler, system, tmp_path
    ):
        system.fault(self.SUBMIT, **how)
        message = "timed out" if "says" in how else "no answer within"
        with pytest.raises(SchedulerError, match=message):
            scheduler.submit(WAITS_LONG, tmp_path / "log", name="ghost")
        found = scheduler.find(["ghost"])
        assert list(found) == ["ghost"]
        scheduler.kill(found["ghost"])
        until(lambda: not scheduler.get_jobs())

    @pytest.mark.parametrize("how", [{"says": "controller is down"}, {"hangs": True}])
    def test_no_answer_is_no_wrong_answer(self, how, scheduler, system, tmp_path, monkeypatch):
        jobid = scheduler.submit(WAITS_LONG, tmp_path / "log", name="mine")
        if "hangs" in how:
            monkeypatch.setattr(type(scheduler), "ask_seconds", 0.2)
        system.fault(self.STATUS, **how)
        message = "controller is down" if "says" in how else "no answer within"
        for question in (
            lambda: scheduler.get_status(jobid),
            lambda: scheduler.query([jobid]),
            lambda: scheduler.find(["mine"]),
            scheduler.get_jobs,
        ):
            with pytest.raises(SchedulerError, match=message):
                question()

    def test_a_command_without_answer_is_ended_with_all_it_started(
        self, scheduler, system, monkeypatch
    ):
        system.wrap(self.STATUS)
        assert scheduler.get_jobs() == []
        system.fault(self.STATUS, hangs=True)
        monkeypatch.setattr(type(scheduler), "ask_seconds", 0.5)
        with pytest.raises(SchedulerError, match="no answer within"):
            scheduler.query(["1"])
        until(lambda: not system.under_way(self.STATUS))

    def test_a_kill_that_fails_is_told(self, scheduler, system, tmp_path):
        jobid = scheduler.submit(WAITS_LONG, tmp_path / "log")
        system.fault(self.KILL, says="permission denied")
        with pytest.raises(SchedulerError, match="permission denied"):
            scheduler.kill(jobid)

    def test_without_the_commands_it_says_where_they_are_wanted(
        self, scheduler, system, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SchedulerError, match=f"there is no {self.SUBMIT} here"):
            scheduler.submit(["true"], tmp_path / "log")
        with pytest.raises(SchedulerError, match=r"there is no \w+ here"):
            scheduler.get_jobs()

    def test_a_time_limit_ends_a_job(self, scheduler, system, tmp_path):
        system.set(time_scale=0.001)
        jobid = scheduler.submit(
            WAITS_LONG, tmp_path / "log", scheduler_args={"timelimit": "1m"}
        )
        until(lambda: self.ended(scheduler, jobid))
        assert states(scheduler, jobid) <= {JobState.TIMEOUT, *self.told_after_kill}

    def test_what_the_system_has_forgotten_is_gone(self, scheduler, system, tmp_path):
        jobid = scheduler.submit([*PYTHON, ""], tmp_path / "log")
        other = scheduler.submit(WAITS_LONG, tmp_path / "other")
        until(lambda: self.ended(scheduler, jobid))
        system.forget(jobid)
        assert scheduler.query([jobid]) == []
        assert scheduler.get_status(jobid) is None
        assert [job.id for job in scheduler.query([jobid, other])] == [other]
        scheduler.kill(jobid)


class LimitContract(ArrayContract, FaultContract):
    """For a scheduler that tells how many jobs an array may have."""

    def test_how_many_jobs_an_array_may_have_is_asked(self, scheduler, system):
        system.set(most=7, MaxArraySize=7)
        assert scheduler.limits().array == 7


class GarbageContract(FaultContract):
    """For a scheduler whose answers are lines."""

    def test_lines_that_are_no_job_are_passed_over(self, scheduler, system, tmp_path):
        jobid = scheduler.submit(WAITS_LONG, tmp_path / "log", name="mine")
        for noise in ("\n", "garbage\n", "\xff\x00|||\n", "a|b|c|d\n", "7\n"):
            system.fault(self.STATUS, adds=noise)
            assert scheduler.get_jobs() == [jobid], noise
            assert scheduler.find(["mine"]) == {"mine": jobid}, noise
