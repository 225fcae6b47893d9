"""What newcomers do by mistake is told in their words, and costs them nothing."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from psyrun.commands.messages import coloured
from tests.waiting import until

FULL = Path("/dev/full")
GOOD = "pspace = Param(a=[1, 2, 3])\ndef execute(a):\n    return {'y': a * a}\n"


def test_a_conf_file_beside_the_task_directory_is_told(project) -> None:
    project.task("one", GOOD)
    project.task("two", GOOD)
    (project.root / "psy-conf.py").write_text("max_jobs = 1")
    ran = project.psy("status")
    assert ran.err.count("is not read: it belongs beside the task files") == 1


def test_a_conf_file_with_another_name_is_told(project) -> None:
    project.task("one", GOOD)
    (project.tasks / "psy_conf.py").write_text("max_jobs = 1")
    assert "psy_conf.py is not read: psy-conf.py is written with '-'" in project.psy("run").err


def test_a_conf_file_beside_the_task_files_is_no_slip(project) -> None:
    project.task("one", GOOD)
    (project.tasks / "psy-conf.py").write_text("max_jobs = 1")
    assert project.psy("status").err == ""


def test_a_conf_file_of_the_folder_above_is_no_slip_if_that_has_tasks(project) -> None:
    project.task("one", GOOD)
    (project.tasks / "psy-conf.py").write_text("max_jobs = 1")
    (project.tasks / "more").mkdir()
    (project.tasks / "more" / "task_two.py").write_text(f"from psyrun import Param\n{GOOD}")
    assert project.psy("--taskdir", "psy-tasks/more", "status").err == ""


@pytest.mark.parametrize("command", ["run", "status"])
def test_rows_that_are_not_seen_from_here_are_told(
    project, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.task("one", GOOD)
    project.psy("run")
    (project.root / "sub").mkdir()
    monkeypatch.chdir(project.root / "sub")
    ran = project.psy("--taskdir", "../psy-tasks", command)
    assert f"one: there are rows in {project.root}/psy-work/one" in ran.err
    monkeypatch.chdir(project.root)
    assert project.psy(command).err == ""


def test_setup_without_a_parameter_is_told_before_anything_runs(project) -> None:
    project.task("one", f"{GOOD}def setup(): pass\n")
    ran = project.psy("run")
    assert ran.code == 1
    assert "write: def setup(proc_id)" in ran.err
    assert not (project.workdir("one") / "run.json").exists()


@pytest.mark.parametrize("head", ["proc_id", "*numbers", "proc_id, more=None"])
def test_setup_may_take_more_than_it_is_given(project, head: str) -> None:
    project.task("one", f"{GOOD}def setup({head}): pass\n")
    assert project.psy("run").code == 0


def test_a_script_s_own_arguments_are_not_those_of_psy(project) -> None:
    head = "import argparse\nparser = argparse.ArgumentParser()\n"
    project.task("one", f"{head}parser.add_argument('--b')\nparser.parse_args()\n{GOOD}")
    before = list(sys.argv)
    assert project.psy("run", "--force").code == 0
    assert sys.argv == before


def test_a_misspelt_column_to_exclude_is_told_with_what_there_is(project) -> None:
    project.task("one", f"exclude_from_result = ['yy']\n{GOOD}")
    assert "cannot leave out 'yy': the columns are 'a', 'y'" in project.psy("run").err


@pytest.mark.skipif(not FULL.exists(), reason="there is no full device")
@pytest.mark.parametrize("command", ["status", "list"])
def test_output_that_cannot_be_written_is_a_failure(project, command: str) -> None:
    project.task("one", GOOD)
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "psyrun", command],
            cwd=project.root,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


def test_a_result_by_no_run_of_the_task_is_kept(project) -> None:
    """As psyrun 0.8 has left it in the same place."""
    project.task("one", GOOD)
    old = project.root / "psy-work" / "one" / "result.pkl"
    old.parent.mkdir(parents=True)
    old.write_bytes(pickle.dumps({"a": [1], "y": ["days of work"]}))
    ran = project.psy("run")
    assert ran.code == 0
    assert (
        "by no run that is known of this task: it is kept as psy-work/one/result.kept-1.pkl"
        in ran.err
    )
    assert project.result("one")["y"] == [1, 4, 9]
    kept = pickle.loads(old.with_name("result.kept-1.pkl").read_bytes())
    assert kept["y"] == ["days of work"]
    assert project.psy("run", "--force").err.count("kept") == 0


def test_a_kept_result_is_not_replaced_by_another(project) -> None:
    project.task("one", GOOD)
    old = project.root / "psy-work" / "one" / "result.pkl"
    old.parent.mkdir(parents=True)
    for text in ("first", "second"):
        old.write_bytes(pickle.dumps({"a": [text]}))
        (old.parent / "run.json").unlink(missing_ok=True)
        project.psy("run")
    kept = sorted(Path(old.parent).glob("result.kept-*.pkl"))
    assert [pickle.loads(path.read_bytes())["a"] for path in kept] == [["first"], ["second"]]


FOREIGN = [
    *("notes.txt", "result.kept-1.pkl", "result.png", "result.npz", "result.d/mine.txt"),
    *("out/thesis.txt", "out/0.pkl", "in/sub/mine", "log/mine.log", "code/mine.py"),
]


def test_clean_leaves_what_psyrun_has_not_made(project) -> None:
    project.task("one", GOOD)
    project.psy("run")
    root = project.workdir("one")
    for name in FOREIGN:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("mine")
    shown = project.psy("clean", "one").out
    ran = project.psy("clean", "--yes", "one").out
    for out in (shown, ran):
        assert "psy-work/one/notes.txt stays: no run of the task is known to" in out
        assert "psy-work/one/out/thesis.txt stays: no run of the task is known to" in out
    left = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    assert sorted(left) == sorted(FOREIGN)
    assert project.psy("clean", "--yes").out == "one: nothing to remove in psy-work/one\n"


def test_clean_removes_nothing_in_a_folder_that_is_no_work_directory(project) -> None:
    """As where `workdir` is the project's own folder."""
    project.task("src", f"workdir = '.'\n{GOOD}")
    (project.root / "src" / "out").mkdir(parents=True)
    (project.root / "src" / "out" / "thesis.txt").write_text("mine")
    ran = project.psy("clean", "--yes", "src")
    assert ran.out == "src: nothing to remove in src\n"
    assert (project.root / "src" / "out" / "thesis.txt").exists()


