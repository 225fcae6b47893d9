"""What `psy status --why`, `psy run --dry-run` and `psy diff` tell of a change."""

import dataclasses
import os
import shutil
import subprocess
import sys

import pytest

from psyrun.runfile import read_run_file, write_run_file
from psyrun.workdir import Workdir
from tests.background import SCHEDULER
from tests.waiting import until

HELPER = """\
SCALE = 2

def double(x):
    return SCALE * x

def unused(x):
    return x
"""
TASK = """
import helper

N = 3
pspace = Param(a=range(N)) * Param(b=[1])
file_dep = ['data.txt']

def execute(a, b):
    counted(a, b)
    return {'y': helper.double(a) + b}
"""


def done_square(project):
    path = project.task("square", TASK)
    path.with_name("helper.py").write_text(HELPER)
    path.with_name("data.txt").write_text("1")
    assert project.psy("run").code == 0
    assert len(project.evaluated()) == 3


@pytest.fixture
def done(once):
    return once(done_square)


def edit(project, old, new, name="task_square.py"):
    path = project.tasks / name
    source = path.read_text()
    assert source.count(old) == 1
    path.write_text(source.replace(old, new))


def why(project, *options):
    """Return what is told below the task's line."""
    ran = project.psy("status", "--why", *options)
    assert ran.code == 0
    return [line.strip() for line in ran.out.split("\n")[1:-1]]


def line_of(project, text, name="task_square.py"):
    lines = (project.tasks / name).read_text().split("\n")
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_nothing_changed(done):
    assert why(done) == ["nothing that results depend on changed since run 1"]


def test_what_cannot_change_a_result_is_no_reason(done):
    edit(done, "    return x\n", "    return -x\n", "helper.py")
    edit(done, "\nN = 3", "\n# how many\nN = 3")
    assert why(done) == ["nothing that results depend on changed since run 1"]


def test_a_function_is_named_with_its_old_and_new_place(done):
    edit(done, "SCALE * x", "SCALE * x + 1", "helper.py")
    edit(done, "SCALE = 2", "# twice\nSCALE = 2", "helper.py")
    assert why(done) == [
        "since run 1:",
        "function `helper.double` changed, at psy-tasks/helper.py:4, was at line 3",
    ]


def test_a_function_that_moved_to_another_file(done):
    (done.tasks / "more.py").write_text(HELPER)
    edit(done, "import helper", "import more as helper")
    told = why(done)
    line = line_of(done, "import more")
    assert f"import `helper` changed, at psy-tasks/task_square.py:{line}" in told
    assert "function `helper.double` is gone, was at psy-tasks/helper.py:3" in told
    assert "function `more.double` is new, at psy-tasks/more.py:3" in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("a, b)\n    return", "a, b)\n    return {} or", "function `execute` changed, at {}"),
        ("N = 3", "N = 3\nprint('hm')", "statement `print('hm')` is new, at {}"),
    ],
)
def test_what_changed_in_the_task_file(done, old, new, told):
    edit(done, old, new)
    line = line_of(done, "def execute" if "execute" in told else "print('hm')")
    assert told.format(f"psy-tasks/task_square.py:{line}") in why(done)


def test_a_file_is_named(done):
    (done.tasks / "data.txt").write_text("2")
    assert why(done) == ["since run 1:", "file `data.txt` changed"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("N = 3", "N = 5", "parameter `a`: 2 new (3, 4)"),
        ("N = 3", "N = 9", "parameter `a`: 6 new (3, 4, 5, ...)"),
        ("range(N)", "[0, 7]", "parameter `a`: 1 new (7), 2 gone (1, 2)"),
        ("range(N)", "[2, 1, 0]", "the same values, in another order or other combinations"),
        ("b=[1]", r"b=[1, 'x\x1b[2J']", r"parameter `b`: 1 new ('x\x1b[2J')"),
    ],
)
def test_the_names_of_a_space_that_changed(done, old, new, told):
    edit(done, old, new)
    first, second, *_ = why(done)
    assert first.startswith("the parameter space changed")
    assert second == told


