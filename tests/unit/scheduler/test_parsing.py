"""What commands print is read as it is meant; of what is cut or foreign nothing is made up."""

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import LSF, PBS, SGE, JobInfo, JobState, Slurm, Sqsub
from psyrun.scheduler.slurm import parse_accounting

PENDING, RUNNING = JobState.PENDING, JobState.RUNNING


class TestSlurm:
    @pytest.mark.parametrize(
        ("shown", "jobid", "indices"),
        [
            ("12", "12", None),
            ("12_7", "12", ((7, 8),)),
            ("12_[7]", "12", ((7, 8),)),
            ("12_[0,3-5%4]", "12", ((0, 1), (3, 6))),
            ("12_[0-9:3]", "12", ((0, 1), (3, 4), (6, 7), (9, 10))),
            ("12+1", "12", None),  # a part of a heterogeneous job
            ("12_[0,3-5,...]", "12", ((0, 1), (3, 6))),
            ("12_[0,3-5,...", "12", ((0, 1), (3, 6))),
            ("12_[0,3-5,17-", "12", ((0, 1), (3, 6))),
            ("12_[...]", "12", ()),
        ],
    )
    def test_ids_in_all_their_forms(self, shown, jobid, indices):
        (job,) = Slurm().parse_status(f"{shown}|PENDING|None|name\n")
        assert job == JobInfo(jobid, PENDING, "", "name", indices)

    @pytest.mark.parametrize("shown", ["", "x", "12_x", "_3", "12_[a]b", "JOBID", "CLUSTER: c"])
    def test_what_is_no_id_is_passed_over(self, shown):
        assert list(Slurm().parse_status(f"{shown}|PENDING|None|name")) == []

    def test_names_of_others_with_bars_and_lines_are_no_jobs(self):
        output = "7|RUNNING|None|a|b\nc|d|e\n\n8|PENDING|Priority|x|y|z\n9|RUNNING|None|\n"
        found = [(job.id, job.name) for job in Slurm().parse_status(output)]
        assert found == [("7", "a|b"), ("8", "x|y|z"), ("9", "")]

    @pytest.mark.parametrize(
        ("state", "known"),
        [
            ("COMPLETING", RUNNING),
            ("CONFIGURING", RUNNING),
            ("NODE_FAIL", JobState.NODE_FAIL),
            ("OUT_OF_MEMORY", JobState.OUT_OF_MEMORY),
            ("REQUEUED", PENDING),
            ("SPECIAL_EXIT", PENDING),  # requeued and held
            ("SUSPENDED", JobState.SUSPENDED),
        ],
    )
    def test_states_are_those_that_are_told_apart(self, state, known):
        assert [job.state for job in Slurm().parse_status(f"1|{state}|None|n")] == [known]

    def test_an_unknown_state_is_no_end(self):
        listed = Slurm().parse_status("1|NEWSTATE|None|n\n2_[3-4]|?|Held|n")
        assert list(listed) == [
            JobInfo("1", RUNNING, "NEWSTATE", "n"),
            JobInfo("2", RUNNING, "?", "n", ((3, 5),)),
        ]

    def test_accounting_tells_by_whom_a_job_was_cancelled(self):
        (job,) = parse_accounting("12_3|CANCELLED by 1000|n\n12_3.batch|x\n")
        assert job == JobInfo("12", JobState.CANCELLED, "", "n", ((3, 4),))

    @pytest.mark.parametrize("said", ["7", "7;cluster", "Submitted batch job 7", "x\n7\n"])
    def test_the_id_of_a_submission(self, said):
        assert Slurm().parse_id(said) == "7"

    def test_a_job_of_an_array_is_cancelled_by_array_and_index(self):
        # scancel does nothing, without a word, for the id that such a job has of its own
        assert Slurm().kill_command("12_3") == ["scancel", "12_3"]


class TestGridEngine:
    def parse(self, *jobs):
        rows = "".join(
            f"<job_list state='x'><JB_job_number>{jobid}</JB_job_number><JB_name>n</JB_name>"
            f"<state>{state}</state>{f'<tasks>{tasks}</tasks>' if tasks else ''}</job_list>"
            for jobid, state, tasks in jobs
        )
        output = f"<?xml version='1.0'?><job_info><queue_info>{rows}</queue_info></job_info>"
        return list(SGE().parse_status(output))

    def test_tasks_count_from_one(self):
        found = self.parse(("3", "r", "1"), ("3", "qw", "2-4:1,7"), ("4", "qw", ""))
        assert [job.indices for job in found] == [((0, 1),), ((1, 4), (6, 7)), None]

    @pytest.mark.parametrize(
        ("letters", "state"),
        [
            ("r", RUNNING),
            ("t", RUNNING),
            ("dr", RUNNING),
            ("Rr", RUNNING),
            ("qw", PENDING),
            ("hqw", PENDING),
            ("Eqw", PENDING),
            ("s", JobState.SUSPENDED),
            ("T", JobState.SUSPENDED),
        ],
    )
    def test_letters(self, letters, state):
        assert [job.state for job in self.parse(("1", letters, ""))] == [state]

    def test_what_can_not_be_started_says_so(self):
        (job,) = self.parse(("1", "Eqw", ""))
        assert "could not be started" in job.reason

    @pytest.mark.parametrize("said", ["3\n", "3.1-10:1\n", "warning: x\n3\n"])
    def test_the_id_of_a_submission(self, said):
        assert SGE().parse_id(said) == "3"

    def test_jobs_are_those_of_who_this_is_whatever_variables_say(self, monkeypatch):
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.setenv(name, "somebody")
        assert "somebody" not in SGE().status_command()

    def test_a_job_of_an_array_is_cancelled_by_its_task(self):
        assert SGE().kill_command("12_3") == ["qdel", "12.4"]