@pytest.mark.parametrize(
    "file", ["{root}/psy-work/one/best.pkl", "psy-work/one/final/best.pkl"]
)
def test_clean_knows_the_result_by_whatever_name(project, file: str) -> None:
    project.task("one", f"resultfile = {file.format(root=project.root)!r}\n{GOOD}")
    assert project.psy("run").code == 0
    ran = project.psy("clean", "--yes", "one")
    assert "stays" not in ran.out.replace("one/final stays", "")
    assert not list(project.workdir("one").rglob("best.pkl"))


def test_clean_follows_no_link_out_of_the_folder(project) -> None:
    project.task("one", GOOD)
    project.psy("run")
    elsewhere = project.root / "elsewhere"
    project.workdir("one").joinpath("log").rename(elsewhere)
    project.workdir("one").joinpath("log").symlink_to(elsewhere)
    (elsewhere / "mine.txt").write_text("mine")
    assert project.psy("clean", "--yes", "one").code == 0
    assert (elsewhere / "mine.txt").exists()
    assert not project.workdir("one").exists()


def test_a_work_directory_may_be_a_link_and_stays_one(project) -> None:
    project.task("one", GOOD)
    elsewhere = project.root / "scratch"
    elsewhere.mkdir()
    (project.root / "psy-work").mkdir()
    project.workdir("one").symlink_to(elsewhere)
    assert project.psy("run").code == 0
    (elsewhere / "mine.txt").write_text("mine")
    assert project.psy("clean", "--yes", "one").code == 0
    assert [path.name for path in elsewhere.iterdir()] == ["mine.txt"]


