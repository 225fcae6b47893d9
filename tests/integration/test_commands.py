"""Each command as a user meets it: streams, exit codes, messages."""

import os
import pickle
import pty
import shutil
import subprocess
import sys

import pytest

from psyrun.main import psy_main

GOOD = "pspace = Param(a=[1, 2, 3])\ndef execute(a):\n    counted(a)\n    return {'y': a * a}\n"
BAD = """
pspace = Param(a=range(6))
max_jobs = 3

def execute(a):
    counted(a)
    if a % 2:
        raise ValueError(f'odd: {a}')
    return {'y': a * a}
"""


def test_run_prints_results_on_stdout_and_the_rest_on_stderr(project):
    project.task("good", GOOD)
    ran = project.psy("run")
    assert ran.code == 0
    assert ran.out.startswith("good: done in ")
    assert ran.out.endswith("3 rows in psy-work/good/result.pkl\n")
    assert ran.err == "good: 3 rows, 3 jobs\n"


def test_run_of_named_tasks_runs_only_these(project):
    project.task("good", GOOD)
    project.task("other", GOOD)
    project.psy("run", "other")
    assert project.workdir("other").exists()
    assert not project.workdir("good").exists()


def test_failed_rows_are_told_with_what_to_do(project):
    project.task("bad", BAD)
    ran = project.psy("run")
    assert ran.code == 1
    assert ran.out == ""
    for text in (
        "of 6 rows 3 failed",
        "3 rows: for example ValueError: odd: ",
        "task_bad.py:",
        "psy errors bad",
        "psy run bad",
        "psy run -c bad",
        "psy merge psy-work/bad FILE",
    ):
        assert text in ran.err
    assert not (project.workdir("bad") / "result.pkl").exists()
    project.evaluated()
    assert project.psy("run").code == 1
    assert project.evaluated() == ["1", "3", "5"]


def test_an_older_whole_result_stays_while_rows_fail(project):
    path = project.task("good", GOOD)
    project.psy("run")
    path.write_text(path.read_text().replace("[1, 2, 3]", "[1, 2, 3, 'x']"))
    assert project.psy("run").code == 1
    assert project.result("good") == {"a": [1, 2, 3], "y": [1, 4, 9]}
    assert "stale" in project.psy("status").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "god"], "did you mean good?"),
        (["run", "zzz"], "there are: good"),
        (["--taskdir", "nowhere", "run"], "there is no folder"),
        (["merge", "nowhere", "x.pkl"], "there is no folder nowhere"),
        (["merge", "psy-tasks", "x.zzz"], "no store is known for 'x.zzz'; known"),
        (["merge", "psy-tasks", "x.pkl"], "holds no rows"),
        (["clean", "god"], "did you mean good?"),
        (["kill", "god"], "did you mean good?"),
        (["errors", "god"], "did you mean good?"),
        (["verify", "god"], "did you mean good?"),
        (["test", "god", "--as-run"], "did you mean good?"),
        (["--taskdir", "nowhere", "errors"], "there is no folder"),
        (["--taskdir", "nowhere", "verify"], "there is no folder"),
        (["new-task", "good"], "exists already"),
        (["new-task", "x", "--scheduler", "no.such.Class"], "cannot be made"),
    ],
)
def test_a_wrong_call_exits_with_1_and_says_what_to_do(project, arguments, message):
    project.task("good", GOOD)
    ran = project.psy(*arguments)
    assert ran.code == 1
    assert ran.err.startswith("ERROR ")
    assert message in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["runn"],
        ["run", "--forse"],
        ["merge", "x"],
        ["new-task", "a b"],
        ["run", "-c", "--force"],
        ["errors", "-v"],
        ["verify", "--all"],
        ["test", "good", "--row", "one"],
    ],
)
def test_a_misuse_exits_with_2(project, arguments):
    project.task("good", GOOD)
    assert project.psy(*arguments).code == 2


def test_no_tasks_is_no_error_and_says_how_to_make_one(project):
    project.tasks.mkdir()
    ran = project.psy("run")
    assert ran.code == 0
    assert "psy new-task NAME" in ran.err


