"""`psy test`: one row, here and now, or as the last run had it."""

import subprocess
import sys

import pytest

TASK = """
import helper_trial
pspace = Param(x=range(10))
max_jobs = 1

def execute(x):
    print('looking at', x)
    if x == 3:
        inner = x * 10
        raise ValueError(f'bad {inner}')
    return {'y': x + helper_trial.OFFSET}
"""


@pytest.fixture
def example(project):
    project.task("example", TASK)
    (project.tasks / "helper_trial.py").write_text("OFFSET = 100\n")
    return project


def debugged(project, *arguments, orders="q\n"):
    """Run a command with the debugger's orders on standard input."""
    return subprocess.run(
        [sys.executable, "-m", "psyrun", *arguments],
        cwd=project.root,
        input=orders,
        capture_output=True,
        text=True,
        check=False,
    )


def test_any_row_can_be_chosen(example):
    ran = example.psy("test", "example", "--row", "7")
    assert ran.code == 0
    assert ran.out.startswith("example: row 7 of 10 rows\n  x = 7\nlooking at 7\ngives\n")
    assert "  y = 107\n" in ran.out
    assert "10 rows would take about" in ran.out


def test_the_only_task_needs_no_name(example):
    assert example.psy("test", "--row", "7").code == 0


@pytest.mark.parametrize(
    ("space", "row", "there"),
    [
        ("Param(x=range(10))", "17", "10 rows, 0 to 9"),
        ("Param(x=[1])", "1", "1 row, row 0"),
        ("Param(x=[])", "0", "no rows"),
    ],
)
def test_a_row_that_is_not_there_is_told_with_what_is(project, space, row, there):
    project.task("few", f"pspace = {space}\ndef execute(x):\n    return {{'y': x}}\n")
    ran = project.psy("test", "few", "--row", row)
    assert (ran.code, ran.err) == (1, f"ERROR row {row}: few has {there}\n")


def test_without_rows_there_is_nothing_to_test(project):
    project.task("none", "pspace = Param(x=[])\ndef execute(x):\n    return {'y': x}\n")
    ran = project.psy("test")
    assert (ran.code, ran.out) == (0, "none: the parameter space has no rows\n")


def test_a_negative_row_is_a_misuse(example):
    assert example.psy("test", "example", "--row", "-1").code == 2


@pytest.mark.parametrize("option", [["--row", "0"], ["--pdb"], ["--as-run"]], ids="".join)
@pytest.mark.parametrize("names", [[], ["example", "other"]], ids=["all", "two"])
def test_options_that_need_one_task_name_those_there_are(example, option, names):
    example.task("other", TASK)
    ran = example.psy("test", *names, *option)
    assert ran.code == 2
    assert "example, other" in ran.err


def test_a_row_that_fails_is_named_with_the_users_part_of_the_traceback(example):
    ran = example.psy("test", "--row", "3")
    assert ran.code == 1
    assert ran.err.endswith("ERROR example: row 3 failed: ValueError: bad 30\n")
    assert ran.err.count("  File ") == 1


def test_execute_that_leaves_python_is_a_row_that_failed(project):
    project.task("leaving", "pspace = Param(x=[1])\ndef execute(x):\n    raise SystemExit(0)\n")
    ran = project.psy("test")
    assert ran.code == 1
    assert "row 0 failed: SystemExit: 0" in ran.err


def test_the_debugger_stands_where_it_raised(example):
    ran = debugged(example, "test", "example", "--row", "3", "--pdb", orders="p inner\nq\n")
    assert ran.returncode == 1
    assert "(Pdb) 30\n" in ran.stdout
    assert "ValueError: bad 30" in ran.stderr


def test_the_debugger_comes_for_setup_too(project):
    project.task(
        "setting",
        """
        pspace = Param(x=[1])
        def setup(proc_id):
            licence = None
            return {'n': licence.number}
        def execute(x, n):
            return {'y': x}
        """,
    )
    ran = debugged(project, "test", "--pdb", orders="p proc_id, licence\nq\n")
    assert "(Pdb) (0, None)\n" in ran.stdout


def test_the_debugger_is_not_asked_where_nothing_raised(example):
    ran = debugged(example, "test", "--row", "4", "--pdb", orders="")
    assert ran.returncode == 0
    assert "(Pdb)" not in ran.stdout


@pytest.fixture
def edited(example):
    """A task that was run; nothing of it is as it was then."""
    assert example.psy("run").code == 1
    path = example.tasks / "task_example.py"
    path.write_text("raise SystemExit('present code')\n" * 20)
    (example.tasks / "helper_trial.py").write_text("OFFSET = 999\n")
    return example


def test_as_run_takes_the_code_and_the_space_of_the_last_run(edited):
    ran = edited.psy("test", "example", "--row", "7", "--as-run")
    assert ran.code == 0
    assert ran.out.startswith("example: row 7 of 10 rows, as in run 1\n")
    assert "  y = 107\n" in ran.out


def test_as_run_shows_the_lines_of_then(edited):
    ran = debugged(edited, "test", "--row", "3", "--as-run", "--pdb", orders="l\nq\n")
    assert "raise ValueError(f'bad {inner}')\nValueError: bad 30" in ran.stderr
    assert "        inner = x * 10\n" in ran.stdout.replace("\t", "")
    assert "present code" not in ran.stdout + ran.stderr


def test_as_run_needs_no_task_file(edited):
    (edited.tasks / "task_example.py").unlink()
    assert edited.psy("test", "example", "--row", "7", "--as-run").code == 0


def test_as_run_of_what_was_never_run_says_so(example):
    ran = example.psy("test", "--as-run")
    assert (ran.code, ran.err) == (
        1,
        "ERROR example was never run; run it with: psy run example\n",
    )


def test_as_run_tells_which_files_are_others_now(project):
    (project.root / "psy-tasks").mkdir()
    data = project.tasks / "data.txt"
    data.write_text("1")
    project.task(
        "reading",
        """
        from pathlib import Path
        pspace = Param(x=[1])
        file_dep = ['data.txt']
        def execute(x):
            return {'y': float(Path('data.txt').read_text())}
        """,
    )
    project.psy("run")
    data.write_text("2")
    ran = project.psy("test", "--as-run")
    assert ran.code == 0
    assert "file_dep changed since the run: data.txt" in ran.err


def test_as_run_refuses_a_damaged_space(edited):
    (column,) = edited.workdir("example").glob("pspace/*/space.json")
    column.write_text(column.read_text().replace('"stop"', '"step"').replace("10", "11"))
    ran = edited.psy("test", "--as-run")
    assert ran.code == 1
    assert "is damaged" in ran.err
