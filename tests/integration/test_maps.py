"""The parallel map with real processes, from scripts and from functions of any kind."""

from __future__ import annotations

import functools
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from psyrun import Param, map_pspace, map_pspace_parallel
from psyrun.exceptions import IneffectiveExcludeWarning, ParameterSpaceError, PsyrunError

SPACE = Param(a=range(60)) * Param(b=[1, 2.5, "x"]) + Param(a=[7], c=[8])
parallel = functools.partial(map_pspace_parallel, n_jobs=2)


def make_describe():
    """Make a function by value: workers cannot import this module."""

    def describe(**row):
        return {"text": repr(row), "a": -row["a"], **({"odd": 1} if row["a"] % 2 else {})}

    return describe


def seen_by(seen: list[int]):
    """Make a function that notes its arguments in a list of the caller."""

    def note(a):
        seen.append(a)

    return note


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_the_parallel_map_returns_what_the_serial_one_does(backend):
    describe = make_describe()
    expected = map_pspace(describe, SPACE, exclude=["c"])
    columns = parallel(describe, SPACE, backend=backend, exclude=["c"])
    assert list(columns) == list(expected)
    assert repr(columns) == repr(expected)  # NaN and types alike


def test_functions_without_a_name_to_import_them_by():
    factor = np.array([1, 2])
    columns = parallel(lambda a: (factor * a).tolist(), Param(a=[1, 2, 3]))
    assert columns["result"] == [[1, 2], [2, 4], [3, 6]]


def test_functions_and_classes_of_main(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from psyrun import Param, map_pspace_parallel

            class Point:
                def __init__(self, x):
                    self.x = x

            def move(point):
                return {"moved": Point(point.x + 1)}

            if __name__ == "__main__":
                space = Param(point=[Point(i) for i in range(50)])
                columns = map_pspace_parallel(move, space, n_jobs=2)
                assert all(type(point) is Point for point in columns["moved"])
                print([point.x for point in columns["moved"]] == list(range(1, 51)))
            """
        )
    )
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("space", [Param(), Param(a=[]), Param(a=5)])
def test_spaces_too_small_to_share(space):
    assert parallel(lambda a: a, space) == map_pspace(lambda a: a, space)


def test_one_job_evaluates_here():
    seen: list[int] = []
    map_pspace_parallel(seen_by(seen), Param(a=[1, 2]), n_jobs=1)
    assert seen == [1, 2]


def test_threads_share_what_the_function_closes_over():
    seen: list[int] = []
    parallel(seen_by(seen), Param(a=range(20)), backend="threading")
    assert sorted(seen) == list(range(20))


def test_a_failing_row_raises_with_its_assignment():
    with pytest.raises(ZeroDivisionError) as caught:
        parallel(lambda a: 1 / (a - 77), Param(a=range(200)))
    assert "at the assignment a=77" in caught.value.__notes__


def test_an_exception_that_cannot_be_pickled_is_told():
    class Stubborn(Exception):  # noqa: N818 - a user's class
        def __init__(self, one, two):
            super().__init__(one)

    def fail(a):
        raise Stubborn("bad luck", a)

    with pytest.raises(PsyrunError, match="Stubborn: bad luck") as caught:
        parallel(fail, Param(a=range(20)))
    assert caught.value.__notes__[0].startswith("at the assignment a=")


def test_the_pool_works_on_after_a_failure():
    with pytest.raises(ZeroDivisionError):
        parallel(lambda a: 1 // a, Param(a=range(50)))
    assert parallel(lambda a: a, Param(a=range(50)))["result"] == list(range(50))


def test_arguments_that_do_not_fit_are_named():
    with pytest.raises(ParameterSpaceError, match="does not take 'a'"):
        parallel(lambda b=1: b, Param(a=[1, 2]))


def test_excluding_what_is_not_there_warns():
    with pytest.warns(IneffectiveExcludeWarning, match="'x'") as caught:
        parallel(lambda a: {"c": a}, Param(a=range(30)), exclude=["x", "c"])
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_progress_is_told_in_rows_until_all_are_done():
    told = []
    parallel(lambda a: a, Param(a=range(500)), progress=lambda *counts: told.append(counts))
    assert told[-1] == (500, 500)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) > 5


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_progress_bar_leaves_the_results_alone(n_jobs):
    columns = map_pspace_parallel(lambda a: a, Param(a=range(50)), n_jobs, progress=True)
    assert columns["result"] == list(range(50))


def test_arrays_pass_in_both_directions():
    columns = parallel(lambda a: {"b": a * 2}, Param(a=np.arange(40).reshape(20, 2)))
    assert np.array_equal(np.stack(columns["b"]), 2 * np.arange(40).reshape(20, 2))


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_large_arrays_arrive_as_they_were(backend, monkeypatch, tmp_path):
    monkeypatch.setattr("psyrun.mapper.memory.shared_folder", lambda: tmp_path)
    space = Param(a=range(400))

    def arrays(a):
        return {"y": np.arange(1000) * a, "z": [a], "w": np.full((20, 30), a, "f4")}

    columns = parallel(arrays, space, backend=backend)
    assert [row[1] for row in columns["y"]] == list(range(400))
    assert columns["z"] == [[a] for a in range(400)]
    assert all(row.shape == (20, 30) and (row == a).all() for a, row in enumerate(columns["w"]))
    columns["y"][3][:] = 0
    assert columns["y"][4][1] == 4
    assert list(tmp_path.iterdir()) == []