def test_status_tells_each_state(project):
    path = project.task("bad", BAD)
    assert project.psy("status").out == "bad: not run, 0 of 6 rows done\n"
    project.psy("run")
    assert project.psy("status").out == "bad: failed, 3 of 6 rows done, 3 failed\n"
    verbose = project.psy("status", "-v").out.split("\n")
    assert verbose[1] == "  failed  row 1 (a=1): ValueError: odd: 1"
    path.write_text(path.read_text().replace("a % 2", "a == 7"))
    assert "stale" in project.psy("status").out
    project.psy("run")
    assert project.psy("status").out == ("bad: up to date, 6 rows in psy-work/bad/result.pkl\n")


def test_status_exit_code_on_request(project):
    project.task("good", GOOD)
    assert project.psy("status").code == 0
    assert project.psy("status", "--exit-code").code == 1
    project.psy("run")
    assert project.psy("status", "--exit-code").code == 0


def test_status_writes_nothing(project):
    project.task("good", GOOD)
    project.psy("status", "-v")
    assert not (project.root / "psy-work").exists()


def test_list_names_tasks_and_runs_none(project):
    project.task("b", "counted('ran')\n")
    project.task("a", "name = 'z'\ncounted('ran')\n")
    assert project.psy("list").out == "b\nz\n"[:0] + "z\nb\n"
    assert project.evaluated() == []


def test_test_shows_one_row_its_time_and_the_estimate(project):
    project.task("good", GOOD)
    ran = project.psy("test")
    assert ran.code == 0
    assert "a = 1" in ran.out
    assert "y = 1" in ran.out
    assert "3 rows would take about" in ran.out
    assert project.evaluated() == ["1"]
    assert not (project.root / "psy-work").exists()


def test_test_of_a_failing_row_shows_the_traceback_and_exits_with_1(project):
    project.task("bad", "pspace = Param(a=[1])\ndef execute(a):\n    return 1 / 0\n")
    ran = project.psy("test")
    assert ran.code == 1
    assert "ZeroDivisionError" in ran.err
    assert "return 1 / 0" in ran.err


def test_test_says_what_the_store_cannot_hold(project):
    project.task("bad", "pspace = Param(a=[1])\ndef execute(a):\n    return {'f': lambda: 0}\n")
    ran = project.psy("test")
    assert ran.code == 1
    assert "PickleStore cannot hold this row: column 'f'" in ran.err


@pytest.mark.parametrize("folder", ["psy-work/bad", "psy-work/bad/out"])
def test_merge_gives_what_is_there_in_order_with_the_missing_count(project, folder):
    project.task("bad", BAD)
    project.psy("run")
    ran = project.psy("merge", folder, "some.pkl")
    assert ran.code == 0
    assert "3 rows in some.pkl" in ran.out
    assert "3 rows failed or missing" in ran.err
    with (project.root / "some.pkl").open("rb") as file:
        assert pickle.load(file) == {"a": [0, 2, 4], "y": [0, 4, 16]}


def test_merge_of_a_copied_out_works_by_the_notes_and_without(project):
    project.task("good", GOOD + "\nmax_jobs = 2\n")
    project.psy("run")
    shutil.copytree(project.workdir("good") / "out", project.root / "copy")
    assert project.psy("merge", "copy", "x.pkl").code == 0
    for note in (project.root / "copy").glob("*.json"):
        note.unlink()
    ran = project.psy("merge", "copy", "y.pkl")
    assert ran.code == 0
    assert "nothing tells how these files belong together" in ran.err
    for name in ("x.pkl", "y.pkl"):
        with (project.root / name).open("rb") as file:
            assert pickle.load(file) == {"a": [1, 2, 3], "y": [1, 4, 9]}


def test_merge_replaces_results_and_nothing_else(project):
    project.task("good", GOOD)
    project.psy("run")
    assert project.psy("merge", "psy-work/good", "x.pkl").code == 0
    assert project.psy("merge", "psy-work/good", "x.pkl").code == 0
    (project.root / "y.pkl").write_text("mine")
    ran = project.psy("merge", "psy-work/good", "y.pkl")
    assert ran.code == 1
    assert ran.err.endswith("is not replaced; move it, or give the result another name\n")
    assert (project.root / "y.pkl").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["x.pkl", "psy-work/good"], "the folder comes first: psy merge psy-work/good x.pkl"),
        (["good", "x.pkl"], "of the task: psy merge psy-work/good x.pkl"),
        (["psy-work/good", "psy-tasks"], "name a file in it, such as psy-tasks/all.pkl"),
        (["psy-work/good/result.pkl", "x.pkl"], "is a file; psy merge takes a folder"),
    ],
)
def test_merge_tells_what_else_it_should_be_given(project, arguments, told):
    project.task("good", GOOD)
    project.psy("run")
    ran = project.psy("merge", *arguments)
    assert ran.code == 1
    assert told in ran.err
    assert not (project.root / "x.pkl").exists()