def test_a_foreign_result_stays_in_place_while_rows_fail(project) -> None:
    project.task("one", "pspace = Param(a=[1, 0])\ndef execute(a):\n    return {'y': 1 / a}\n")
    project.psy("run")
    foreign = project.workdir("one") / "result.pkl"
    foreign.write_bytes(pickle.dumps({"a": ["days of work"]}))
    assert project.psy("run").code == 1
    assert pickle.loads(foreign.read_bytes()) == {"a": ["days of work"]}
    project.task("one", "pspace = Param(a=[1])\ndef execute(a):\n    return {'y': 1 / a}\n")
    assert "it is kept as psy-work/one/result.kept-1.pkl" in project.psy("run").err
    assert project.result("one") == {"a": [1], "y": [1.0]}


def test_one_s_own_result_by_another_name_is_no_foreign_one(project) -> None:
    project.task("one", f"resultfile = 'r.pkl'\n{GOOD}")
    project.psy("run")
    project.task("one", f"resultfile = {str(project.root / 'r.pkl')!r}\n{GOOD}")
    ran = project.psy("run")
    assert ran.code == 0
    assert "kept" not in ran.err


@pytest.mark.parametrize("file", ["r.pkl", "sub/../r.pkl", "psy-work/one/result.pkl"])
def test_two_tasks_do_not_share_a_result(project, file: str) -> None:
    (project.root / "sub").mkdir()
    project.task("one", f"resultfile = {file.replace('sub/../', '')!r}\n{GOOD}")
    project.task("two", f"resultfile = {file!r}\npspace = Param(b=[7])\ndef execute(b): pass\n")
    ran = project.psy("run")
    assert ran.code == 1
    assert f"{file} is the result of the task 'one'; set another resultfile" in ran.err
    assert pickle.loads((project.root / file).read_bytes())["y"] == [1, 4, 9]
    assert project.psy("run", "one").code == 0


def test_a_saved_result_is_not_replaced_by_that_of_another_task(project) -> None:
    project.task("one", f"resultfile = 'best.pkl'\n{GOOD}")
    (project.root / "best.pkl").write_bytes(pickle.dumps({"a": ["saved"]}))
    assert "it is kept as best.kept-1.pkl" in project.psy("run").err
    assert project.psy("run", "--force").err.count("kept") == 0
    kept = pickle.loads((project.root / "best.kept-1.pkl").read_bytes())
    assert kept == {"a": ["saved"]}


def test_a_damaged_snapshot_is_mended_as_the_message_says(project) -> None:
    project.task("one", f"{GOOD}\npspace = Param(a=[0.5, 1.5])\n")
    project.psy("run")
    (column,) = project.workdir("one").glob("pspace/*/*.npy")
    column.write_bytes(b"garbage")
    ran = project.psy("show", "one")
    assert ran.code == 1
    assert (
        f"is damaged or not there; remove the folder {column.parent.relative_to(project.root)}"
        in (ran.err)
    )
    shutil.rmtree(column.parent)
    assert project.psy("run").code == 0
    assert project.psy("show", "one").code == 0


def test_a_result_with_the_name_of_a_parameter_is_told_by_psy_test(project) -> None:
    project.task("one", "pspace = Param(a=[1])\ndef execute(a):\n    return {'a': -a}\n")
    assert "'a' is a parameter too; its column in the result" in project.psy("test").err


def test_files_that_are_no_task_files_are_named_where_there_is_no_other(project) -> None:
    project.tasks.mkdir()
    (project.tasks / "task-foo.py").write_text(GOOD)
    for command in ("run", "status", "list"):
        assert "are called task_<name>.py, and there is task-foo.py" in project.psy(command).err


def test_a_folder_that_is_called_like_a_task_file_is_none(project) -> None:
    project.task("one", GOOD)
    (project.tasks / "task_two.py").mkdir()
    assert project.psy("list").out == "one\n"
    assert project.psy("run").code == 0