def test_a_parameter_that_is_new_and_one_that_is_gone(done):
    edit(done, "Param(b=[1])", "Param(c=[1])")
    edit(done, "execute(a, b)", "execute(a, c, b=1)")
    told = why(done)
    assert "parameter `c` is new" in told
    assert "parameter `b` is gone" in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("N = 3", "N = 3\nexclude_from_result = ['y']", "exclude_from_result changed"),
        ("N = 3", "N = 3\nresultfile = 'x.pkl'", "resultfile was psy-work/square/result.pkl"),
    ],
)
def test_why_it_is_merged_again(done, old, new, told):
    edit(done, old, new)
    assert why(done) == [f"all rows are done, merging: {told}"]


def test_a_result_that_is_gone_or_another(done):
    result = done.workdir("square") / "result.pkl"
    result.write_bytes(b"")
    assert "is not as it was written" in why(done)[0]
    result.unlink()
    assert why(done)[0].endswith("merging: psy-work/square/result.pkl is gone")


def test_rows_that_failed_and_are_missing(done):
    edit(done, "counted(a, b)", "assert a")
    done.psy("run")
    edit(done, "N = 3", "N = 4")
    assert why(done)[-2:] == ["1 row failed; see: psy errors square", "1 row without a result"]


def test_accepted_changes_are_told(done):
    edit(done, "SCALE = 2", "SCALE = 3", "helper.py")
    assert done.psy("run", "-c").code == 0
    assert why(done) == [
        "since run 1, accepted:",
        "constant `helper.SCALE` changed, at psy-tasks/helper.py:1",
    ]


def test_runs_by_the_same_code_are_told_once(done):
    edit(done, "N = 3", "N = 4")
    done.psy("run")
    edit(done, "SCALE = 2", "SCALE = 3", "helper.py")
    assert why(done) == [
        "since run 2:",
        "constant `helper.SCALE` changed, at psy-tasks/helper.py:1",
    ]


def test_code_as_run_that_cannot_be_read(done):
    (path,) = (done.workdir("square") / "code").glob("*/task/task_square.py")
    path.write_text("")
    edit(done, "SCALE = 2", "SCALE = 3", "helper.py")
    assert why(done) == ["since run 1:", "the copy of the code as run cannot be read"]
    ran = done.psy("run")
    assert (
        "all 3 rows again: the copy of the code as run cannot be read; `psy run -c`" in ran.err
    )


def test_a_damaged_copy_of_the_code_is_written_anew_where_the_code_is_the_same(done):
    (path,) = (done.workdir("square") / "code").glob("*/task/task_square.py")
    path.write_text("")
    assert done.psy("verify").code == 1
    assert "up to date" in done.psy("run").out
    assert done.psy("verify").code == 0


def test_never_run(project):
    project.task("square", "pspace = Param(a=[1])\ndef execute(a):\n    return {}\n")
    assert why(project) == []
    assert project.psy("diff").err == "square: never run, so there is nothing to compare with\n"


def everything_below(folder):
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


@pytest.mark.parametrize(
    ("edits", "options", "code", "said"),
    [
        ([], [], 0, "up to date, would do nothing"),
        (
            [("N = 3", "N = 4")],
            [],
            0,
            "evaluate 1 of 4 rows (the parameter space changed), 1 job",
        ),
        (
            [("+ b", "- b")],
            [],
            0,
            "evaluate all 3 rows again: `execute` changed; `psy run -c` k",
        ),
        ([("+ b", "- b")], ["-c"], 0, "evaluate nothing; all rows are done, merging"),
        ([("+ b", "- b"), ("N = 3", "overwrite_dirty = False; N = 3")], [], 1, "start nothing"),
        ([], ["--force"], 0, "evaluate all 3 rows again, by --force"),
        (
            [("N = 3", "exclude_from_result = ['y']; N = 3")],
            [],
            0,
            "evaluate nothing; all rows",
        ),
    ],
)
def test_a_dry_run_tells_and_changes_nothing(done, edits, options, code, said):
    for old, new in edits:
        edit(done, old, new)
    before = everything_below(done.root)
    ran = done.psy("run", "--dry-run", *options)
    assert (ran.code, ran.err) == (code, "")
    assert said in ran.out.split("\n")[0]
    assert done.evaluated() == []
    assert everything_below(done.root) == before