def test_show_tells_which_files_it_reads(project):
    project.task("good", GOOD)
    (project.root / "x.csv").write_text("a,y")
    ran = project.psy("show", "x.csv")
    assert ran.code == 1
    assert ran.err.startswith("ERROR x.csv is no result file of Psyrun, which ends in .h5, ")


def test_show_tells_that_columns_differ_in_length(project):
    project.task("good", GOOD)
    (project.root / "x.pkl").write_bytes(pickle.dumps({"a": [1, 2], "y": [3]}))
    ran = project.psy("show", "x.pkl")
    assert ran.code == 1
    assert "ERROR the columns of x.pkl differ in length (a has 2, y has 1)" in ran.err


def test_merge_leaves_out_a_damaged_partial_result_and_says_so(project):
    project.task("good", GOOD)
    project.psy("run")
    path = project.workdir("good") / "out" / "1-1.pkl"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    ran = project.psy("merge", "psy-work/good", "x.pkl")
    assert ran.code == 0
    assert "damaged" in ran.err
    with (project.root / "x.pkl").open("rb") as file:
        assert pickle.load(file) == {"a": [1, 3], "y": [1, 9]}


def files_of(folder):
    """Tell all files of a folder, with what shows that one was touched."""
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")
    } | {folder: folder.stat().st_mtime_ns}


def test_merge_and_status_change_nothing_in_the_work_directory(project):
    project.task("bad", BAD)
    project.psy("run")
    before = files_of(project.workdir("bad"))
    assert project.psy("merge", "psy-work/bad", "some.pkl").code == 0
    assert project.psy("status", "-v").code == 0
    assert files_of(project.workdir("bad")) == before


RESULT_ELSEWHERE = "\nresultfile = 'results/r.pkl'\n"


@pytest.mark.parametrize("file", ["psy-work/bad/result.pkl", "results/r.pkl"])
def test_merge_makes_no_result_of_a_task_that_is_not_whole(project, file):
    project.task("bad", BAD + (RESULT_ELSEWHERE if file.startswith("results") else ""))
    project.psy("run")
    ran = project.psy("merge", "psy-work/bad", file)
    assert ran.code == 1
    why = "3 rows failed or are missing; name another file"
    assert f"{file} is the result of task 'bad', which is always whole, and {why}" in ran.err
    assert not (project.root / file).exists()


def test_merge_makes_no_result_of_another_folder_s_rows(project):
    project.task("good", GOOD)
    project.task("other", GOOD + RESULT_ELSEWHERE)
    project.psy("run")
    before = (project.root / "results/r.pkl").stat()
    ran = project.psy("merge", "psy-work/good", "results/r.pkl")
    assert ran.code == 1
    assert "psy-work/good is not its work directory; name another file" in ran.err
    assert (project.root / "results/r.pkl").stat() == before


def test_merge_makes_no_result_of_rows_by_other_code(project):
    path = project.task("good", GOOD)
    project.psy("run")
    path.write_text(path.read_text().replace("a * a", "a * a if a < 3 else 1 / 0"))
    project.psy("run")
    ran = project.psy("merge", "psy-work/good", "psy-work/good/result.pkl")
    assert ran.code == 1
    assert "not all rows are by the code of its last run" in ran.err
    ran = project.psy("merge", "psy-work/good", "x.pkl")
    assert ran.code == 0
    assert "3 rows in x.pkl" in ran.out


def test_merge_may_write_a_whole_result_again(project):
    project.task("good", GOOD)
    project.psy("run")
    (project.workdir("good") / "result.pkl").unlink()
    assert project.psy("merge", "psy-work/good", "psy-work/good/result.pkl").code == 0
    assert project.result("good") == {"a": [1, 2, 3], "y": [1, 4, 9]}
    assert "up to date" in project.psy("status").out


def test_merge_never_replaces_a_partial_result(project):
    project.task("good", GOOD)
    project.psy("run")
    before = files_of(project.workdir("good") / "out")
    ran = project.psy("merge", "psy-work/good", "psy-work/good/out/1-0.pkl")
    assert ran.code == 1
    assert "lies among the files that Psyrun keeps of task 'good'; name another" in ran.err
    assert files_of(project.workdir("good") / "out") == before


