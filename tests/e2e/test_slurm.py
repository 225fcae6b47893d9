"""Tasks on a real Slurm: nothing that is finished gets lost, whatever becomes of the jobs."""

import getpass
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from psyrun.runfile import read_run_file
from psyrun.workdir import Workdir
from tests.conftest import Project
from tests.e2e.slurm_cluster import SlurmCluster
from tests.waiting import until

pytestmark = pytest.mark.slurm

_LONG_SECONDS = 120
"""Slurm looks at time limits every 30 s, and a requeued job may wait for some."""

TASK = """
import time
from pathlib import Path
from psyrun.scheduler import Slurm

pspace = Param(a=range({rows}))
max_jobs = {jobs}
scheduler = Slurm()
scheduler_args = {{{asked}}}
{more}

def execute(a):
    counted(a)
    while Path({hold!r}).exists() and a >= {free}:
        time.sleep(0.05)
    return {{'y': a * a}}
"""


class Cluster:
    """A project with a task on a private Slurm; its rows are counted from `first` on."""

    def __init__(
        self, project: Project, slurm: SlurmCluster, name: str = "far", *, first: int = 0
    ) -> None:
        self.project, self.slurm = project, slurm
        self.name, self.first = name, first
        self.hold = project.root / f"hold-{name}"
        self.psy = project.psy

    def task(
        self, rows: int, jobs: int, asked: str = "", *, free: int = 0, more: str = ""
    ) -> Path:
        """Write the task; rows from `free` on wait while the file `hold` stands."""
        text = TASK.format(
            rows=rows,
            jobs=jobs,
            asked=asked,
            hold=str(self.hold),
            free=free,
            more=more,
        )
        if self.first:
            text = text.replace("counted(a)", f"counted({self.first} + a)")
        return self.project.task(self.name, text)

    @property
    def run(self):
        run = read_run_file(Workdir(self.project.workdir(self.name)), self.name).last
        assert run is not None
        return run

    def merge_id(self) -> object:
        return self.run.merge_job

    def id_of(self, job: int) -> str:
        """The id of a job of the first array."""
        return f"{self.run.jobs[f'{self.run.number}-{job}']}_{job}"

    def started(self, *rows: int) -> None:
        """Wait until some rows are under way."""
        path = self.project.root / "counted"
        wanted = {str(self.first + row) for row in rows}
        until(
            lambda: path.exists() and wanted <= {*path.read_text().split()},
            "rows to start",
        )

    def over(self) -> None:
        """Wait until Slurm has no job any more."""
        until(lambda: not self.slurm.live(), "the end of all jobs", _LONG_SECONDS)

    def is_done(self, rows: int) -> None:
        shown = self.psy("status", self.name).out
        assert shown.startswith(f"{self.name}: up to date, {rows:,} rows")
        assert self.project.result(self.name) == {
            "a": [*range(rows)],
            "y": [a * a for a in range(rows)],
        }

    def completes(self, rows: int) -> None:
        """The next `psy run` evaluates what is left."""
        self.hold.unlink(missing_ok=True)
        ran = self.psy("run", "--wait", self.name)
        assert ran.code == 0, ran.err
        self.is_done(rows)


@pytest.fixture
def far(project: Project, slurm: SlurmCluster) -> Cluster:
    return Cluster(project, slurm)


def ids_of(slurm: SlurmCluster) -> set[str]:
    return set(slurm.run("squeue", "-h", "-t", "all", "-o", "%F").stdout.split())


def test_a_task_is_submitted_at_once_and_merged_by_a_job(far):
    far.task(12, 4)
    before = ids_of(far.slurm)
    far.hold.touch()
    ran = far.psy("run")
    assert ran.code == 0, ran.err
    array, merge = sorted(ids_of(far.slurm) - before, key=int)
    assert ran.out == f"far: submitted 4 jobs as {array}, merge {merge}\n"
    far.started(0)
    assert far.psy("status").out.startswith("far: running, 0 of 12 rows done, ")
    far.hold.unlink()
    far.over()
    far.is_done(12)
    assert far.run.ends == {**dict.fromkeys(far.run.jobs, "COMPLETED"), "merge": "COMPLETED"}
    assert far.project.evaluated() == sorted(map(str, range(12)))


