"""Damaged files below a work directory: no wrong result, and the same command mends them."""

import pickle
import shutil

import pytest

FLAKY = """
import helper_k
from pathlib import Path
pspace = Param(a=range(10))
max_jobs = 2
pool_size = 1

def execute(a):
    counted(a)
    if a == 9 and not Path('ready').exists():
        raise ValueError('old failure')
    return {'y': a * helper_k.K, 'z': 'x' * 40}
"""


def all_but_one(project):
    project.task("flaky", FLAKY)
    (project.tasks / "helper_k.py").write_text("K = 10\n")
    assert project.psy("run").code == 1
    project.evaluated()
    (project.tasks / "ready").touch()


@pytest.fixture
def flaky(once):
    """A task of which all rows are done but one, which fails until `ready` is there."""
    return once(all_but_one)


def completes(project):
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert project.result("flaky")["y"] == [a * 10 for a in range(10)]
    assert "up to date" in project.psy("run").out
    return ran


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def flip(path, place=-1):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_edited_frozen_code_is_never_run(flaky):
    module = only(flaky.workdir("flaky"), "code/*/modules/helper_k.py")
    module.write_text("K = 1\n")
    completes(flaky)


@pytest.mark.parametrize("pattern", ["code/*/manifest.json", "pspace/*/space.json"])
@pytest.mark.parametrize("how", ["remove", "flip"])
def test_damaged_folders_are_written_anew(flaky, pattern, how):
    path = only(flaky.workdir("flaky"), pattern)
    path.unlink() if how == "remove" else flip(path, 20)
    completes(flaky)


def test_a_flipped_byte_in_a_journal_costs_one_row(flaky):
    path = only(flaky.workdir("flaky"), "out/1-1.*.part")
    flip(path, path.read_bytes().index(b"x" * 40) + 3)
    ran = completes(flaky)
    assert "damaged" in ran.err
    assert len(flaky.evaluated()) == 2


def test_a_flipped_byte_in_a_partial_result_costs_its_rows(flaky):
    flip(only(flaky.workdir("flaky"), "out/1-0.pkl"), -9)
    ran = completes(flaky)
    assert "damaged" in ran.err
    assert flaky.evaluated() == ["0", "1", "2", "3", "4", "9"]


def test_a_flipped_digit_in_a_note_is_not_believed(flaky):
    note = only(flaky.workdir("flaky"), "out/1-0.json")
    text = note.read_text()
    assert '"run": 1' in text
    note.write_text(text.replace('"run": 1', '"run": 2'))
    completes(flaky)


def test_a_damaged_result_is_made_again(flaky):
    completes(flaky)
    flip(flaky.workdir("flaky") / "result.pkl", -9)
    assert "to merge" in flaky.psy("status").out
    flaky.evaluated()
    completes(flaky)
    assert flaky.evaluated() == []


def test_a_result_that_was_copied_over_by_that_of_another_task_is_made_again(project):
    for name, value in (("one", 1), ("two", 2)):
        project.task(
            name, f"pspace = Param(a=[1])\ndef execute(a):\n    return {{'y': {value}}}\n"
        )
    project.psy("run")
    shutil.copy(project.workdir("two") / "result.pkl", project.workdir("one") / "result.pkl")
    assert "to merge" in project.psy("status", "one").out


def test_a_lost_snapshot_of_a_whole_task_is_written_again(flaky):
    completes(flaky)
    shutil.rmtree(flaky.workdir("flaky") / "pspace")
    assert flaky.psy("run").code == 0
    assert flaky.psy("merge", "psy-work/flaky", "x.pkl").code == 0


def test_a_worker_that_cannot_start_is_told_not_old_failures(flaky):
    path = flaky.tasks / "task_flaky.py"
    path.write_text(path.read_text() + "\npython = '/bin/false'\n")
    ran = flaky.psy("run")
    assert ran.code == 1
    assert "old failure" not in ran.err
    assert "the worker ended early" in ran.err


def test_clean_removes_what_has_a_damaged_run_json(flaky):
    (flaky.workdir("flaky") / "run.json").write_text("{")
    assert flaky.psy("clean", "--yes").code == 0
    assert not flaky.workdir("flaky").exists()


def test_merge_of_nothing_replaces_nothing(flaky):
    target = flaky.root / "x.pkl"
    target.write_bytes(pickle.dumps({"a": [1]}))
    shutil.rmtree(flaky.workdir("flaky") / "out")
    assert flaky.psy("merge", "psy-work/flaky", "x.pkl").code == 1
    assert pickle.loads(target.read_bytes()) == {"a": [1]}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("{('p', 'q'): a}", "the result has the key ('p', 'q') (tuple)"),
        ("{'e': Twice(a, a)}", "can be pickled, but not read back"),
    ],
)
def test_a_result_that_cannot_be_kept_fails_its_row_alone(project, returned, message):
    project.task(
        "odd",
        f"""
        pspace = Param(a=range(3))
        max_jobs = 1

        class Twice(Exception):
            def __init__(self, one, two):
                super().__init__(one)

        def execute(a):
            return {returned} if a == 1 else {{'y': a}}
        """,
    )
    ran = project.psy("run")
    assert "of 3 rows 1 failed" in ran.err
    assert message in ran.err


def test_a_flipped_bit_in_how_rows_moved_is_not_believed(flaky):
    path = flaky.tasks / "task_flaky.py"
    path.write_text(path.read_text().replace("range(10)", "[*range(9, -1, -1)]"))
    completes_reversed(flaky)
    moves = only(flaky.workdir("flaky"), "pspace/*/from-*.npy")
    flip(moves, -40)
    (flaky.workdir("flaky") / "result.pkl").unlink()
    completes_reversed(flaky)


def test_a_flipped_bit_in_an_older_space_is_not_believed(flaky):
    path = flaky.tasks / "task_flaky.py"
    path.write_text(path.read_text().replace("range(10)", "[*range(9, -1, -1)]"))
    completes_reversed(flaky)
    for column in (flaky.workdir("flaky") / "pspace").glob("*/0.npy"):
        flip(column)
    path.write_text(path.read_text().replace("range(9, -1, -1)", "range(10, -1, -1)"))
    assert flaky.psy("run").code == 0
    assert flaky.result("flaky")["y"] == [a * 10 for a in range(10, -1, -1)]


def completes_reversed(project):
    ran = project.psy("run")
    assert ran.code == 0, ran.err
    assert project.result("flaky")["y"] == [a * 10 for a in range(9, -1, -1)]
