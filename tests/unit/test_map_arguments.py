"""What a map cannot be called with is told with what to write, before anything is evaluated."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from psyrun import Param, map_pspace, map_pspace_hdd_backed, map_pspace_parallel
from psyrun.exceptions import ArgumentError

SPACE = Param(a=[1, 2, 3])


def fn(a: int) -> dict[str, int]:
    return {"y": a}


def backed(fn: Any, space: Any, **options: Any) -> Any:
    return map_pspace_hdd_backed(fn, space, "result.pkl", **options)


MAPS = pytest.mark.parametrize("mapped", [map_pspace, map_pspace_parallel, backed])


@MAPS
@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({"a": [1, 2]}, r"the parameter space is a dict; build one: Param\(\*\*that_dict\)"),
        ([1, 2], r"the parameter space is a list; build one: Param\(a=\[1, 2\]\)"),
        (None, r"the parameter space is None; build one: Param\(a=\[1, 2\]\)"),
        (Param, r"the parameter space is the class Param; build one: Param\(a=\[1, 2\]\)"),
    ],
)
def test_what_is_no_space_is_told(mapped: Callable[..., Any], space: Any, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        mapped(fn, space)


@MAPS
def test_a_space_in_the_place_of_the_function_is_told(mapped: Callable[..., Any]) -> None:
    name = "map_pspace_hdd_backed" if mapped is backed else mapped.__name__
    with pytest.raises(TypeError, match=rf"is a function; write {name}\(function, space"):
        mapped(SPACE, fn)


@MAPS
def test_what_is_no_function_is_told(mapped: Callable[..., Any]) -> None:
    with pytest.raises(ArgumentError, match="the function to evaluate is None"):
        mapped(None, SPACE)


@MAPS
@pytest.mark.parametrize("exclude", [SPACE, 3, [["a"]]])
def test_names_to_leave_out_that_are_none_are_told(
    mapped: Callable[..., Any], exclude: Any
) -> None:
    with pytest.raises(ArgumentError, match=r"a list of names, such as exclude=\['a'\]"):
        mapped(fn, SPACE, exclude=exclude)


@pytest.mark.parametrize("filename", [".", "..", "", None, 3])
def test_a_filename_that_names_no_file_is_told(filename: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^filename is .*such as 'result\.pkl'"):
        map_pspace_hdd_backed(fn, SPACE, filename)


def test_a_store_by_name_is_told() -> None:
    with pytest.raises(ArgumentError, match="store is 'h5', but should be a store"):
        backed(fn, SPACE, store="h5")


@pytest.mark.parametrize("pool_size", ["2", 0, -1, 1.5, None, 1_000_000])
def test_a_size_of_a_pool_that_is_none_is_told(pool_size: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^pool_size is .*a whole number from 1"):
        backed(fn, SPACE, pool_size=pool_size)


@pytest.mark.parametrize("n_jobs", ["2", 0, 2.5, 1_000_000])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_number_of_jobs_that_is_none_is_told(n_jobs: Any, backend: str) -> None:
    with pytest.raises(ValueError, match=r"^n_jobs is .*a whole number from 1.*or -1 for all"):
        map_pspace_parallel(fn, SPACE, n_jobs, backend)


@pytest.mark.parametrize("n_jobs", [None, -100, True, 1.0])
def test_what_joblib_takes_as_a_number_of_jobs_is_taken(n_jobs: Any) -> None:
    columns = map_pspace_parallel(fn, SPACE, n_jobs, "threading")
    assert columns == map_pspace(fn, SPACE)


def test_a_wrong_call_leaves_no_files(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError):
        map_pspace_hdd_backed(fn, SPACE, tmp_path / "r.pkl", pool_size=0)
    assert list(tmp_path.iterdir()) == []