@pytest.mark.parametrize("place", ["sub", "psy-work/one"])
def test_a_task_directory_further_up_is_named(project, place: str, monkeypatch) -> None:
    project.task("one", GOOD)
    (project.root / place).mkdir(parents=True)
    monkeypatch.chdir(project.root / place)
    assert f"but one in {project.root}; go there" in project.psy("status").err


def test_a_file_in_the_place_of_the_task_directory_is_told(project) -> None:
    (project.root / "psy-tasks").write_text("")
    assert "is a file, not a folder with task files; rename it" in project.psy("run").err


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a-b", "a-b"),
        ("123", "123"),
        ("task_b", "b"),
        ("task_c.py", "c"),
        ("task_v1.2", "v1.2"),
    ],
)
def test_a_new_task_may_have_any_name_that_a_task_may_have(project, given, name) -> None:
    assert project.psy("new-task", given).code == 0
    assert project.psy("list").out == f"{name}\n"
    assert project.psy("run").code == 0


def test_a_name_that_no_task_may_have_is_refused_with_the_rule(project) -> None:
    ran = project.psy("new-task", "--", "-x")
    assert ran.code == 2
    assert "it begins with a letter, a digit or '_'" in ran.err


def test_the_log_of_a_job_is_shown_before_that_of_the_worker(project) -> None:
    project.task("one", "pspace = Param(a=[1])\ndef execute(a):\n    print('hello')\n")
    project.psy("run")
    assert project.psy("logs", "one").out == "hello\n"


def test_an_interrupted_test_speaks_of_no_rows(project) -> None:
    project.task("one", "pspace = Param(a=[1])\ndef execute(a):\n    raise KeyboardInterrupt\n")
    ran = project.psy("test")
    assert ran.code == 130
    assert ran.err.strip() == "interrupted"


def test_a_task_file_that_does_not_end_can_be_terminated(project) -> None:
    project.task("one", f"{GOOD}\nopen('begun', 'w').close()\nwhile True:\n    pass\n")
    process = project.start("status")
    until(lambda: (project.tasks / "begun").exists())
    process.terminate()
    assert process.communicate(timeout=30)[1].strip() == "interrupted"
    assert process.returncode == 143


def test_a_python_that_is_not_there_is_told_with_the_setting(project) -> None:
    project.task("one", f"python = 'python9'\n{GOOD}")
    assert "the setting python says what to start" in project.psy("run").err


@pytest.mark.parametrize("file", ["r.csv", "r.h5", "r.json"])
def test_a_result_with_the_extension_of_another_format_is_warned_of(project, file) -> None:
    project.task("one", f"resultfile = {file!r}\n{GOOD}")
    assert (
        "which writes .pkl: others will take it for what its name says"
        in project.psy("run").err
    )


def test_a_name_in_utf_8_where_the_locale_is_another_is_told(project) -> None:
    project.task("größe", GOOD)
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    process = project.start("list", environment=ascii_only)
    assert (
        "it is in UTF-8, and your locale is not; set PYTHONUTF8=1" in process.communicate()[1]
    )
    process = project.start("list", environment={**ascii_only, "PYTHONUTF8": "1"})
    assert process.communicate()[0] == "größe\n"


def test_a_link_to_a_disk_that_is_not_there_is_told(project) -> None:
    project.task("one", GOOD)
    (project.root / "psy-work").symlink_to(project.root / "scratch")
    ran = project.psy("run")
    assert ran.code == 1
    assert "scratch, which is not there; is its disk mounted?" in ran.err
    assert not (project.root / "scratch").exists()


def test_clean_tells_how_to_do_it_where_there_is_something_to_do(project) -> None:
    project.task("one", GOOD)
    project.psy("run")
    assert "do it with: psy clean --yes one" in project.psy("clean", "one").err
    project.psy("clean", "--yes", "one")
    (project.workdir("one")).mkdir()
    assert project.psy("clean", "one").err == ""


def test_a_dumb_terminal_gets_no_colour(project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("stale", "red") == "stale"