class TestPBS:
    def test_broken_lines_and_variables_of_jobs(self):
        output = (
            "Job Id: 12[3].server\n    Job_Name = a_long_n\n\tame\n    job_state = R\n"
            "    Variable_List = A=1,\n\tB=2\n    job_state = F\n\n"
            "Job Id: 13.server\n    Job_Name = x = y\n    job_state = F\n    Exit_status = 1\n"
        )
        assert list(PBS().parse_status(output)) == [
            JobInfo("12[].server", RUNNING, "", "a_long_name", ((3, 4),)),
            JobInfo("13.server", JobState.FAILED, "exit status 1", "x = y"),
        ]

    def test_an_array_is_told_as_a_whole_only_without_its_jobs(self):
        whole = "Job Id: 12[].server\n    Job_Name = n\n    job_state = Q\n"
        one = "Job Id: 12[0].server\n    Job_Name = n\n    job_state = Q\n"
        assert [job.indices for job in PBS().parse_status(whole)] == [None]
        assert [job.indices for job in PBS().parse_status(whole + one)] == [((0, 1),)]

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ("0", JobState.COMPLETED),
            ("1", JobState.FAILED),
            ("271", JobState.CANCELLED),
            ("-29", JobState.TIMEOUT),
        ],
    )
    def test_how_a_job_ended(self, status, state):
        output = f"Job Id: 1.s\n    job_state = F\n    Exit_status = {status}\n"
        assert [job.state for job in PBS().parse_status(output)] == [state]

    def test_an_unknown_state_is_no_end(self):
        output = "Job Id: 1.s\n    job_state = Y\nJob Id: 2.s\n    Job_Name = n\n"
        assert list(PBS().parse_status(output)) == [
            JobInfo("1.s", RUNNING, "Y"),
            JobInfo("2.s", RUNNING, "", "n"),
        ]

    @pytest.mark.parametrize("jobid", ["12.server.example", "12[].server", "12"])
    def test_the_id_of_a_submission(self, jobid):
        assert PBS().parse_id(f"qsub: waiting\n{jobid}\n") == jobid

    def test_a_job_of_an_array_is_cancelled_by_its_index(self):
        assert PBS().kill_command("12[].server_3") == ["qdel", "12[3].server"]
        assert PBS().kill_command("12.server_0") == ["qdel", "12.server"]

    def test_the_end_of_a_servers_name_is_no_index(self, tmp_path, monkeypatch):
        qstat = tmp_path / "qstat"
        qstat.write_text("#!/bin/sh\necho 'Server: pbs_1'\necho '    server_state = Active'\n")
        qstat.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        assert PBS().kill_command("12[].pbs_1") == ["qdel", "12[].pbs_1"]
        assert PBS().kill_command("12.pbs_1") == ["qdel", "12.pbs_1"]
        assert PBS().kill_command("12[].pbs_1_3") == ["qdel", "12[3].pbs_1"]


class TestLSF:
    def test_jobs_and_jobs_of_arrays(self):
        output = "No more\n7^0^RUN^-^n\n8^3^PEND^ended(7)^m[3]\n9^1^EXIT^-^a^b[1]\n"
        assert list(LSF().parse_status(output)) == [
            JobInfo("7", RUNNING, "", "n"),
            JobInfo("8", PENDING, "Dependency", "m", ((2, 3),)),
            JobInfo("9", JobState.FAILED, "", "a^b", ((0, 1),)),
        ]

    def test_an_unknown_state_is_no_end(self):
        assert list(LSF().parse_status("8^3^NEW^ended(7)^m[3]\n")) == [
            JobInfo("8", RUNNING, "NEW", "m", ((2, 3),))
        ]

    def test_the_id_of_a_submission(self):
        said = "Mapping group\nJob <12> is submitted to default queue <normal>.\n"
        assert LSF().parse_id(said) == "12"

    def test_a_job_of_an_array_is_cancelled_by_its_index(self):
        assert LSF().kill_command("12_3") == ["bkill", "12[4]"]


class TestSqsub:
    def test_the_table(self):
        output = (
            " jobid  queue state ncpus nodes time command\n ------ ----- ----- -----\n"
            " 160079 serial *Q 1 - 15s /usr/bin/env PSYRUN_JOB=task.1 /bin/bash /x y.sh\n"
            " 160080 mpi R 8 - 2h ./other\n 160081 mpi Y 8 - 2h ./other\n"
            "2400 CPUs total, 474 idle\n"
        )
        assert list(Sqsub().parse_status(output)) == [
            JobInfo("160079", PENDING, "Dependency", "task.1"),
            JobInfo("160080", RUNNING, "", ""),
            JobInfo("160081", RUNNING, "Y", ""),
        ]

    def test_it_has_no_throttle_as_it_has_no_arrays(self):
        with pytest.raises(SchedulerError, match="sqsub has no 'throttle'"):
            Sqsub().check({"throttle": 1})