def test_a_dry_run_makes_no_work_directory(project):
    project.task("square", "pspace = Param(a=[1, 2])\ndef execute(a):\n    return {}\n")
    ran = project.psy("run", "--dry-run")
    assert (ran.code, ran.out) == (0, "square: would evaluate 2 rows, 2 jobs, ImmediateRun\n")
    assert not (project.root / "psy-work").exists()


@pytest.fixture
def queued(project):
    """Jobs that wait until the file `hold` goes."""
    project.task(
        "far",
        """
        import time
        from pathlib import Path
        from own_scheduler import Background

        pspace = Param(a=range(4))
        max_jobs = 1
        scheduler = Background

        def execute(a):
            counted(a)
            while a == 2 and Path('hold').exists():
                time.sleep(0.01)
            return {'y': a * a}
        """,
    )
    (project.tasks / "own_scheduler.py").write_text(SCHEDULER)
    hold = project.tasks / "hold"
    hold.touch()
    assert project.psy("run").code == 0
    until(lambda: (project.root / "counted").exists())
    until(lambda: len((project.root / "counted").read_text().split()) == 3)
    yield project
    hold.unlink(missing_ok=True)
    until(lambda: (project.workdir("far") / "result.pkl").exists())


def test_status_counts_what_was_submitted_while_it_runs(queued):
    assert queued.psy("status").out == "far: running, 2 of 4 rows done, 1 RUNNING\n"
    edit(queued, "a * a", "-a", "task_far.py")
    assert queued.psy("status").out == (
        "far: running, 2 of 4 rows done, 1 RUNNING, `execute` changed since it was submitted\n"
    )


def test_status_tells_of_a_space_that_changed_while_it_runs(queued):
    edit(queued, "range(4)", "range(9)", "task_far.py")
    assert queued.psy("status").out == (
        "far: running, 2 of 4 rows done, 1 RUNNING, "
        "the parameter space changed since it was submitted\n"
    )


RACING = (
    SCHEDULER
    + '''

class Racing(Background):
    """While it is asked for jobs, another command does all that there is to do."""

    def get_jobs(self):
        race = Path(__file__).with_name("race")
        if race.exists():
            race.unlink()
            again = [sys.executable, "-m", "psyrun", "run"]
            subprocess.run(again, cwd=race.parents[1], check=True)
        return super().get_jobs()
'''
)


def forget_ends(folder):
    """Let it be open again how the jobs ended, so that the scheduler is asked."""
    workdir = Workdir(folder)
    file = read_run_file(workdir, "far")
    assert file.last is not None
    write_run_file(workdir, file.with_run(dataclasses.replace(file.last, ends={})))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["status", "--why"], "far: up to date, 2 rows in"),
        (["status", "--json"], '"status": "up to date"'),
        (["run", "--dry-run"], "far: up to date, would do nothing"),
    ],
)
def test_another_run_that_ends_meanwhile_is_seen_whole(project, command, said):
    """Not half of it: the record of runs from before, and the rows and codes from after."""
    text = """
    from own_scheduler import Racing as scheduler

    pspace = Param(a=range(2))

    def execute(a):
        return {'y': a}
    """
    path = project.task("far", text)
    (project.tasks / "own_scheduler.py").write_text("import sys\n" + RACING)
    assert project.psy("run").code == 0
    until(lambda: "up to date" in project.psy("status").out)
    forget_ends(project.workdir("far"))
    edit(project, "from own_scheduler import Racing as scheduler", "", path.name)
    edit(project, "'y': a", "'y': -a", path.name)
    (project.tasks / "race").touch()
    ran = project.psy(*command)
    assert not (project.tasks / "race").exists()
    assert said in ran.out
    assert "cannot be read" not in ran.out


@pytest.mark.parametrize("options", [[], ["-c"], ["--force"]])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a * a", "a * a", "jobs are queued or running"),
        ("a * a", "-a", "jobs of the code before `execute` changed are queued or running"),
    ],
)
def test_while_jobs_run_nothing_is_started(queued, options, old, new, said):
    edit(queued, old, new, "task_far.py")
    for dry in ([], ["--dry-run"]):
        ran = queued.psy("run", *options, *dry)
        assert ran.code == 1
        assert (said if not dry else "jobs are queued or running") in ran.err + ran.out
        assert "psy kill far" in ran.err + ran.out
    (queued.tasks / "hold").unlink()
    until(lambda: (queued.workdir("far") / "result.pkl").exists())
    assert queued.evaluated() == ["0", "1", "2", "3"]
    assert queued.result("far")["y"] == [0, 1, 4, 9]


