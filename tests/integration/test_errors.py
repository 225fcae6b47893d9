"""`psy errors`: why rows failed, told from files alone."""

import json
import os
import re

import pytest

from psyrun.workdir import Workdir

TASK = """
import math
max_jobs = pool_size = 1

pspace = Param(x=[4, -1, -4, 'two'])

def execute(x):
    print(f'the root of {x}\\x1b[2J')
    return {'root': math.sqrt(x)}
"""


def failed_roots(project):
    project.task("roots", TASK)
    assert project.psy("run").code == 1


@pytest.fixture
def failed(once):
    return once(failed_roots)


def test_causes_are_told_with_an_example_the_most_frequent_first(failed):
    ran = failed.psy("errors")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.split("\n")
    assert lines[:5] == [
        "roots: 3 rows failed, 2 causes",
        "",
        "  2 rows: ValueError: math domain error",
        "    at psy-tasks/task_roots.py:17",
        "    for example row 1 (x=-1)",
    ]
    assert "          return {'root': math.sqrt(x)}" in lines
    assert lines.index("    row 3 (x='two')") > lines.index(lines[4])


def test_the_last_printed_lines_do_nothing_to_a_terminal(failed):
    assert "      the root of -1\\x1b[2J\n" in failed.psy("errors").out


def test_json_is_one_document(failed):
    first, second = json.loads(failed.psy("errors", "--json").out)
    assert (first["task"], first["rows"], first["first_rows"]) == ("roots", 2, [1, 2])
    assert first["example"]["assignment"] == {"x": "-1"}
    assert (second["type"], second["rows"]) == ("TypeError", 1)
    assert "Traceback" in second["example"]["traceback"]


def test_a_task_without_errors_says_so(project):
    project.task("fine", "pspace = Param(x=[1])\ndef execute(x):\n    return {'y': x}\n")
    assert project.psy("errors").out == "fine: not run\n"
    project.psy("run")
    ran = project.psy("errors")
    assert (ran.code, ran.out) == (0, "fine: no errors\n")


def test_json_of_no_errors_is_an_empty_list(project):
    project.task("fine", TASK)
    assert json.loads(project.psy("errors", "--json").out) == []


def test_a_task_whose_file_is_gone_can_be_named(failed):
    (failed.tasks / "task_roots.py").unlink()
    assert "roots: 3 rows failed" in failed.psy("errors", "roots").out


def test_mended_rows_are_no_errors(failed):
    path = failed.tasks / "task_roots.py"
    path.write_text(path.read_text().replace("math.sqrt(x)", "abs(x)"))
    failed.psy("run", "-c")
    assert failed.psy("errors").out.startswith("roots: 1 row failed, 1 cause\n")


def test_a_mend_of_execute_is_announced_with_how_to_keep_what_is_done(failed):
    path = failed.tasks / "task_roots.py"
    path.write_text(path.read_text().replace("math.sqrt(x)", "abs(x)"))
    first, *_ = failed.psy("run").err.split("\n")
    assert first.startswith("roots: all 4 rows again: `execute` changed; `psy run -c` keeps")


def test_a_process_that_died_is_told_with_its_assignment(project):
    project.task(
        "dying",
        "pspace = Param(x=[1])\ndef execute(x):\n    os._exit(3)\n",
    )
    project.psy("run")
    lines = project.psy("errors").out.split("\n")[1:]
    assert lines[:3] == [
        "",
        "  1 row: ProcessDied: the process died: exit code 3",
        "    row 0 (x=1)",
    ]
    assert re.fullmatch(r"    its process used .* MB of memory at most", lines[3])
    assert lines[4:] == ["    what it printed is in psy-work/dying/log/1-0.log", ""]


def test_jobs_that_could_not_begin_are_told(project):
    project.task(
        "setup",
        """
        pspace = Param(x=[1, 2])
        def setup(proc_id):
            raise OSError('no licence')
        def execute(x):
            return {'y': x}
        """,
    )
    assert "psy errors setup" in project.psy("run").err
    out = project.psy("errors").out
    assert out.startswith("setup: 2 jobs could not go on, 1 cause\n")
    assert "  2 jobs: OSError: no licence\n" in out


def test_at_most_ten_causes_unless_all_are_asked_for(project):
    project.task(
        "many",
        """
        max_jobs = 1
        pspace = Param(x=range(12))
        def execute(x):
            raise type(f'Error{x}', (Exception,), {})('no')
        """,
    )
    project.psy("run")
    ran = project.psy("errors")
    assert ran.out.count("  1 row: ") == 10
    assert ran.err == "and 2 more causes; see them with: psy errors --all many\n"
    ran = project.psy("errors", "--all")
    assert (ran.out.count("  1 row: "), ran.err) == (12, "")


def test_errors_that_cannot_be_read_are_told_and_exit_with_1(failed):
    for path in Workdir(failed.workdir("roots")).journals():
        data = path.read_bytes()
        path.write_bytes(data.replace(b"math domain", b"moth domain", 1))
    ran = failed.psy("errors")
    assert ran.code == 1
    assert "roots: the errors of 1 row cannot be read" in ran.err


def test_a_damaged_run_file_is_told_and_other_tasks_have_their_turn(failed):
    failed.task("also", TASK)
    failed.psy("run", "also")
    (failed.workdir("also") / "run.json").write_text("{")
    ran = failed.psy("errors")
    assert ran.code == 1
    assert "run.json is damaged" in ran.err
    assert "roots: 3 rows failed" in ran.out


def test_rows_that_are_merely_missing_are_no_errors_but_told(failed):
    for path in Workdir(failed.workdir("roots")).journals():
        path.unlink()
    said = "roots: no errors, 4 rows missing; psy status roots tells more\n"
    assert failed.psy("errors").out == said


def test_status_lists_all_on_request(project):
    project.task(
        "long",
        "max_jobs = 1\npspace = Param(x=range(25))\n"
        "def execute(x):\n    raise ValueError('two\\nlines')\n",
    )
    assert "  and 5 more missing" in project.psy("status", "-v").out
    assert project.psy("status", "--all").out.count("  missing row ") == 25
    project.psy("run")
    assert "  and 5 more failed" in project.psy("status", "-v").out
    out = project.psy("status", "--all").out
    assert out.count(": ValueError: two ...\n") == 25


BROKEN_IN_JOBS = f"""
import os
if os.getpid() != {os.getpid()}:
    raise RuntimeError("not here")
"""


def test_a_module_that_fails_in_jobs_only_is_told_by_the_users_frames_alone(project):
    project.task("w", "import helper\npspace = Param(x=[1])\ndef execute(x):\n    return {}\n")
    (project.tasks / "helper.py").write_text(BROKEN_IN_JOBS)
    ran = project.psy("run")
    assert re.search(r"ERROR w: 1 row had no turn: \S+task_w\.py:\d+: RuntimeError: n", ran.err)
    lines = project.psy("errors").out.splitlines()
    files = [line.split('"')[1] for line in lines if line.lstrip().startswith("File")]
    assert [file.rpartition("/")[2] for file in files] == ["task_w.py", "helper.py"]
    assert lines[-1] == "      RuntimeError: not here"
    assert "    at psy-tasks/helper.py:4" in lines


def test_what_psyrun_refuses_in_jobs_only_has_no_traceback(project):
    source = "pspace = Param(x=[1])\ndef execute(x):\n    return {}\n"
    project.task("w", f"{source}if os.getpid() != {os.getpid()}:\n    store = 'h5'\n")
    project.psy("run")
    out = project.psy("errors").out
    assert "store = H5Store\n" in out
    assert "File" not in out
