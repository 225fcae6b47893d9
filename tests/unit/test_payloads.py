"""When results are put into templates, and when not."""

import pickle

import numpy as np
import pytest

from psyrun import payloads
from psyrun.exceptions import RowError
from psyrun.payloads import Pickler


@pytest.fixture
def pickled(monkeypatch):
    """Count how often pickle is asked."""
    calls, dumps = [], pickle.dumps

    def count(*given):
        calls.append(given)
        return dumps(*given)

    monkeypatch.setattr(pickle, "dumps", count)
    return calls


def result(number):
    return {
        "y": np.arange(100.0) * number,
        "when": np.array(["2026-01-01"], "M8[D]") + number,
        "n": number,
        "loss": number / 3,
        "k": np.float32(number),
    }


def test_results_that_are_alike_are_pickled_once(pickled):
    pickler = Pickler()
    for number in range(-50, 50):
        found = pickle.loads(pickler.dumps(result(number)))
        assert repr(found) == repr(result(number))
    assert len(pickled) == 2  # the first, and a sample for the template


@pytest.mark.parametrize(
    "other",
    [
        {"y": np.zeros(4)},
        {"y": np.zeros(3, "f4")},
        {"y": np.zeros(3)[:2]},
        {"y": np.zeros(6)[::2]},
        {"y": [0.0, 0.0, 0.0]},
        {"z": np.zeros(3)},
        {"y": np.zeros(3), "z": 1},
        {"y": np.rec.array(np.zeros(3, [("a", "f8")]))},
    ],
)
def test_another_kind_of_result_has_another_template(other):
    pickler = Pickler()
    pickler.dumps({"y": np.zeros(3)})
    found = pickle.loads(pickler.dumps(other))
    assert repr(found) == repr(other)
    assert type(next(iter(found.values()))) is type(next(iter(other.values())))


def test_an_array_that_is_returned_twice_may_change_in_between():
    pickler, array = Pickler(), np.zeros(3)
    pickler.dumps({"y": array})
    first = pickler.dumps({"y": array})
    array += 1
    assert pickle.loads(first)["y"].tolist() == [0, 0, 0]


def test_after_many_kinds_no_template_is_made(pickled):
    pickler = Pickler()
    for size in range(1, 100):
        pickler.dumps({"y": np.zeros(size)})
    assert len(pickled) == 99 + payloads._MOST_TEMPLATES


class Unloadable:
    def __reduce__(self):
        return int, ("x",)


def test_what_does_not_come_back_is_refused_also_after_a_template():
    pickler = Pickler()
    pickler.dumps({"y": np.zeros(3)})
    with pytest.raises(RowError, match="not read back"):
        pickler.dumps({"y": Unloadable()})