@pytest.fixture
def packaged(project, monkeypatch):
    """A task that imports a package `fake`, installed in version 1.0."""
    folder = project.root / "site-packages"
    (folder / "fake-1.0.dist-info").mkdir(parents=True)
    (folder / "fake-1.0.dist-info" / "METADATA").write_text("Name: fake\nVersion: 1.0\n")
    (folder / "fake.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    project.task(
        "square",
        """
        import fake

        pspace = Param(a=[1, 2])

        def execute(a):
            counted(a)
            return {'y': a}
        """,
    )
    assert told(project, "run")
    assert project.evaluated() == ["1", "2"]
    return project


def told(project, *arguments):
    """Run a command in a process of its own, which remembers no versions."""
    command = project.start(*arguments)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    return out + err


def upgrade(project):
    info = project.root / "site-packages" / "fake-1.0.dist-info"
    (info / "METADATA").write_text("Name: fake\nVersion: 2.0\n")
    info.rename(info.with_name("fake-2.0.dist-info"))


def test_another_version_of_a_package_is_told_and_does_not_count(packaged):
    upgrade(packaged)
    assert "up to date" in told(packaged, "run")
    assert packaged.evaluated() == []
    assert (
        "package `fake` is 2.0, was 1.0; that does not count without depends_on = ['fake']"
        in told(packaged, "status", "--why")
    )


@pytest.mark.parametrize("first", ["set before", "set with the upgrade"])
def test_another_version_counts_with_depends_on(packaged, first):
    path = packaged.tasks / "task_square.py"
    path.write_text(path.read_text().replace("pspace", "depends_on = ['fake']\npspace", 1))
    if first == "set before":
        assert "up to date" in told(packaged, "run")
    upgrade(packaged)
    why = told(packaged, "status", "--why")
    assert "  since run 1:\n    package `fake` is 2.0, was 1.0\n" in why
    assert "package `fake` changed; `psy run -c` keeps the 2 done" in told(packaged, "run")
    assert packaged.evaluated() == ["1", "2"]
    assert "up to date" in told(packaged, "run")


def test_depends_on_what_no_run_noted_counts(packaged):
    """Nobody knows which version it was."""
    path = packaged.tasks / "task_square.py"
    path.write_text(path.read_text().replace("pspace", "depends_on = ['numpy']\npspace", 1))
    why = told(packaged, "status", "--why")
    assert "was of a version that was not noted" in why
    assert "package `numpy` changed" in told(packaged, "run")
    assert packaged.evaluated() == ["1", "2"]
    assert "up to date" in told(packaged, "run")


def test_diff_shows_the_code_as_run_and_now(done):
    edit(done, "SCALE = 2", "SCALE = 3", "helper.py")
    edit(done, "+ b}", "- b}  # ä")
    ran = done.psy("diff", "square")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.split("\n")[:2] == [
        "--- psy-tasks/task_square.py\trun 1",
        "+++ psy-tasks/task_square.py\tnow",
    ]
    assert "-    return {'y': helper.double(a) + b}\n" in ran.out
    assert "+    return {'y': helper.double(a) - b}  # ä\n" in ran.out
    assert "-SCALE = 2\n+SCALE = 3\n" in ran.out


