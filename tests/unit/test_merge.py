"""The whole result: rows of many sources, each at its place."""

import math

import pytest

from psyrun import snapshot
from psyrun.exceptions import IneffectiveExcludeWarning, StoreError, WorkdirError
from psyrun.merge import Merger
from psyrun.pspace import Param
from psyrun.resultfile import check_target, write_result
from psyrun.runfile import Result
from psyrun.store import PickleStore


@pytest.fixture
def space(desk):
    return desk.space(Param(a=[30, 10, 20]))


def test_rows_come_in_the_order_of_the_space(desk, space):
    desk.journal(desk.job("1-1", space, ((2, 3),)), {2: {"y": "c"}})
    desk.partial(desk.job("1-0", space, ((0, 2),)), {1: {"y": "b"}, 0: {"y": "a"}})
    assert desk.merged(desk.run(space)) == {"a": [30, 10, 20], "y": ["a", "b", "c"]}


def test_rows_that_are_not_done_are_left_out(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 3),)), {2: {"y": "c"}}, {0: "no"})
    assert desk.merged(desk.run(space)) == {"a": [20], "y": ["c"]}


def test_a_row_done_twice_comes_once_by_the_newest_run(desk, space):
    desk.journal(desk.job("2-0", space, ((0, 1),)), {0: {"y": "new"}})
    desk.journal(desk.job("1-0", space, ((0, 3),)), {0: {"y": "old"}, 1: {"y": 1}, 2: {"y": 2}})
    assert desk.merged(desk.run(space))["y"] == ["new", 1, 2]


def test_the_present_code_wins_over_an_accepted_one_of_a_later_run(desk, space):
    desk.journal(desk.job("5-0", space, ((0, 2),), "old"), {0: {"y": "o"}, 1: {"y": "o"}})
    desk.journal(desk.job("1-0", space, ((0, 1),)), {0: {"y": "new"}})
    assert desk.merged(desk.run(space, accepted=("old",)))["y"] == ["new", "o"]


def test_rows_of_an_older_space_come_to_their_new_places(desk, space):
    new = desk.space(Param(a=[10, 99, 30]))
    desk.partial(desk.job("1-0", space, ((0, 3),)), {i: {"y": i} for i in range(3)})
    desk.journal(desk.job("2-0", new, ((1, 2),)), {1: {"y": "fresh"}})
    snapshot.write_moves(desk.workdir.moves(space, new), [2, 0, -1])
    assert desk.merged(desk.run(new)) == {"a": [10, 99, 30], "y": [1, "fresh", 0]}


def test_a_missing_result_key_is_nan_across_sources(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 1),)), {0: {"y": 1}})
    desk.journal(desk.job("1-1", space, ((1, 3),)), {1: {"z": 2}, 2: {"y": 3, "z": 4}})
    merged = desk.merged(desk.run(space))
    assert list(merged) == ["a", "y", "z"]
    assert math.isnan(merged["y"][1])
    assert math.isnan(merged["z"][0])
    assert (merged["y"][0], merged["y"][2], merged["z"][1:]) == (1, 3, [2, 4])


def test_a_newer_row_without_a_key_has_nan_not_the_older_value(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 1),)), {0: {"y": "old", "z": "old"}})
    desk.journal(desk.job("2-0", space, ((0, 1),)), {0: {"y": "new"}})
    merged = desk.merged(desk.run(space))
    assert merged["y"] == ["new"]
    assert [str(value) for value in merged.get("z", ["nan"])] == ["nan"]


def test_a_result_overrides_a_parameter_where_it_is_given(desk, space):
    desk.partial(desk.job("1-0", space, ((0, 2),)), {0: {"a": "new"}, 1: {"y": 1}})
    desk.journal(desk.job("1-1", space, ((2, 3),)), {2: {"y": 2}})
    merged = desk.merged(desk.run(space))
    assert merged["a"] == ["new", 10, 20]
    assert list(merged) == ["a", "y"]


