"""`psy verify`: what is damaged, what that costs, and that doing as told mends it."""

import json
import shutil

import pytest

from psyrun.run import holding
from psyrun.workdir import Workdir

TASK = """
import helper_v
pspace = Param(a=range(10)) * Param(b=['x', 'y'])
max_jobs = 2
pool_size = 1

def execute(a, b):
    if a == 9 and helper_v.BAD:
        raise ValueError('bad')
    return {'y': a * 10, 'z': b * 40}
"""


def flip(path, place=0.6):
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)


def half_done(project):
    project.task("half", TASK)
    (project.tasks / "helper_v.py").write_text("BAD = True\n")
    assert project.psy("run").code == 1


def all_done(project):
    half_done(project)
    (project.tasks / "helper_v.py").write_text("BAD = False\n")
    path = project.tasks / "task_half.py"
    path.write_text(path.read_text().replace("range(10)", "range(11)"))
    assert project.psy("run", "-c").code == 0
    assert project.psy("verify").out.endswith(", all sound\n")


@pytest.fixture
def half(once):
    """A task of which one job is done; the rows of the other are in a journal."""
    return once(half_done)


@pytest.fixture
def whole(once):
    """A task with a result, and files of two runs, spaces and codes."""
    return once(all_done)


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def files_of(folder):
    """List the files that are checked."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "log" and path.name != "lock"
    )


def test_a_sound_task_is_one_line(half):
    ran = half.psy("verify")
    size = sum(path.stat().st_size for path in files_of(half.workdir("half")))
    count = len(files_of(half.workdir("half")))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"half: {count} files, {size / 1000:.3g} kB, all sound\n"


def test_a_task_that_was_never_run_says_so(project):
    project.task("fresh", TASK)
    ran = project.psy("verify")
    assert (ran.code, ran.out) == (0, "fresh: not run\n")


def test_a_damaged_file_is_a_line_with_what_it_costs_and_exits_with_1(half):
    flip(half.workdir("half") / "out" / "1-0.pkl")
    ran = half.psy("verify")
    assert ran.code == 1
    first, last, _ = ran.out.split("\n")
    assert first == "psy-work/half/out/1-0.pkl is damaged: rows 0 to 9 count as missing"
    assert last.endswith(" files, 1 damaged; psy run half evaluates what is missing")


def test_a_torn_journal_is_told_and_exits_with_0(half):
    path = only(half.workdir("half"), "out/*.part")
    path.write_bytes(path.read_bytes()[:-2])
    ran = half.psy("verify")
    assert ran.code == 0
    assert f"{path.name} ends within a row, which is not kept\n" in ran.out
    assert ran.out.endswith(", all sound\n")


@pytest.mark.parametrize("place", [0, 0.2, 0.5, 0.8, 0.99])
def test_a_flipped_bit_anywhere_is_found(whole, place):
    for path in files_of(whole.workdir("half")):
        kept = path.read_bytes()
        flip(path, place)
        assert whole.psy("verify").code == 1, path
        path.write_bytes(kept)


def test_a_file_that_is_gone_is_found(whole):
    for path in files_of(whole.workdir("half")):
        ended = path.parent.name == "in" and path.name.startswith("1-")
        if ended or path.suffix == ".part" or path.name.startswith("from-"):
            continue  # nothing needs it, or says that there was one
        kept = path.read_bytes()
        path.unlink()
        assert whole.psy("verify").code == 1, path
        path.write_bytes(kept)


@pytest.mark.parametrize("pattern", ["out/*.pkl", "out/*.part", "out/*.json"])
def test_the_run_that_is_advised_leaves_a_whole_result(whole, pattern):
    (whole.workdir("half") / "result.pkl").unlink()
    for path in whole.workdir("half").glob(pattern):
        flip(path, 0.2)
    assert "psy run half evaluates what is missing" in whole.psy("verify").out
    assert whole.psy("run").code == 0
    assert whole.result("half")["y"] == [a * 10 for a in range(11) for _ in "xy"]


def test_rows_that_a_whole_result_holds_are_not_called_missing(whole):
    flip(only(whole.workdir("half"), "out/1-0.pkl"))
    last = whole.psy("verify").out.split("\n")[-2]
    assert last.endswith(
        " 1 damaged; the result is whole, psy run half evaluates what it lacks"
    )


def test_a_damaged_result_is_merged_again_once_it_is_removed(whole):
    path = whole.workdir("half") / "result.pkl"
    flip(path)
    assert "is damaged: remove it, and psy run merges it again" in whole.psy("verify").out
    path.unlink()
    assert whole.psy("run").code == 0
    assert whole.psy("verify").code == 0


def test_a_damaged_snapshot_is_written_anew_once_its_folder_is_gone(whole):
    run = json.loads((whole.workdir("half") / "run.json").read_text())["runs"][-1]
    folder = whole.workdir("half") / "pspace" / run["snapshot"]
    flip(only(folder, "*.pkl"))
    assert "remove its folder, and psy run writes it anew" in whole.psy("verify").out
    shutil.rmtree(folder)
    assert whole.psy("run").code == 0
    assert whole.psy("verify").code == 0


def test_a_damaged_run_file_can_be_removed(whole):
    path = whole.workdir("half") / "run.json"
    path.write_text("{")
    assert "run.json is damaged: remove it, and psy run finds" in whole.psy("verify").out
    path.unlink()
    assert whole.psy("run").code == 0
    assert whole.psy("verify").code == 0


def test_nothing_is_written_and_no_task_file_is_run(half):
    (half.tasks / "task_half.py").write_text("raise SystemExit('was run')\n")
    files = [path for path in half.root.rglob("*") if path.is_file()]
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}
    assert half.psy("verify").code == 0
    after = [path for path in half.root.rglob("*") if path.is_file()]
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in after} == before


def test_a_task_whose_file_is_gone_can_be_named(half):
    (half.tasks / "task_half.py").unlink()
    assert half.psy("verify", "half").out.endswith("all sound\n")


def test_json_is_one_document(half):
    half.task("fresh", TASK)
    flip(half.workdir("half") / "out" / "1-0.pkl")
    ran = half.psy("verify", "--json")
    assert ran.code == 1
    fresh, record = json.loads(ran.out)
    assert (fresh["task"], fresh["files"], fresh["sound"]) == ("fresh", 0, True)
    assert record["sound"] is False
    (finding,) = record["findings"]
    assert finding["path"] == "psy-work/half/out/1-0.pkl"
    assert (finding["kind"], finding["problem"]) == ("partial result", "damaged")
    assert finding["missing_rows"] == [[0, 10]]


def test_a_task_under_way_is_told_with_what_is_wrong(half):
    flip(half.workdir("half") / "out" / "1-0.pkl")
    with holding(Workdir(half.workdir("half")), "half"):
        assert "half: it is being run" in half.psy("verify").err


def test_a_result_that_is_being_replaced_is_no_damage(whole):
    """The command that does so writes down last what the new one is like."""
    path = whole.workdir("half") / "result.pkl"
    flip(path)
    assert whole.psy("verify").code == 1
    with holding(Workdir(whole.workdir("half")), "half"):
        assert whole.psy("verify").code == 0
