"""What a check of a work directory finds, and which rows count as missing for it."""

import dataclasses
import os
import shutil

import pytest

from psyrun import snapshot
from psyrun.findings import Kind, Problem
from psyrun.journalwriter import JournalWriter
from psyrun.pspace import Param
from psyrun.runfile import RunFile, write_run_file
from psyrun.verify import verify


def flip(path, place=-3):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.fixture
def space(desk):
    return desk.space(Param(a=range(10)))


@pytest.fixture
def filled(desk, space):
    """A run of ten rows: five in a partial result, five in a journal."""
    one, two = (desk.job(f"1-{i}", space, ((i * 5, i * 5 + 5),)) for i in (0, 1))
    desk.partial(one, {row: {"y": row} for row in range(5)})
    desk.journal(two, {row: {"y": "x" * 30} for row in range(5, 10)})
    write_run_file(desk.workdir, RunFile("task", (run_of(desk, space),)))
    return desk


def run_of(desk, space, **others):
    return desk.run(space, number=1, jobs={"1-0": None, "1-1": None}, **others)


def partial_of(desk):
    (path,) = desk.workdir.out_folder.glob("1-0*.pkl")
    return path


def found(desk):
    """Check, and list what was found, but for the code, which the desk writes nowhere."""
    checked = verify(desk.workdir, "task")
    assert checked is not None
    return [finding for finding in checked.findings if finding.kind is not Kind.CODE]


def only(desk):
    (finding,) = found(desk)
    return finding


def test_nothing_is_found_where_all_is_sound(filled):
    assert found(filled) == []


def test_all_files_are_counted(filled):
    checked = verify(filled.workdir, "task")
    assert checked is not None
    files = [path for path in filled.workdir.root.rglob("*") if path.is_file()]
    assert checked.files == len(files)
    assert checked.size == sum(path.stat().st_size for path in files)


def test_a_work_directory_without_runs_is_nothing_to_check(desk):
    assert verify(desk.workdir, "task") is None


def test_a_partial_result_of_a_jobs_other_self_is_harmless(filled):
    shutil.copy(partial_of(filled), filled.workdir.out_folder / "1-0.1.pkl")
    assert (only(filled).problem, only(filled).harmless) == (Problem.NO_NOTE, True)


@pytest.mark.parametrize("how", ["flip", "cut", "remove"])
def test_a_partial_result_costs_the_rows_that_its_note_names(filled, how):
    path = partial_of(filled)
    if how == "flip":
        flip(path)
    elif how == "cut":
        os.truncate(path, path.stat().st_size - 1)
    else:
        path.unlink()
    finding = only(filled)
    assert finding.problem is (Problem.GONE if how == "remove" else Problem.DAMAGED)
    assert (finding.path, finding.lost) == (path, ((0, 5),))
    assert not finding.harmless


def test_rows_that_stand_elsewhere_are_not_lost(filled, space):
    path = partial_of(filled)
    flip(path)
    filled.journal(filled.job("2-0", space, ((1, 3),)), {1: {}, 2: {}})
    assert only(filled).lost == ((0, 1), (3, 5))


def test_a_note_costs_the_rows_of_its_job(filled):
    flip(filled.workdir.partial_info("1-0"), 30)
    assert (only(filled).kind, only(filled).lost) == (Kind.NOTE, ((0, 5),))


def test_a_note_without_its_job_costs_rows_that_are_not_known(filled):
    flip(filled.workdir.partial_info("1-0"), 30)
    flip(filled.workdir.job("1-0"), 30)
    job, note = found(filled)
    assert (job.kind, note.lost) == (Kind.JOB, None)


def test_a_partial_result_without_a_note_is_told_with_what_it_costs(filled):
    filled.workdir.partial_info("1-0").unlink()
    finding = only(filled)
    assert (finding.problem, finding.lost, finding.harmless) == (
        Problem.NO_NOTE,
        ((0, 5),),
        False,
    )


def test_a_partial_result_that_lost_the_race_to_its_note_is_harmless(filled, space):
    """A job was killed between both; its journals are there still."""
    filled.workdir.partial_info("1-0").unlink()
    filled.journal(filled.job("1-0", space, ((0, 5),)), {row: {} for row in range(5)})
    assert only(filled).harmless


def test_a_damaged_place_in_a_journal_costs_its_row(filled):
    (path,) = filled.workdir.journals("1-1")
    data = path.read_bytes()
    flip(path, data.index(b"x" * 30, data.index(b"x" * 30) + 40))
    finding = only(filled)
    assert (finding.kind, finding.problem) == (Kind.JOURNAL, Problem.DAMAGED)
    assert (finding.lost, finding.unreadable) == (((6, 7),), 1)