def test_run_waits_if_asked_to(far):
    far.task(6, 3)
    ran = far.psy("run", "--wait")
    assert ran.code == 0, ran.err
    assert "far: done in " in ran.out
    far.is_done(6)


def test_waiting_is_taken_up_again(far):
    far.task(4, 2)
    far.hold.touch()
    far.psy("run")
    far.started(0)
    waiting = far.project.start("run", "--wait", environment=far.slurm.env)
    far.hold.unlink()
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, err
    assert "far: done in " in out
    assert ", 4 rows in " in out
    far.is_done(4)


def test_a_dry_run_shows_the_scripts_and_submits_nothing(far):
    far.task(
        6, 3, "'memory': '90M', 'comment': 'a \"b\"'", more="merge_args = {'memory': '99M'}"
    )
    before = ids_of(far.slurm)
    ran = far.psy("run", "--dry-run")
    assert ran.code == 0, ran.err
    assert "#SBATCH --array=0-2" in ran.out
    assert "#SBATCH --mem=90M" in ran.out
    assert "#SBATCH --mem=99M" in ran.out
    assert '#SBATCH --comment="a \\"b\\""' in ran.out
    assert ids_of(far.slurm) == before
    assert not far.project.workdir("far").exists()


def test_a_cancelled_job_costs_what_it_had_under_way(far):
    far.task(8, 2, free=1)
    far.hold.touch()
    far.psy("run")
    far.started(0, 1, 4)
    far.slurm.run("scancel", far.id_of(0))
    until(lambda: far.id_of(0) not in far.slurm.live())
    shown = far.psy("status")
    assert "1 job CANCELLED (1-0)" in shown.out
    far.hold.unlink()
    far.over()
    assert "5 of 8 rows done" in far.psy("status").out
    far.project.evaluated()
    far.completes(8)
    assert far.project.evaluated() == ["1", "2", "3"]


def test_jobs_beyond_their_time_limit_come_back_or_say_which_setting_to_raise(far):
    """Slurm looks at time limits every 30 s; the two jobs wait for that together."""
    back = Cluster(far.project, far.slurm, "back", first=10)
    far.task(4, 1, "'timelimit': 1", free=1)
    back.task(4, 1, "'timelimit': '1h'", free=1, more="requeue = 2")
    far.hold.touch()
    back.hold.touch()
    far.psy("run")
    far.started(0, 1)
    back.started(0, 1)
    over, comes_back = far.id_of(0), back.id_of(0)
    far.slurm.scontrol("update", f"JobId={over}", "EndTime=now")
    far.slurm.scontrol("update", f"JobId={comes_back}", "EndTime=now+1")
    until(
        lambda: far.slurm.shown(comes_back)["Restarts"] == "1",
        "the job's return",
        _LONG_SECONDS,
    )
    back.hold.unlink()
    far.over()
    back.is_done(4)
    assert "raise timelimit" in far.psy("status", "far").out
    assert far.project.evaluated() == ["0", "1", "10", "11", "11", "12", "13"]
    far.completes(4)
    assert far.project.evaluated() == ["1", "2", "3"]


def test_a_requeued_job_goes_on_and_its_log_is_kept(far):
    far.task(4, 1, free=1, more="def setup(proc_id):\n    print('begin', flush=True)")
    far.hold.touch()
    far.psy("run")
    far.started(0, 1)
    far.slurm.scontrol("requeue", far.id_of(0))
    far.project.evaluated()
    far.hold.unlink()
    far.over()
    far.is_done(4)
    assert far.project.evaluated() == ["1", "2", "3"]
    assert far.psy("logs", "far", "0").out.count("begin") == 2


def test_a_killed_step_costs_what_it_had_under_way(far):
    far.task(6, 2, free=1)
    far.hold.touch()
    far.psy("run")
    far.started(0, 1, 3)
    killed = far.id_of(0)
    raw = far.slurm.shown(killed)["JobId"]
    for pid in steps_of(raw):
        os.kill(pid, signal.SIGKILL)
    far.slurm.run("scancel", killed)  # Slurm itself takes minutes to notice
    far.hold.unlink()
    far.over()
    far.completes(6)


