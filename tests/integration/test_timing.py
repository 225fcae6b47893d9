"""What `psy status --timing` tells of a run."""

import json

from tests.background import SCHEDULER
from tests.waiting import until

TASK = """
pspace = Param(a=range(4))
max_jobs = 2

def execute(a):
    return {'b': 1 / a if FAILS else a}
"""


def timing(project):
    ran = project.psy("status", "--json", "inverse")
    return json.loads(ran.out)[0]["timing"]


def test_a_run_on_this_machine(project):
    project.task("inverse", TASK.replace("FAILS", "False"))
    assert project.psy("status", "--timing").code == 0  # of a task that never ran
    assert project.psy("run").code == 0
    found = timing(project)
    assert list(found["phases"]) == ["start", "plan", "submit", "work", "merge"]
    assert list(found["workers"]) == ["start", "evaluate", "write"]
    assert all(seconds > 0 for seconds in {**found["phases"], **found["workers"]}.values())
    assert found["rows"] == 4
    assert found["workers"]["evaluate"] / found["processes"] < found["phases"]["work"]
    ran = project.psy("status", "--timing")
    names = [line.split()[0] for line in ran.out.split("\n")[1:-1]]
    assert names == ["start", "plan", "submit", "work", "merge", "in"]


def test_a_run_of_which_rows_failed(project):
    project.task("inverse", TASK.replace("FAILS", "True"))
    assert project.psy("run").code == 1
    found = timing(project)
    assert list(found["phases"]) == ["start", "plan", "submit", "work"]
    assert found["rows"] == 2  # those of the job that is whole


def test_what_is_up_to_date_keeps_the_timing_of_its_run(project):
    project.task("inverse", TASK.replace("FAILS", "False"))
    project.psy("run")
    before = timing(project)
    project.psy("run")
    assert timing(project) == before


def test_a_run_elsewhere(project):
    imports = "from background import Background\nscheduler = Background()\n"
    path = project.task("inverse", imports + TASK.replace("FAILS", "False"))
    path.with_name("background.py").write_text(SCHEDULER)
    assert project.psy("run").code == 0
    until(lambda: "merge" in timing(project)["phases"])
    found = timing(project)
    assert list(found["phases"]) == ["start", "plan", "submit", "queue", "work", "merge"]
    assert found["rows"] == 4


def test_timing_and_json_are_not_for_one_command(project):
    project.task("inverse", TASK)
    ran = project.psy("status", "--timing", "--json")
    assert ran.code == 2
    assert "--timing" in ran.err