def test_a_journal_of_which_nothing_is_known_costs_rows_that_are_not_known(filled):
    filled.workdir.job("1-1").unlink()
    (path,) = filled.workdir.journals("1-1")
    flip(path, path.read_bytes().index(b"snapshot"))
    job, finding = found(filled)
    assert (job.kind, finding.kind) == (Kind.JOB, Kind.JOURNAL)
    assert (finding.lost, finding.unreadable) == (None, 5)


def test_a_torn_tail_is_told_and_harmless(filled):
    (path,) = filled.workdir.journals("1-1")
    os.truncate(path, path.stat().st_size - 2)
    assert (only(filled).problem, only(filled).harmless) == (Problem.TORN, True)


def test_rows_of_an_older_space_are_told_by_where_they_stand_now(filled, space):
    new = filled.space(Param(a=[*range(9, -1, -1), 100]))
    snapshot.write_moves(filled.workdir.moves(space, new), [*range(9, -1, -1)])
    runs = run_of(filled, space), filled.run(new, number=2)
    write_run_file(filled.workdir, RunFile("task", runs))
    flip(partial_of(filled))
    assert only(filled).lost == ((5, 10),)


def test_rows_by_code_that_does_not_count_are_told_apart(filled, space):
    runs = run_of(filled, space), filled.run(space, number=2, code="other")
    write_run_file(filled.workdir, RunFile("task", runs))
    flip(partial_of(filled))
    assert not only(filled).counts


def test_a_run_file_that_is_damaged_hides_nothing_else(filled):
    flip(filled.workdir.run_file, 30)
    flip(partial_of(filled))
    first, second = found(filled)
    assert (first.kind, second.kind) == (Kind.RUN_FILE, Kind.PARTIAL)
    assert second.lost is None


def test_a_run_file_that_is_gone_is_told(filled):
    filled.workdir.run_file.unlink()
    assert (only(filled).kind, only(filled).problem) == (Kind.RUN_FILE, Problem.GONE)


@pytest.mark.parametrize("kind", [Kind.RUN_FILE, Kind.JOB, Kind.NOTE])
def test_another_format_is_no_damage(filled, kind):
    workdir = filled.workdir
    path = {
        Kind.RUN_FILE: workdir.run_file,
        Kind.JOB: workdir.job("1-0"),
        Kind.NOTE: workdir.partial_info("1-0"),
    }[kind]
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    assert (only(filled).kind, only(filled).problem) == (kind, Problem.OTHER_FORMAT)


def test_a_journal_of_another_format_is_no_damage(filled):
    origin = {"format": 99, "snapshot": "x", "code": "y"}
    JournalWriter(filled.workdir.new_journal("1-1"), origin).close()
    assert (only(filled).kind, only(filled).problem) == (Kind.JOURNAL, Problem.OTHER_FORMAT)


def test_a_job_that_is_gone_is_told(filled):
    filled.workdir.job("1-1").unlink()
    assert (only(filled).path, only(filled).problem) == (
        filled.workdir.job("1-1"),
        Problem.GONE,
    )


def test_moves_and_columns_are_checked(filled, space):
    moves = filled.workdir.moves("old", space)
    snapshot.write_moves(moves, [1, 2])
    assert found(filled) == []
    flip(moves, 20)
    assert (only(filled).path, only(filled).kind) == (moves, Kind.MOVES)


@pytest.mark.parametrize("name", ["space.json", "0.pkl"])
@pytest.mark.parametrize("problem", [Problem.DAMAGED, Problem.GONE])
def test_a_snapshot_is_checked_and_not_unpickled(filled, name, problem):
    digest = filled.space(Param(a=[bomb]))
    path = filled.workdir.snapshot(digest) / name
    assert found(filled) == []
    if problem is Problem.GONE:
        path.unlink()
    else:
        flip(path)
    assert (only(filled).path, only(filled).problem) == (path, problem)


class Bomb:
    """What must not be unpickled."""

    def __reduce__(self):
        return exit, ()


bomb = Bomb()


def test_a_snapshot_and_a_code_that_rows_refer_to_are_missed(filled, space):
    shutil.rmtree(filled.workdir.snapshot(space))
    checked = verify(filled.workdir, "task")
    assert checked is not None
    told = {(f.kind, f.path.name, f.problem) for f in checked.findings}
    assert told == {
        (Kind.SNAPSHOT, space, Problem.GONE),
        (Kind.CODE, "code", Problem.GONE),
    }


def test_unfinished_files_and_strangers_are_none_of_ours(filled):
    for folder in filled.workdir.folders():
        (folder / ".tmp-1-x").write_text("x")
        (folder / "readme").write_text("x")
    assert found(filled) == []


def test_findings_are_values(filled):
    flip(partial_of(filled))
    assert dataclasses.asdict(only(filled))["lost"] == ((0, 5),)
