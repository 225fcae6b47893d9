"""Which rows are done, failed or missing, told from files alone."""

import json
import os

import pytest

from psyrun import rows, snapshot
from psyrun.journalwriter import JournalWriter
from psyrun.partial import write_partial
from psyrun.pspace import Param
from psyrun.rows import RowState
from psyrun.state import failures, job_failures, read_sources
from psyrun.workdir import Workdir

D, F, M = RowState.DONE, RowState.FAILED, RowState.MISSING


@pytest.fixture
def space(desk):
    return desk.space(Param(a=range(4)))


def states(desk, run):
    return [RowState(state) for state in desk.state(run).states]


def test_nothing_is_done_at_first(desk, space):
    state = desk.state(desk.run(space))
    assert list(state.states) == [M] * 4
    assert not state.complete


def test_a_space_without_rows_is_complete(desk):
    assert desk.state(desk.run(desk.space(Param()))).complete


def test_rows_in_journals_and_partial_results_count(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {}, 1: {}})
    desk.journal(desk.job("1-1", space, ((2, 4),)), {2: {}}, {3: "no"})
    assert states(desk, desk.run(space)) == [D, D, D, F]


def test_done_wins_over_failed_in_any_order(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 1),)), {0: {}})
    desk.journal(desk.job("2-0", space, ((0, 1),)), failed={0: "no"})
    desk.journal(desk.job("3-0", space, ((1, 2),)), failed={1: "no"})
    desk.journal(desk.job("4-0", space, ((1, 2),)), {1: {}})
    assert states(desk, desk.run(space)) == [D, D, M, M]


def test_rows_by_other_code_do_not_count_unless_accepted(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 1),), "old"), {0: {}})
    desk.journal(desk.job("1-1", space, ((1, 2),), "same"), {1: {}})
    desk.journal(desk.job("1-2", space, ((2, 3),), "code"), {2: {}})
    assert states(desk, desk.run(space)) == [M, M, D, M]
    assert states(desk, desk.run(space, same=("same",))) == [M, D, D, M]
    assert states(desk, desk.run(space, accepted=("old",))) == [D, M, D, M]


def test_rows_before_the_first_run_that_counts_do_not(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 1),)), {0: {}})
    desk.journal(desk.job("2-0", space, ((1, 2),)), {1: {}})
    assert states(desk, desk.run(space, since=2)) == [M, D, M, M]


def test_rows_of_an_older_space_count_where_they_stand_now(desk, space):
    new = desk.space(Param(a=[3, 7, 0, 1]))
    desk.journal(desk.job("1-0", space, ((0, 4),)), {0: {}, 3: {}}, {1: "no", 2: "gone"})
    assert states(desk, desk.run(new)) == [M] * 4, "without moves nothing is known"
    snapshot.write_moves(desk.workdir.moves(space, new), [2, 3, -1, 0])
    assert states(desk, desk.run(new)) == [D, M, D, F]


def test_a_torn_journal_counts_up_to_its_tear(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 4),)), {0: {}, 1: {}})
    os.truncate(path, path.stat().st_size - 3)
    assert states(desk, desk.run(space)) == [D, M, M, M]
    (source,) = read_sources(desk.workdir)
    assert source.torn


def test_a_damaged_journal_costs_the_damaged_row_only(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 4),)), {0: 0, 1: "x" * 50, 2: 2})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"x" * 50) - 45] ^= 0xFF
    path.write_bytes(raw)
    assert states(desk, desk.run(space)) == [D, M, D, M]
    (source,) = read_sources(desk.workdir)
    assert source.damaged == 1


@pytest.mark.parametrize("raw", [b"", b"no journal", b"\xf5PSY" * 20])
def test_a_journal_without_an_origin_counts_for_nothing(desk, space, raw):
    (desk.workdir.out_folder / "1-0.0.part").write_bytes(raw)
    assert read_sources(desk.workdir) == []


def test_a_journal_of_a_later_format_counts_for_nothing(desk, space):
    origin = {"format": 99, "snapshot": space, "code": "code"}
    JournalWriter([desk.workdir.out_folder / "1-0.0.part"], origin).close()
    assert read_sources(desk.workdir) == []


@pytest.mark.parametrize("raw", ["", "[]", "{}", "null", '{"format": 99}', '{"format": 1}'])
def test_a_damaged_note_makes_its_rows_missing(desk, space, raw):
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {}, 1: {}})
    desk.workdir.partial_info("1-0").write_text(raw)
    assert states(desk, desk.run(space)) == [M] * 4


