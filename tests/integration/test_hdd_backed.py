import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psyrun import Param
from psyrun import map_pspace_hdd_backed as mapped
from psyrun.exceptions import (
    IneffectiveExcludeWarning,
    LockedError,
    StoreError,
    TaskWarning,
)
from psyrun.payloads import Pickler


def backed(*args: Any, **options: Any) -> Any:
    return mapped(*args, **options)


class Counting:
    """A function that notes its calls, and can be told where to fail."""

    def __init__(self, fail_at=None):
        self.calls = []
        self.fail_at = fail_at

    def __call__(self, a):
        if a == self.fail_at:
            raise ValueError(f"no {a}")
        self.calls.append(a)
        return {"y": a * a}


def load(path: Path):
    return pickle.loads(path.read_bytes())


def test_the_result_is_returned_and_on_disk(tmp_path):
    result = backed(Counting(), Param(a=[3, 1]), tmp_path / "r.pkl")
    assert result == load(tmp_path / "r.pkl") == {"a": [3, 1], "y": [9, 1]}


def test_without_return_data_only_the_file_is_made(tmp_path):
    path = tmp_path / "r.pkl"
    assert backed(Counting(), Param(a=[3, 1]), path, return_data=False) is None
    assert load(path) == {"a": [3, 1], "y": [9, 1]}


def test_a_second_call_evaluates_nothing(tmp_path):
    backed(Counting(), Param(a=[3, 1]), tmp_path / "r.pkl")
    again = Counting()
    assert backed(again, Param(a=[3, 1]), tmp_path / "r.pkl")["y"] == [9, 1]
    assert again.calls == []


def test_it_goes_on_where_an_exception_ended_it(tmp_path):
    with pytest.raises(ValueError, match="no 2") as caught:
        backed(Counting(fail_at=2), Param(a=range(5)), tmp_path / "r.pkl")
    assert any("a=2" in note for note in caught.value.__notes__)
    assert not (tmp_path / "r.pkl").exists()
    again = Counting()
    result = backed(again, Param(a=range(5)), tmp_path / "r.pkl")
    assert again.calls == [2, 3, 4]
    assert result["y"] == [0, 1, 4, 9, 16]


def test_a_space_that_grew_and_was_reordered_keeps_its_rows(tmp_path):
    backed(Counting(), Param(a=[1, 2, 3]), tmp_path / "r.pkl")
    again = Counting()
    result = backed(again, Param(a=[4, 3, 1, 5]), tmp_path / "r.pkl")
    assert again.calls == [4, 5]
    assert result == load(tmp_path / "r.pkl") == {"a": [4, 3, 1, 5], "y": [16, 9, 1, 25]}
    third = Counting()
    result = backed(third, Param(a=[1, 2, 3, 4, 5]), tmp_path / "r.pkl")
    assert third.calls == []
    assert result["y"] == [1, 4, 9, 16, 25]


def test_done_rows_are_matched_row_by_row_not_column_by_column(tmp_path):
    space = Param(a=[1, 2], b=[1, 2])
    calls = []

    def fn(a, b):
        calls.append((a, b))
        return a + b

    backed(fn, space, tmp_path / "r.pkl")
    grid = Param(a=[1, 2]) * Param(b=[1, 2])
    result = backed(fn, grid, tmp_path / "r.pkl")
    assert calls == [(1, 1), (2, 2), (1, 2), (2, 1)]
    assert result["result"] == [2, 3, 3, 4]


def test_duplicate_assignments_are_rows_of_their_own(tmp_path):
    fn = Counting()
    backed(fn, Param(a=[1, 1]), tmp_path / "r.pkl")
    backed(fn, Param(a=[1, 1, 1]), tmp_path / "r.pkl")
    assert fn.calls == [1, 1, 1]


def test_exclude_leaves_out_and_asks_for_no_evaluation(tmp_path):
    backed(Counting(), Param(a=[3]), tmp_path / "r.pkl")
    again = Counting()
    path = tmp_path / "r.pkl"
    assert backed(again, Param(a=[3]), path, exclude=["a"]) == {"y": [9]}
    assert load(path) == {"y": [9]}
    assert again.calls == []
    assert backed(again, Param(a=[3]), path) == {"a": [3], "y": [9]}


def test_an_exclude_without_effect_warns(tmp_path):
    with pytest.warns(IneffectiveExcludeWarning, match="'z'"):
        backed(Counting(), Param(a=[3]), tmp_path / "r.pkl", exclude=["z"])