def test_excluded_names_are_left_out_of_parameters_and_results(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 1),)), {0: {"y": 1, "z": 2}})
    assert desk.merged(desk.run(space), ("a", "z")) == {"y": [1]}


def test_excluding_what_does_not_occur_is_warned_of(desk, space):
    desk.journal(desk.job("1-0", space, ((0, 1),)), {0: {"y": 1}})
    with pytest.warns(IneffectiveExcludeWarning, match="cannot leave out 'x': .* are 'a', 'y'"):
        desk.merged(desk.run(space), ("x",))


def test_a_space_without_rows_has_its_parameters_only(desk):
    space = desk.space(Param(a=[]))
    assert desk.merged(desk.run(space)) == {"a": []}


def test_partial_results_of_another_store_are_read_by_their_extension(desk, space):
    class Other(PickleStore):
        ext = ".other"

    desk.partial(desk.job("1-0", space, ((0, 3),)), {i: {"y": i} for i in range(3)})
    desk.store = Other()
    assert desk.merged(desk.run(space))["y"] == [0, 1, 2]


def test_a_damaged_partial_result_is_named(desk, space):
    path = desk.partial(desk.job("1-0", space, ((0, 1),)), {0: {"y": 1}})
    raw = bytearray(path.read_bytes())
    raw[-2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(WorkdirError, match=r"1-0\.pkl is damaged"):
        desk.merged(desk.run(space))


class Listed(PickleStore):
    """A store that does not take columns made while they are read."""

    streams = False

    def save(self, filename, data):
        assert all(type(column) is list for column in data.values())
        super().save(filename, data)


@pytest.mark.parametrize("store", [PickleStore(), Listed()])
def test_the_result_is_written_and_described(desk, space, store, tmp_path):
    desk.partial(desk.job("1-0", space, ((0, 3),), "old"), {i: {"y": i} for i in range(3)})
    desk.journal(desk.job("2-0", space, ((1, 2),)), {1: {"y": "new"}})
    run = desk.run(space, accepted=("old",), since=1, exclude=("a",))
    merger = Merger(desk.state(run), desk.spaces[space], store)
    result = write_result(merger, tmp_path / "r.pkl", {})
    assert store.load(tmp_path / "r.pkl") == {"y": [0, "new", 2]}
    assert result.codes == {"old": 2, "code": 1}
    assert result.size == (tmp_path / "r.pkl").stat().st_size
    assert (result.snapshot, result.exclude, result.since) == (space, ("a",), 1)


def test_many_blocks_of_parameters_are_written(desk, tmp_path):
    space = desk.space(Param(a=range(50_001)))
    results = dict.fromkeys(range(50_001), None)
    desk.partial(desk.job("1-0", space, ((0, 50_001),)), {row: {} for row in results})
    run = desk.run(space)
    merger = Merger(desk.state(run), desk.spaces[space], desk.store)
    write_result(merger, tmp_path / "r.pkl", {})
    assert desk.store.load(tmp_path / "r.pkl") == {"a": list(range(50_001))}


@pytest.fixture
def target(tmp_path):
    return tmp_path / "r.pkl"


def test_nothing_in_the_way(target):
    check_target(PickleStore(), target)


def test_an_older_result_is_no_obstacle(target):
    PickleStore().save(target, {"a": [1]})
    check_target(PickleStore(), target)


@pytest.mark.parametrize("raw", [b"text", b"\x80\x05K\x01.", b"\x80\x05]."])
def test_another_file_in_the_way_is_kept(target, raw):
    target.write_bytes(raw)
    with pytest.raises(StoreError, match=r"r\.pkl is in the way: .*another name"):
        check_target(PickleStore(), target)
    assert target.read_bytes() == raw


def test_a_folder_in_the_way_is_kept(target):
    target.mkdir()
    with pytest.raises(StoreError, match="is in the way"):
        check_target(PickleStore(), target)


def test_what_is_known_as_the_result_may_be_replaced(target):
    target.write_bytes(b"damaged")
    known = Result("s", {}, "PickleStore", str(target), (), 0, 0, 0)
    check_target(PickleStore(), target, known)