def test_merge_into_the_folder_of_another_program_is_not_its_concern(project):
    project.task("good", GOOD)
    project.psy("run")
    (project.root / "runs" / "out").mkdir(parents=True)
    (project.root / "runs" / "run.json").write_text("theirs")
    assert project.psy("merge", "psy-work/good", "runs/x.pkl").code == 0


def test_clean_shows_first_and_removes_with_yes(project):
    project.task("good", GOOD)
    project.task("other", GOOD)
    project.psy("run")
    ran = project.psy("clean", "good")
    assert ran.code == 0
    assert "would remove" in ran.out
    assert project.workdir("good").exists()
    assert project.psy("clean", "--yes", "good").code == 0
    assert not project.workdir("good").exists()
    assert project.workdir("other").exists()


def test_a_new_task_runs_as_it_is_and_passes_the_linter(project):
    assert project.psy("new-task", "fresh").code == 0
    assert project.psy("run", "fresh").code == 0
    assert project.result("fresh")["result"] == [10, 20, 20, 40, 30, 60]
    assert "psy run fresh" in (project.tasks / "task_fresh.py").read_text()


def test_kill_of_what_does_not_run_says_so(project):
    project.task("good", GOOD)
    project.psy("run")
    assert project.psy("kill").out == "good: nothing is running\n"


def test_an_unexpected_error_is_one_line_and_a_traceback_with_debug(project):
    project.task("good", GOOD)
    project.psy("run")
    run_file = project.workdir("good") / "run.json"
    run_file.write_text("{")
    ran = project.psy("status")
    assert "run.json is damaged" in ran.err
    assert "Traceback" not in ran.err
    with pytest.raises(Exception, match="damaged"):
        psy_main(["--debug", "status"])


def test_python_m_psyrun_is_the_same_command():
    ran = subprocess.run(
        [sys.executable, "-m", "psyrun", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.startswith("psy, version 1.0.0.dev0")


def test_colour_only_on_a_terminal(project):
    project.task("bad", BAD)
    assert "\x1b[" not in project.psy("run").err


@pytest.mark.parametrize(("plain", "codes"), [("", True), ("1", False)])
def test_the_state_of_a_task_is_coloured_on_a_terminal(project, plain, codes):
    project.task(
        "fine", "from psyrun import Param\npspace = Param(x=[1])\ndef execute(x): pass"
    )
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "psyrun", "status"]
    env = {**os.environ, "NO_COLOR": plain}
    subprocess.run(command, cwd=project.root, env=env, stdout=its, check=True)
    printed = os.read(ours, 1000).decode()
    os.close(ours)
    os.close(its)
    assert printed.startswith("fine: \x1b[33mnot run\x1b[0m," if codes else "fine: not run,")


def test_a_reader_that_has_enough_is_no_error(project):
    """As `head` is; what is printed is more than a pipe holds."""
    project.task("long", "pspace = Param(x=range(9000))\ndef execute(x):\n    return {}\n")
    process = project.start("status", "--all")
    assert process.stdout.readline().startswith("long: ")
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


def test_taskdir_may_stand_before_or_after_the_command(project):
    project.task("good", GOOD)
    (project.root / "psy-tasks").rename(project.root / "mine")
    assert project.psy("--taskdir", "mine", "list").out == "good\n"
    assert project.psy("list", "--taskdir", "mine").out == "good\n"
    assert project.psy("run", "good", "--taskdir", "mine").code == 0


@pytest.mark.parametrize("name", ["task_good", "task_good.py", "psy-tasks/task_good.py"])
def test_a_file_name_in_the_place_of_a_task_name_is_understood(project, name):
    project.task("good", GOOD)
    assert "did you mean good?" in project.psy("run", name).err


def test_a_call_from_within_the_task_directory_is_told(project, monkeypatch):
    project.task("good", GOOD)
    monkeypatch.chdir(project.tasks)
    assert "task files right here" in project.psy("run").err


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["kill"],
        ["errors"],
        ["clean"],
        ["merge", "psy-work/good", "x.pkl"],
        ["clean", "--yes"],
    ],
    ids=" ".join,
)
def test_commands_that_need_no_task_file_run_none(project, arguments):
    path = project.task("good", GOOD)
    project.psy("run")
    project.evaluated()
    path.write_text("raise SystemExit('was run')\n")
    assert project.psy(*arguments).code == 0