@pytest.mark.parametrize("rows", [3, [3], [[1]], [["a", "b"]], None, [[0, 1, 2]]])
def test_a_note_with_impossible_rows_makes_them_missing(desk, space, rows):
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {}, 1: {}})
    path = desk.workdir.partial_info("1-0")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rows": rows}))
    assert D not in states(desk, desk.run(space))


def test_a_partial_result_of_other_size_makes_its_rows_missing(desk, space):
    path = desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {}, 1: {}})
    path.write_bytes(path.read_bytes() + b"x")
    assert states(desk, desk.run(space)) == [M] * 4


def test_a_partial_result_that_is_gone_makes_its_rows_missing(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {}, 1: {}}).unlink()
    assert states(desk, desk.run(space)) == [M] * 4


def test_a_job_that_finishes_while_it_is_read_is_not_overlooked(desk, space):
    """The journals go once the partial result stands: in between both are there."""

    class FinishingInBetween(Workdir):
        """A work directory in which a job finishes after the first look at it."""

        def _finish(self, found):
            if not desk.workdir.partial_info(job.name).exists():
                write_partial(desk.workdir, job, desk.spaces[space], desk.store)
            return found

        def journals(self, job=None):
            return self._finish(super().journals(job))

        def partial_infos(self):
            return self._finish(super().partial_infos())

    job = desk.job("1-0", space, ((0, 4),))
    desk.journal(job, {row: {} for row in range(4)})
    found = read_sources(FinishingInBetween(desk.workdir.root))
    assert {rows.count(source.done) for source in found} == {4}


def test_the_newest_code_is_painted_last(desk, space):
    for name, code in (("3-0", "old"), ("2-0", "code"), ("1-0", "same")):
        desk.journal(desk.job(name, space, ((0, 1),), code), {0: {}})
    run = desk.run(space, accepted=("old",), same=("same",))
    assert [source.job for source in desk.state(run).sources] == ["3-0", "1-0", "2-0"]


def test_failures_tell_the_last_error_of_rows_that_count_as_failed(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 4),)), {3: {}}, {0: "first", 1: "one", 3: "x"})
    desk.journal(desk.job("2-0", space, ((0, 1),)), failed={0: "second"})
    found = list(failures(desk.state(desk.run(space))))
    assert [(f.row, f.job, f.error["message"]) for f in found] == [
        (0, "2-0", "second"),
        (1, "1-0", "one"),
    ]


def test_failures_of_an_older_space_tell_the_row_of_the_present_one(desk, space):
    new = desk.space(Param(a=[3, 2]))
    desk.journal(desk.job("1-0", space, ((0, 4),)), failed={0: "gone", 3: "three"})
    snapshot.write_moves(desk.workdir.moves(space, new), [-1, -1, 1, 0])
    (found,) = failures(desk.state(desk.run(new)))
    assert (found.row, found.error["message"]) == (0, "three")


def test_a_job_that_could_not_begin_is_told(desk, space):
    job = desk.job("1-0", space, ((0, 4),))
    origin = {"job": "1-0", "snapshot": space, "code": "code"}
    writer = JournalWriter(desk.workdir.new_journal("1-0"), origin)
    writer.job_failed({"type": "ImportError", "message": "no"})
    writer.close()
    (found,) = job_failures(desk.workdir, [job.name, "1-1"])
    assert (found.row, found.job, found.error["message"]) == (None, "1-0", "no")


def flip(path, place, bits=1):
    data = bytearray(path.read_bytes())
    data[place] ^= bits
    path.write_bytes(data)


def test_a_row_number_that_was_damaged_adds_no_row(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 4),)), {0: {}, 1: {}, 2: {}, 3: {}})
    row_field = path.read_bytes().index(b"\xf5PSY", 1) + 16
    flip(path, row_field + 5, 0x40)
    state = desk.state(desk.run(space))
    assert [RowState(state) for state in state.states] == [M, D, D, D]
    assert not state.complete


def test_a_damaged_origin_costs_no_row(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 4),)), {0: {}, 1: {}}, {2: "no"})
    flip(path, path.read_bytes().index(b'"snapshot"'))
    assert states(desk, desk.run(space)) == [D, D, F, M]
    (source,) = read_sources(desk.workdir)
    assert source.damaged == 1


def test_a_damaged_origin_of_an_unknown_job_tells_nothing(desk, space):
    path = desk.journal(desk.job("1-0", space, ((0, 4),)), {0: {}})
    flip(path, path.read_bytes().index(b'"snapshot"'))
    desk.workdir.job("1-0").unlink()
    assert read_sources(desk.workdir) == []
