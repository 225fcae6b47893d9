"""What a run would do after what happened to its files."""

SQUARE = """
pspace = Param(a=[1, 2, 3])

def execute(a):
    counted(a)
    return {'y': a * a}
"""


def test_job_names_are_never_used_again_though_run_json_is_gone(project):
    """The message about a damaged run.json says to remove it and run again."""
    project.task("s", SQUARE)
    assert project.psy("run").code == 0
    project.evaluated()
    (project.workdir("s") / "run.json").unlink()
    project.task("s", SQUARE.replace("a * a", "-a"))
    assert project.psy("run").code == 0
    assert project.evaluated() == ["1", "2", "3"]
    assert project.result("s")["y"] == [-1, -2, -3]


def test_rows_are_found_again_though_run_json_is_gone(project):
    project.task("s", SQUARE)
    assert project.psy("run").code == 0
    project.evaluated()
    (project.workdir("s") / "run.json").unlink()
    (project.workdir("s") / "result.pkl").unlink()
    assert project.psy("run").code == 0
    assert project.evaluated() == []
    assert project.result("s")["y"] == [1, 4, 9]


def test_a_lost_snapshot_costs_rows_but_no_run(project):
    project.task("s", SQUARE)
    assert project.psy("run").code == 0
    for path in (project.workdir("s") / "pspace").glob("*/space.json"):
        path.write_text("damaged")
    project.task("s", SQUARE.replace("[1, 2, 3]", "[3, 4]"))
    assert project.psy("run").code == 0
    assert project.result("s")["y"] == [9, 16]


def test_a_helper_with_a_syntax_error_that_is_never_imported_is_no_obstacle(project):
    project.tasks.mkdir()
    (project.tasks / "helper_old.py").write_text("print 'two'\n")
    source = SQUARE + "    import helper_old\n"
    project.task("s", source)
    assert project.psy("run").code == 0
    assert project.psy("status").code == 0