def steps_of(jobid: str) -> list[int]:
    """Find the processes in which slurmd watches over a job."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words.startswith("slurmstepd") and f"[{jobid}." in words:
            found.append(int(path.parent.name))
    assert found
    return found


def test_a_job_whose_node_fails_comes_back_and_goes_on(far):
    far.task(6, 2, free=1, more="requeue = 2")
    far.hold.touch()
    far.psy("run")
    far.started(0, 1, 3)
    far.project.evaluated()
    node = far.slurm.shown(far.id_of(0))["NodeList"]
    far.slurm.scontrol("update", f"NodeName={node}", "State=DOWN", "Reason=test")
    far.hold.unlink()
    far.over()
    far.is_done(6)
    assert "0" not in far.project.evaluated()


def test_jobs_that_may_come_back_go_on_where_their_time_ran_out(far):
    far.task(4, 1, "'timelimit': '1m'", free=1, more="requeue = 2")
    far.hold.touch()
    far.psy("run")
    far.started(0, 1)
    far.slurm.run("scancel", "--signal=USR1", "--batch", far.id_of(0))
    far.hold.unlink()
    far.over()
    far.is_done(4)
    assert far.project.evaluated() == ["0", "1", "2", "3"]


def test_kill_ends_the_jobs_of_a_task_and_no_others(far):
    far.task(4, 2)
    far.hold.touch()
    other = far.slurm.run("sbatch", "--parsable", "--wrap", "sleep 300").stdout.strip()
    far.psy("run")
    far.started(0)
    ran = far.psy("kill", "far")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("far: ended 3 jobs")
    until(lambda: far.slurm.live() == [other], "the end of the task's jobs")
    assert "nothing is running" in far.psy("kill", "far").out
    far.slurm.run("scancel", other)
    far.completes(4)


def test_a_submission_without_an_answer_is_found_again(far):
    far.task(6, 2)
    far.hold.touch()
    with far.slurm.silence():
        ran = far.psy("run")
    assert ran.code == 1
    assert "whether the jobs were accepted is not known" in ran.err
    until(far.slurm.live, "the ghost")
    assert far.merge_id() is None
    ran = far.psy("run")
    assert ran.code == 1
    assert "jobs are queued or running" in ran.err
    assert far.merge_id() is not None
    far.hold.unlink()
    far.over()
    far.is_done(6)
    assert far.project.evaluated() == [*map(str, range(6))]


def test_rows_are_shown_though_slurm_does_not_answer(far):
    far.task(4, 2, free=2)
    far.hold.touch()
    far.psy("run")
    far.started(0, 1, 2)
    with far.slurm.silence():
        shown = far.psy("status")
        refused = far.psy("run")
    assert "2 of 4 rows done" in shown.out
    assert "Socket timed out" in shown.err
    assert refused.code == 1
    assert "nothing was started" in refused.err
    far.hold.unlink()
    far.over()
    far.is_done(4)


def test_what_sbatch_refuses_is_told_in_its_own_words(far):
    far.task(2, 1, "'partition': 'nowhere'")
    ran = far.psy("run")
    assert ran.code == 1
    assert "Invalid partition name specified" in ran.err
    far.task(2, 1)
    assert far.psy("run", "--wait").code == 0


def test_a_misspelt_argument_is_told_before_anything_is_written(far):
    far.task(2, 1, "'timelimitt': '1h'")
    ran = far.psy("run")
    assert ran.code == 1
    assert "did you mean 'timelimit'?" in ran.err
    assert not (far.project.workdir("far") / "run.json").exists()


def test_a_failed_merge_is_told(far):
    path = far.task(2, 1)
    text = path.read_text()
    path.write_text(text + "\nresultfile = 'there/result.pkl'\n")
    far.hold.touch()
    far.psy("run")
    Path("there").write_text("a file where a folder is to be")
    far.hold.unlink()
    far.over()
    shown = far.psy("status")
    assert shown.out.startswith("far: to merge, 2 of 2 rows done")
    assert "the merge job FAILED" in shown.out
    assert "there" in shown.out
    Path("there").unlink()
    assert far.psy("run").code == 0
    assert "up to date" in far.psy("status").out


def test_failed_rows_block_no_merge_job_for_ever(far):
    path = far.task(6, 3)
    source = path.read_text()
    assert "counted(a)" in source
    path.write_text(source.replace("counted(a)", "counted(a); 1 / (a - 3)"))
    far.psy("run", "--wait")
    far.over()
    assert "5 of 6 rows done, 1 failed" in far.psy("status").out
    assert "ZeroDivisionError" in far.psy("errors").out


def test_many_jobs_are_several_arrays(far, monkeypatch):
    far.task(5000, 5000, "'hold': True")
    before = ids_of(far.slurm)
    ran = far.psy("run")
    assert ran.code == 0, ran.err
    assert len(ids_of(far.slurm) - before) == 5 + 1
    assert "5,000 PENDING (JobHeldUser)" in far.psy("status").out
    assert far.psy("kill").code == 0
    until(lambda: not far.slurm.live())


def test_jobs_of_all_arrays_get_their_own_rows(project, monkeypatch):
    with SlurmCluster(settings={"MaxArraySize": "4"}) as slurm:
        monkeypatch.setenv("SLURM_CONF", str(slurm.conf))
        far = Cluster(project, slurm)
        far.task(22, 11)
        ran = far.psy("run", "--wait")
        assert ran.code == 0, ran.err
        far.is_done(22)
        assert far.project.evaluated() == sorted(map(str, range(22)))
        assert far.psy("logs", "far", "9").code == 0


@pytest.fixture(scope="module")
def strict() -> Iterator[SlurmCluster]:
    """A Slurm that takes jobs only of those whom accounting knows, and no more than it says."""
    settings = {"AccountingStorageEnforce": "limits"}
    with SlurmCluster(accounting=True, settings=settings) as slurm:
        yield slurm


def manage(slurm: SlurmCluster, *words: str) -> None:
    done = slurm.run("sacctmgr", "-i", *words)
    assert done.returncode == 0, done.stderr or done.stdout


def test_limits_of_a_user_are_told_or_kept(strict, project, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(strict.conf))
    far = Cluster(project, strict)
    far.task(30, 10, "'account': 'lab'")
    ran = far.psy("run")
    assert ran.code == 1
    assert "Invalid account or account/partition combination specified" in ran.err
    manage(strict, "add", "account", "lab")
    manage(strict, "add", "user", getpass.getuser(), "account=lab", "maxsubmitjobs=5")
    may = ("sbatch", "--test-only", "--account=lab", "--wrap", "true")
    until(lambda: strict.run(*may).returncode == 0, "Slurm to know the user")
    ran = far.psy("run", "--wait")
    assert ran.code == 0, ran.err
    assert "far: 30 rows, 4 jobs" in ran.err
    far.is_done(30)
    far.over()  # the merge job's script ends behind what it has noted
    shown = ("sacct", "-X", "-n", "-P", "-o", "state")
    until(lambda: {*strict.run(*shown).stdout.split()} == {"COMPLETED"}, "accounting")


def test_accounting_tells_what_slurm_has_forgotten(project, slurm_with_accounting):
    slurm = slurm_with_accounting
    far = Cluster(project, slurm)
    far.task(4, 2, free=1)
    far.hold.touch()
    far.psy("run")
    far.started(0, 1)
    slurm.run("scancel", far.run.jobs["1-0"], str(far.merge_id()))
    listed = ("squeue", "-h", "-t", "all", "-o", "%i")
    until(lambda: not slurm.run(*listed).stdout, "Slurm to forget", _LONG_SECONDS)
    assert "2 jobs CANCELLED (1-0, 1-1)" in far.psy("status").out


@pytest.fixture(scope="module")
def _crowded() -> Iterator[SlurmCluster]:
    settings = {"PreemptType": "preempt/partition_prio", "PreemptMode": "REQUEUE"}
    with SlurmCluster(nodes=1, cpus=1, settings=settings) as slurm:
        slurm.scontrol("create", "PartitionName=urgent", "Nodes=ALL", "PriorityTier=10")
        yield slurm


@pytest.fixture
def crowded(_crowded, project, monkeypatch) -> Iterator[Cluster]:
    """A Slurm of one CPU, with a partition `urgent` whose jobs take it from others."""
    monkeypatch.setenv("SLURM_CONF", str(_crowded.conf))
    yield Cluster(project, _crowded)
    _crowded.scontrol("update", "PartitionName=debug", "PreemptMode=REQUEUE")
    _crowded.reset()


def urgent(slurm: SlurmCluster) -> None:
    done = slurm.run("sbatch", "--partition=urgent", "--wrap", "true")
    assert done.returncode == 0, done.stderr


def test_a_preempted_job_comes_back_and_goes_on(crowded):
    crowded.task(4, 1, free=1, more="requeue = 1")
    crowded.hold.touch()
    crowded.psy("run")
    crowded.started(0, 1)
    crowded.project.evaluated()
    urgent(crowded.slurm)
    until(lambda: crowded.slurm.shown(crowded.id_of(0))["Restarts"] == "1", "the preemption")
    crowded.hold.unlink()
    crowded.over()
    crowded.is_done(4)
    again = crowded.project.evaluated()  # its former self may have ended row 1 after all
    assert again in (["1", "2", "3"], ["2", "3"])


def test_a_job_that_was_preempted_for_good_is_told(crowded):
    crowded.slurm.scontrol("update", "PartitionName=debug", "PreemptMode=CANCEL")
    crowded.task(4, 1, free=1)
    crowded.hold.touch()
    crowded.psy("run")
    crowded.started(0, 1)
    urgent(crowded.slurm)
    until(lambda: "PREEMPTED" in crowded.psy("status").out, "the preemption", _LONG_SECONDS)
    assert "1 job PREEMPTED (1-0): others had precedence" in crowded.psy("status").out
    crowded.hold.unlink()
    crowded.over()
    crowded.completes(4)


@pytest.mark.slow
def test_ten_thousand_rows_over_a_hundred_jobs_equal_the_local_result(far):
    path = far.task(10_000, 100)
    before = ids_of(far.slurm)
    ran = far.psy("run", "--wait")
    assert ran.code == 0, ran.err
    assert len(ids_of(far.slurm) - before) == 2
    there = far.project.result("far")
    assert {"n1", "n2"} <= nodes_of(far)
    far.psy("clean", "--yes")
    path.write_text(path.read_text().replace("scheduler = Slurm()", ""))
    assert far.psy("run").code == 0
    assert far.project.result("far") == there


def nodes_of(far: Cluster) -> set[str]:
    return set(far.slurm.run("squeue", "-h", "-t", "all", "-o", "%N").stdout.split())


@pytest.mark.slow
def test_five_thousand_jobs_run_over_a_limit_of_1001(far):
    far.task(5000, 5000)
    ran = far.psy("run", "--wait")
    assert ran.code == 0, ran.err
    far.is_done(5000)


BALANCED = "from psyrun import LoadBalancingBackend\nbackend = LoadBalancingBackend"


def test_workers_that_share_rows_take_over_those_of_a_cancelled_one(far):
    far.task(40, 2, more=BALANCED)
    far.hold.touch()
    far.psy("run")
    far.started(0, 20)
    far.slurm.run("scancel", "--signal=KILL", "--full", far.id_of(0))
    until(lambda: far.id_of(0) not in far.slurm.live(), "the end of the job", _LONG_SECONDS)
    far.hold.unlink()
    far.over()
    far.is_done(40)
    assert "nothing to do" not in far.psy("run").err


def test_run_continue_adds_workers_to_those_that_share_rows(far):
    far.task(30, 1, more=BALANCED)
    far.hold.touch()
    far.psy("run")
    far.started(0)
    former = far.merge_id()
    assert far.psy("run").code == 1
    path = far.task(30, 3, more=BALANCED)
    assert path.exists()
    ran = far.psy("run", "-c")
    assert ran.code == 0, ran.err
    assert "3 jobs more for the 30 rows left" in ran.err
    assert far.merge_id() != former
    assert len(far.run.jobs) == 4
    far.started(0, 1, 2)
    far.hold.unlink()
    far.over()
    far.is_done(30)


def test_run_continue_adds_no_workers_where_shares_are_fixed(far):
    far.task(4, 2)
    far.hold.touch()
    far.psy("run")
    far.started(0)
    ran = far.psy("run", "-c")
    assert ran.code == 1
    assert "jobs are queued or running" in ran.err
    far.hold.unlink()
    far.over()
    far.is_done(4)
