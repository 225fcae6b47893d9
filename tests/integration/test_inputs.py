"""Inputs that must work, and inputs that get one clear error."""

import math
import pickle

import pytest


def evaluates(project, name, source, **columns):
    project.task(name, source)
    ran = project.psy("run", name)
    assert ran.code == 0, ran.err
    result = project.result(name)
    for column, values in columns.items():
        assert result[column] == values
    return ran


def test_an_empty_space_gives_an_empty_result_and_a_word(project):
    ran = evaluates(
        project, "none", "pspace = Param(a=[])\ndef execute(a):\n    return {}\n", a=[]
    )
    assert "no rows" in ran.err + ran.out
    assert "up to date" in project.psy("run").out


def test_one_row(project):
    evaluates(
        project, "one", "pspace = Param(a=7)\ndef execute(a):\n    return {'y': a}\n", y=[7]
    )


def test_duplicate_assignments_are_rows_of_their_own(project):
    evaluates(
        project,
        "twice",
        "pspace = Param(a=[1, 1])\ndef execute(a):\n    counted(a)\n    return {'y': a}\n",
        y=[1, 1],
    )
    assert project.evaluated() == ["1", "1"]


def test_parameters_named_self_and_row(project):
    evaluates(
        project,
        "names",
        """
        pspace = Param(**{'self': [1, 2], 'row': 3})

        def execute(self, row):
            return {'y': self * row}
        """,
        y=[3, 6],
    )


def test_values_of_classes_defined_in_the_task_file(project):
    project.task(
        "own",
        """
        class Point:
            def __init__(self, x):
                self.x = x

        pspace = Param(p=[Point(1), Point(2)])

        def execute(p):
            counted(p.x)
            return {'q': Point(p.x + 1), 'x': p.x}
        """,
    )
    first = project.start("run")
    assert first.wait(30) == 0
    first.communicate()
    again = project.start("run")
    assert "up to date" in again.communicate(timeout=30)[0]
    assert project.evaluated() == ["1", "2"]
    merged = project.start("merge", "psy-work/own", "copy.pkl")
    assert merged.wait(30) == 0, merged.communicate()
    merged.communicate()
    warned = project.psy("test", "own")
    assert warned.code == 0
    assert "task_own.Point" in warned.err


def test_results_that_override_a_parameter(project):
    evaluates(
        project,
        "over",
        """
        pspace = Param(a=[1, 2, 3])
        max_jobs = 2

        def execute(a):
            return {'a': -a} if a == 2 else {'b': a}
        """,
        a=[1, -2, 3],
    )


def test_missing_result_keys_are_nan(project):
    project.task(
        "gaps",
        "pspace = Param(a=[1, 2])\ndef execute(a):\n    return {'x': a} if a > 1 else {}\n",
    )
    project.psy("run")
    first, second = project.result("gaps")["x"]
    assert math.isnan(first)
    assert second == 2


def test_helpers_beside_the_task_file_and_files_are_found(project):
    project.task(
        "help",
        """
        import helper_of_mine
        from pathlib import Path
        pspace = Param(a=[1, 2])
        assert Path('data.txt').read_text() == 'data'

        def execute(a):
            return {'y': helper_of_mine.plus(a), 'data': Path('data.txt').read_text()}
        """,
    )
    (project.tasks / "helper_of_mine.py").write_text("def plus(a):\n    return a + 1\n")
    (project.tasks / "data.txt").write_text("data")
    for command in ("test", "run"):
        ran = project.psy(command)
        assert ran.code == 0, ran.err
    assert project.result("help") == {"a": [1, 2], "y": [2, 3], "data": ["data", "data"]}


def test_setup_comes_once_in_each_process_and_may_give_arguments(project):
    evaluates(
        project,
        "setup",
        """
        pspace = Param(a=range(6))
        pool_size = 1

        def setup(proc_id):
            counted('setup', proc_id)
            return {'factor': 10}

        def execute(a, factor):
            return {'y': a * factor}
        """,
        y=[0, 10, 20, 30, 40, 50],
    )
    assert project.evaluated() == ["setup,0"]


def test_what_execute_prints_goes_to_the_log_of_its_job(project):
    project.task(
        "talk",
        """
        import os
        pspace = Param(a=[1, 2])

        def execute(a):
            print('printed', a)
            os.system(f'echo by a child {a}')
            return {}
        """,
    )
    ran = project.psy("run")
    assert "printed" not in ran.out + ran.err
    logs = [(project.workdir("talk") / "log" / f"1-{job}.log").read_text() for job in (0, 1)]
    assert ["printed 1" in logs[0], "by a child 1" in logs[0]] == [True, True]
    assert "printed 2" in logs[1]


def test_defaults_come_from_psy_conf(project):
    project.task("conf", "pspace = Param(a=[1])\ndef execute(a):\n    return {'y': a}\n")
    (project.tasks / "psy-conf.py").write_text("resultfile = 'from-conf.pkl'\n")
    assert project.psy("run").code == 0
    with (project.root / "from-conf.pkl").open("rb") as file:
        assert pickle.load(file) == {"a": [1], "y": [1]}