def test_several_processes_give_the_same(tmp_path):
    def fn(a, b):
        return {"y": a * b, "b": -b} if a % 2 else {"y": a * b}

    space = Param(a=range(20)) * Param(b=range(7))
    one = backed(fn, space, tmp_path / "one.pkl")
    two = backed(fn, space, tmp_path / "two.pkl", pool_size=2)
    assert one == two
    assert one["b"][:8] == [0, 1, 2, 3, 4, 5, 6, 0]
    assert one["b"][8:10] == [-1, -2]


def test_the_same_dict_returned_again_and_again_is_no_trap(tmp_path):
    shared = {}

    def fn(a):
        shared["y"] = a
        return shared

    result = backed(fn, Param(a=[1, 2]), tmp_path / "r.pkl")
    assert result["y"] == [1, 2]


def test_an_empty_space_gives_an_empty_result(tmp_path):
    assert backed(Counting(), Param(a=[]), tmp_path / "r.pkl") == {"a": []}


def test_a_file_that_is_no_result_is_not_replaced(tmp_path):
    (tmp_path / "r.pkl").write_text("precious")
    with pytest.raises(
        StoreError, match=r"in the way: .*; move it, or give the result another name$"
    ):
        backed(Counting(), Param(a=[1]), tmp_path / "r.pkl")
    assert (tmp_path / "r.pkl").read_text() == "precious"


def test_a_result_without_its_folder_is_not_replaced(tmp_path):
    (tmp_path / "r.pkl").write_bytes(pickle.dumps({"a": [1]}))
    with pytest.raises(StoreError, match="move the file away"):
        backed(Counting(), Param(a=[1]), tmp_path / "r.pkl")


def test_two_at_once_is_refused(tmp_path):
    def fn(a):
        with pytest.raises(LockedError, match="held by"):
            backed(Counting(), Param(a=[1]), tmp_path / "r.pkl")
        return a

    assert backed(fn, Param(a=[1]), tmp_path / "r.pkl")["result"] == [1]


def test_a_damaged_row_is_evaluated_again(tmp_path):
    path = tmp_path / "r.pkl"
    backed(Counting(), Param(a=range(5)), path)
    (journal,) = (tmp_path / "r.pkl.psyrun" / "out").glob("*.part")
    data = bytearray(journal.read_bytes())
    data[-6] ^= 1
    journal.write_bytes(data)
    path.unlink()
    again = Counting()
    with pytest.warns(TaskWarning, match="damaged in places"):
        assert backed(again, Param(a=range(5)), path)["y"] == [0, 1, 4, 9, 16]
    assert again.calls == [4]


def test_a_damaged_head_of_a_journal_costs_no_row(tmp_path):
    path = tmp_path / "r.pkl"
    backed(Counting(), Param(a=range(5)), path)
    (journal,) = (tmp_path / "r.pkl.psyrun" / "out").glob("*.part")
    data = bytearray(journal.read_bytes())
    data[data.index(b'"snapshot"')] ^= 1
    journal.write_bytes(data)
    path.unlink()
    again = Counting()
    with pytest.warns(TaskWarning, match="damaged in places"):
        assert backed(again, Param(a=range(5)), path)["y"] == [0, 1, 4, 9, 16]
    assert again.calls == []


def test_numbers_that_look_like_objects_are_pickled_as_others_are(tmp_path, monkeypatch):
    monkeypatch.setattr(Pickler, "dumps", None)
    numbers = [1, 0x93, 0x9393, 2]
    columns = backed(lambda a: {"b": a}, Param(a=numbers), tmp_path / "r.pkl")
    assert columns == {"a": numbers, "b": numbers}


@pytest.mark.parametrize("pool_size", [1, 2])
def test_values_that_a_function_fills_anew_are_kept_as_they_were(tmp_path, pool_size):
    array, texts = np.zeros(2), [""]
    whole: dict[str, Any] = {}

    def fill(a):
        array[:] = a
        texts[0] = str(a)
        whole.update(array=array, texts=texts)
        return whole

    columns = backed(fill, Param(a=range(6)), tmp_path / "r.pkl", pool_size=pool_size)
    assert [row.tolist() for row in columns["array"]] == [[a, a] for a in range(6)]
    assert columns["texts"] == [[str(a)] for a in range(6)]


def test_a_child_that_comes_back_does_not_touch_the_rows_of_its_parent(tmp_path):
    source = """
import os
from psyrun import Param, map_pspace_hdd_backed
def fork(a):
    if a == 3000:
        if not os.fork():
            return {"b": -1}
        os.wait()
    return {"b": a}
try:
    columns = map_pspace_hdd_backed(fork, Param(a=range(6000)), "r.pkl")
except Exception as err:
    print(err, flush=True)
    os._exit(0)
print(columns["b"] == list(range(6000)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split("\n") == [
        "the function forked, and the child came back",
        "True",
        "",
    ]
