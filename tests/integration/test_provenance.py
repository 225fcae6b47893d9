"""What a result was made with: packages, git, and `psy status --json`, which tells it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from psyrun.main import psy_main
from psyrun.packages import versions
from psyrun.runfile import read_run_file
from psyrun.version import __version__
from psyrun.workdir import Workdir

SQUARE = """
import numpy

pspace = Param(x=[1, 2, 3])
max_jobs = pool_size = 1

def execute(x):
    counted(x)
    return {'y': float(numpy.square(x))}
"""

FAILS = "raise ValueError('no')"


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@b", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def square(project):
    project.task("square", SQUARE)
    return project


@pytest.fixture
def committed(square):
    git(square.root, "init", "-q", "-b", "main")
    git(square.root, "add", "psy-tasks")
    git(square.root, "commit", "-q", "-m", "message")
    return square


def status(project, *options):
    ran = project.psy("status", "--json", *options)
    return json.loads(ran.out)


def last_run(project, name="square"):
    run = read_run_file(Workdir(project.workdir(name)), name).last
    assert run is not None
    return run


def edit(project, old, new):
    path = project.tasks / "task_square.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_run_notes_its_command_folder_and_versions(square):
    square.psy("run", "--force", "square")
    run = last_run(square)
    assert run.command == ("psy", "run", "--force", "square")
    assert run.folder == str(square.root)
    assert run.versions == versions(["python", "numpy"]) | {"psyrun": __version__}
    assert run.git is None
    assert list((square.workdir("square") / "log").glob("*.diff")) == []


def test_the_versions_stand_with_the_frozen_code_too(square):
    square.psy("run")
    (manifest,) = square.workdir("square").glob("code/*/manifest.json")
    assert json.loads(manifest.read_text())["packages"] == versions(["python", "numpy"])


def test_nothing_of_the_environment_is_noted(square, monkeypatch):
    monkeypatch.setenv("SOME_TOKEN", "very-secret")
    square.psy("run")
    for path in square.workdir("square").rglob("*"):
        assert not path.is_file() or b"very-secret" not in path.read_bytes()


def test_a_script_that_carries_out_a_plan_is_noted(square, monkeypatch):
    from psyrun.run import carry_out, prepare, workdir_of
    from psyrun.tasks import PackageLoader

    monkeypatch.setattr(sys, "argv", ["study.py", "--fast"])
    task = PackageLoader(square.tasks).load("square")
    workdir = workdir_of(task)
    carry_out(prepare(task, workdir), workdir)
    assert last_run(square).command == ("study.py", "--fast")


def test_a_clean_commit(committed):
    committed.psy("run")
    assert last_run(committed).git == {
        "commit": git(committed.root, "rev-parse", "HEAD"),
        "branch": "main",
        "dirty": False,
        "untracked": [],
        "diff": None,
        "cut": False,
    }


def test_a_diff_is_kept_as_a_file_until_no_row_is_of_its_run(committed):
    edit(committed, "numpy.square(x)", "numpy.square(x) + 1")
    (committed.tasks / "helper.py").write_text("")
    edit(committed, "import numpy", "import numpy, helper")
    committed.psy("run")
    noted = last_run(committed).git
    assert noted is not None
    assert (noted["dirty"], noted["untracked"]) == (True, ["helper.py"])
    diff = committed.workdir("square") / noted["diff"]
    assert diff.name == "1-git.diff"
    assert "+    return {'y': float(numpy.square(x) + 1)}\n" in diff.read_text()
    edit(committed, "[1, 2, 3]", "[1, 2, 3, 4]")
    committed.psy("run")
    assert diff.exists()
    committed.psy("run", "--force")
    assert [path.name for path in diff.parent.glob("*.diff")] == ["3-git.diff"]
    assert committed.psy("verify").code == 0


def test_what_is_up_to_date_asks_git_nothing(committed, tmp_path, monkeypatch):
    committed.psy("run")
    asked = tmp_path / "bin" / "asked"
    asked.parent.mkdir()
    (asked.parent / "git").write_text(f"#!/bin/sh\n: >'{asked}'\nexit 1\n")
    (asked.parent / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(asked.parent), prepend=os.pathsep)
    assert "up to date" in committed.psy("run").out
    committed.psy("status")
    assert not asked.exists()
    committed.psy("run", "--force")
    assert asked.exists()
    assert last_run(committed).git is None


def test_without_git_a_run_is_a_run(committed, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    ran = committed.psy("run")
    assert (ran.code, last_run(committed).git) == (0, None)


def test_status_json_of_a_task_that_was_never_run(square):
    (record,) = status(square)
    assert record == {
        "task": "square",
        "status": "not run",
        "reason": "3 rows",
        "rows": {"total": 3, "done": 0, "failed": 0, "missing": 3, "accepted": 0},
        "result": None,
        "running": False,
        "holder": None,
        "stale": [],
        "jobs": {},
        "job_notes": [],
        "why": [],
        "runs": [],
        "warnings": [],
        "timing": None,
    }
    assert not square.workdir("square").exists()


def test_status_json_tells_all_that_is_known_of_the_runs(committed):
    edit(committed, "import numpy", "import numpy  # edited")
    committed.psy("run")
    (record,) = status(committed)
    assert (record["status"], record["result"]) == (
        "up to date",
        "psy-work/square/result.pkl",
    )
    file = json.loads((committed.workdir("square") / "run.json").read_text())
    assert record["runs"] == file["runs"]
    (run,) = record["runs"]
    assert (run["number"], run["command"], run["jobs"]) == (1, ["psy", "run"], {"1-0": None})
    assert run["git"]["diff"] == "log/1-git.diff"
    assert run["versions"]["numpy"] == versions(["numpy"])["numpy"]


def test_status_json_of_failed_stale_and_accepted_rows(square):
    edit(square, "    counted(x)", "    if x == 2: " + FAILS)
    square.psy("run")
    (record,) = status(square)
    assert record["status"] == "failed"
    assert record["rows"] | {"done": 2, "failed": 1, "missing": 0} == record["rows"]
    edit(square, "x == 2", "x == 9")
    (record,) = status(square)
    assert record["status"] == "stale"
    (stale,) = record["stale"]
    assert stale["code"] == record["runs"][0]["code"]
    assert [change["name"] for change in stale["changes"]] == ["`execute`"]
    assert "function `execute` changed, at psy-tasks/task_square.py:15" in record["why"][1]
    square.psy("run", "-c")
    (record,) = status(square)
    assert (record["rows"]["accepted"], record["stale"]) == (2, [])
    (square.workdir("square") / "result.pkl").unlink()
    (record,) = status(square)
    assert (record["status"], record["result"]) == ("to merge", None)


def test_status_json_tells_who_holds_a_task(square):
    from psyrun.run import holding

    square.psy("run")
    with holding(Workdir(square.workdir("square")), "square"):
        (record,) = status(square)
    assert (record["status"], record["running"]) == ("running", True)
    assert record["holder"]["process"] == os.getpid()


def test_status_json_stays_json_whatever_task_files_do(square):
    square.task("broken", "x = (")
    square.task("loud", "print('hello'); os.system('echo hi')\n" + SQUARE)
    ran = square.psy("status", "--json")
    broken, loud, fine = json.loads(ran.out)
    assert broken.keys() == {"task", "error"}
    assert "was never closed" in broken["error"]
    assert [loud["task"], fine["task"]] == ["loud", "square"]
    assert (ran.code, "was never closed" in ran.err) == (0, True)
    assert "hello" in ran.err
    assert "hi\n" in ran.err
    assert square.psy("status", "--json", "--exit-code").code == 1


def test_status_json_of_some_tasks(square):
    square.task("broken", "x = (")
    assert [record["task"] for record in status(square, "square", "square")] == ["square"]
    ran = square.psy("status", "--json", "sqare")
    assert (ran.code, ran.out) == (1, "")
    assert "did you mean square" in ran.err


def test_status_json_of_no_tasks_is_an_empty_list(project):
    project.tasks.mkdir()
    assert status(project) == []


def test_status_json_says_so_where_the_record_of_runs_is_damaged(square):
    square.psy("run")
    (square.workdir("square") / "run.json").write_text("{")
    (record,) = status(square)
    assert "run.json is damaged" in record["error"]


def test_status_json_ends_well_without_standard_output(square):
    command = f"'{sys.executable}' -m psyrun status --json >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_package_that_results_depend_on_is_noted_by_that_name(square):
    edit(square, "max_jobs", "depends_on = ['scikit-learn', 'python']\nmax_jobs")
    assert square.psy("run").code == 0
    expected = versions(["numpy", "python", "scikit-learn"])
    assert last_run(square).versions == expected | {"psyrun": __version__}
    edit(square, "depends_on = ['scikit-learn', 'python']", "depends_on = 'numpy'")
    assert "up to date" in square.psy("run").out


@pytest.mark.parametrize("command", ["run", "status"])
def test_a_package_that_is_not_installed_is_named_with_what_to_do(square, command):
    edit(square, "max_jobs", "depends_on = ['numpi']\nmax_jobs")
    ran = square.psy(command)
    assert ran.code == (command == "run")
    assert "task_square.py: depends_on names 'numpi'" in ran.err
    assert "did you mean 'numpy'?" in ran.err
    assert square.evaluated() == []


@pytest.mark.parametrize("command", [["list"], ["errors"], ["diff"], ["verify"], ["clean"]])
def test_what_needs_no_plan_does_not_mind(square, command):
    edit(square, "max_jobs", "depends_on = ['numpi']\nmax_jobs")
    assert psy_main(command) == 0


def test_a_new_version_makes_no_row_stale(square, tmp_path, monkeypatch):
    square.psy("run")
    square.evaluated()
    info = tmp_path / "newer" / "numpy-99.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: numpy\nVersion: 99.0\n")
    monkeypatch.setattr(sys, "path", [str(info.parent), *sys.path])
    assert "up to date" in square.psy("run").out
    edit(square, "[1, 2, 3]", "[1, 2, 3, 4]")
    square.psy("run")
    assert square.evaluated() == ["4"]
    old, new = read_run_file(Workdir(square.workdir("square")), "square").runs
    assert (old.versions["numpy"] != "99.0", new.versions["numpy"]) == (True, "99.0")


@pytest.mark.parametrize("option", ["--why", "-v", "--all"])
def test_json_tells_all_as_it_is(square, option):
    ran = square.psy("status", "--json", option)
    assert ran.code == 2
    assert "leave out --why, --timing, --verbose and --all" in ran.err