def test_diff_can_be_applied_backwards(done):
    """What it prints is a patch, whatever the files are like."""
    shutil.copytree(done.tasks, done.root / "before")
    edit(done, "+ b}", "- b}")
    (done.tasks / "helper.py").write_text(HELPER.replace("= 2", "= 3").rstrip() + "\n#")
    (done.tasks / "psy-conf.py").write_text("max_jobs = 3\n")
    patch = done.psy("diff").out
    ran = subprocess.run(["patch", "-R", "-p0"], input=patch, text=True, check=False)
    assert ran.returncode == 0
    for name in ("task_square.py", "helper.py"):
        assert (done.tasks / name).read_text() == (done.root / "before" / name).read_text()
    assert not (done.tasks / "psy-conf.py").exists()


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (b"A = 1\n\f\nB = 2\n", b"A = 1\n\f\nB = 3\n"),
        (b"A = '\xc2\x85\xe2\x80\xa8'\n\nB = 2\n", b"A = '\xc2\x85\xe2\x80\xa8'\n\nB = 3\n"),
        (b"A = 1\r\nB = 2\r\n", b"A = 1\r\nB = 3\r\n"),
        (b"A = 1\r\nB = 2\r\n", b"A = 1\nB = 2\n"),
        (b"# coding: latin-1\nA = '\xe9'\n", b"# coding: latin-1\nA = '\xe8'\n"),
    ],
)
def test_diff_is_a_patch_whatever_is_in_a_file(done, before, now):
    file = done.tasks / "helper.py"
    file.write_bytes(before + HELPER.encode())
    done.psy("run", "--force")
    file.write_bytes(now + HELPER.encode())
    diff = [sys.executable, "-m", "psyrun", "diff"]
    patch = subprocess.run(diff, capture_output=True, check=True).stdout
    subprocess.run(["patch", "-R", "-p0", "--binary"], input=patch, check=True)
    assert file.read_bytes() == before + HELPER.encode()


def test_diff_of_what_is_the_same(done):
    os.utime(done.tasks / "helper.py", (1, 1))
    ran = done.psy("diff")
    assert (ran.code, ran.out, ran.err) == (0, "", "square: the code is as in run 1\n")


def test_diff_needs_no_code_that_runs(done):
    (done.tasks / "task_square.py").write_text("def (")
    ran = done.psy("diff")
    assert ran.code == 0
    assert ran.out.endswith("+def (\n\\ No newline at end of file\n")


def test_diff_of_a_file_that_is_gone(done):
    (done.tasks / "helper.py").unlink()
    ran = done.psy("diff")
    assert "+++ /dev/null\n" in ran.out
    (done.tasks / "task_square.py").unlink()
    assert done.psy("diff", "square").code == 0


def test_diff_of_an_earlier_run(done):
    edit(done, "+ b}", "- b}")
    done.psy("run", "-c")
    assert done.psy("diff").out == ""
    assert "+    return {'y': helper.double(a) - b}" in done.psy("diff", "--run", "1").out
    ran = done.psy("diff", "--run", "7")
    assert (ran.code, ran.err) == (1, "ERROR square: run 7 is not kept; there are: 1, 2\n")


def test_diff_names_files_whose_content_is_not_kept(done):
    (done.tasks / "data.txt").write_text("2")
    ran = done.psy("diff")
    assert ran.err == "square: file data.txt changed; what was in it is not kept\n"


def test_diff_of_damaged_code_says_so(done):
    (path,) = (done.workdir("square") / "code").glob("*/task/task_square.py")
    path.write_text("")
    ran = done.psy("diff")
    assert ran.code == 1
    assert "damaged" in ran.err


def test_frozen_code_that_is_gone_is_written_anew_as_diff_advises(done):
    shutil.rmtree(done.workdir("square") / "code")
    assert "run the task again" in done.psy("diff").err
    assert why(done) == ["all rows are done, merging: the frozen code is gone"]
    assert done.psy("run").code == 0
    assert done.evaluated() == []
    assert done.psy("diff").err == "square: the code is as in run 2\n"
    edit(done, "+ b}", "- b}")
    assert why(done)[0] == "since run 2:"


def test_an_accepted_edit_that_is_taken_back_is_no_reason(done):
    """The rows are by the very code that is there."""
    edit(done, "SCALE = 2", "SCALE = 3", "helper.py")
    done.psy("run", "-c")
    edit(done, "SCALE = 3", "SCALE = 2", "helper.py")
    assert why(done) == ["nothing that results depend on changed since run 2"]


def test_files_are_spoken_of_where_none_is_named(project):
    project.task("square", "pspace = Param(a=[1])\ndef execute(a): return {'y': a}\n")
    project.psy("run")
    assert why(project)[0].endswith("(files that are read count if file_dep names them)")