ERRORS = {
    "a syntax error": ("pspace = Param(a=[1]\n", r"task_bad\.py:\d+: SyntaxError"),
    "an exception while loading": ("x = 1 / 0\n", r"task_bad\.py:\d+: ZeroDivisionError"),
    "sys.exit while loading": ("raise SystemExit(3)\n", r"task_bad\.py:\d+: SystemExit"),
    "no pspace": ("def execute(a):\n    return {}\n", "sets no pspace"),
    "pspace of a wrong type": (
        "pspace = [{'a': 1}]\ndef execute(a):\n    return {}\n",
        "pspace is .*but should be a parameter space",
    ),
    "no execute": ("pspace = Param(a=[1])\n", "defines no execute"),
    "execute lacks an argument": (
        "pspace = Param(a=[1], b=[2])\ndef execute(a):\n    return {}\n",
        r"execute\(\) does not take 'b'",
    ),
    "execute needs more": (
        "pspace = Param(a=[1])\ndef execute(a, b):\n    return {}\n",
        r"execute\(\) needs 'b'",
    ),
    "a misspelt setting": (
        "pspace = Param(a=[1])\nschedular = 1\ndef execute(a):\n    return {}\n",
        "did you mean scheduler",
    ),
    "a setting of a wrong type": (
        "pspace = Param(a=[1])\nmax_jobs = 'many'\ndef execute(a):\n    return {}\n",
        "max_jobs is 'many', but should be a whole number",
    ),
    "a file dependency that is not there": (
        "pspace = Param(a=[1])\nfile_dep = ['no.txt']\ndef execute(a):\n    return {}\n",
        "there is no .*no.txt",
    ),
    "a value that cannot be pickled": (
        "pspace = Param(a=[(i for i in 'ab')])\ndef execute(a):\n    return {}\n",
        "parameter 'a' holds a value that cannot be pickled",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_bad_task_gets_one_error_and_the_others_run(project, name):
    import re

    source, message = ERRORS[name]
    project.task("good", "pspace = Param(a=[1])\ndef execute(a):\n    return {'y': a}\n")
    project.task("bad", source)
    ran = project.psy("run")
    assert ran.code == 1
    errors = [line for line in ran.err.split("\n") if line.startswith("ERROR")]
    assert len(errors) == 1
    assert re.search(message, errors[0])
    assert "Traceback" not in ran.err
    assert project.result("good") == {"a": [1], "y": [1]}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("a", r"execute() returned 1 (int), but a mapping"),
        ("None", "execute() returned None"),
        ("{'fine': 1, 'f': lambda: 0}", "result 'f' (function) cannot be pickled"),
    ],
)
def test_what_is_no_result_fails_its_row_by_name(project, returned, message):
    project.task(
        "bad",
        f"""
        pspace = Param(a=[1, 2])
        max_jobs = 1

        def execute(a):
            return {returned} if a == 1 else {{'fine': a}}
        """,
    )
    ran = project.psy("run")
    assert ran.code == 1
    assert message in ran.err
    assert "of 2 rows 1 failed" in ran.err
    status = project.psy("status", "-v")
    assert "row 0 (a=1)" in status.out
    assert status.code == 0


def test_a_work_directory_that_cannot_be_written(project):
    project.task("any", "pspace = Param(a=[1])\ndef execute(a):\n    return {'y': a}\n")
    (project.root / "psy-work").write_text("a file in the way")
    ran = project.psy("run")
    assert ran.code == 1
    assert "cannot write" in ran.err
    assert "psy-work" in ran.err


def test_a_resultfile_that_is_no_result_is_not_replaced(project):
    project.task(
        "any",
        """
        pspace = Param(a=[1])
        resultfile = 'thesis.pkl'

        def execute(a):
            counted(a)
            return {'y': a}
        """,
    )
    (project.root / "thesis.pkl").write_text("years of work")
    ran = project.psy("run")
    assert ran.code == 1
    assert "thesis.pkl is in the way" in ran.err
    assert project.evaluated() == []
    assert (project.root / "thesis.pkl").read_text() == "years of work"


def test_setup_that_raises_is_told_once_with_its_reason(project):
    project.task(
        "gpu",
        """
        pspace = Param(a=range(5))

        def setup(proc_id):
            raise RuntimeError('no gpu')

        def execute(a):
            return {}
        """,
    )
    ran = project.psy("run")
    assert ran.code == 1
    assert ran.err.count("RuntimeError: no gpu") == 1


def test_a_file_dependency_that_changed_since_fails_the_job_by_name(project):
    project.task(
        "dep",
        """
        pspace = Param(a=[1])
        file_dep = ['data.txt']

        def execute(a):
            return {'y': 1}
        """,
    )
    (project.tasks / "data.txt").write_text("one")
    assert project.psy("run").code == 0
    from psyrun.worker import main

    for path in (project.workdir("dep") / "out").iterdir():
        path.unlink()
    (project.tasks / "data.txt").write_text("two")
    assert main([str(project.workdir("dep")), "1-0"]) == 1
    assert not list((project.workdir("dep") / "out").glob("*.pkl"))
    from psyrun.state import job_failures
    from psyrun.workdir import Workdir

    (failure,) = job_failures(Workdir(project.workdir("dep")), ["1-0"])
    assert "file_dep changed since the task was submitted: data.txt" in failure.error["message"]


@pytest.mark.slow
def test_a_million_rows(project):
    evaluates(
        project,
        "million",
        """
        pspace = Param(a=range(1000)) * Param(b=range(1000))

        def execute(a, b):
            return {'y': a * b}
        """,
        y=[a * b for a in range(1000) for b in range(1000)],
    )
