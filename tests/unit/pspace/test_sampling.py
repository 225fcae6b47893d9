from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import stats

from psyrun.exceptions import ParameterSpaceError
from psyrun.pspace import Param

DRAWS = [Param.random, Param.sobol, Param.latin_hypercube]
every = pytest.mark.parametrize("draw", DRAWS)


@every
def test_draws_are_reproducible_from_their_seed(draw):
    distributions = {"a": stats.loguniform(1e-3, 1), "b": (0, 1), "c": ["x", "y"]}
    space = draw(10, seed=1, **distributions)
    assert space == draw(10, seed=1, **distributions)
    assert space != draw(10, seed=2, **distributions)
    assert space.size == 10
    assert space.keys() == ["a", "b", "c"]


def test_a_further_parameter_changes_no_other():
    one = Param.random(5, seed=3, a=(0, 1), c=stats.norm()).build()
    two = Param.random(5, seed=3, b=[1, 2], c=stats.norm(), a=(0, 1)).build()
    assert (one["a"], one["c"]) == (two["a"], two["c"])
    assert one["a"] != one["c"]


@every
def test_values_are_pythons_own(draw):
    columns = draw(20, seed=1, a=stats.norm(), b=stats.randint(3, 9), c=(1, 2)).build()
    assert set(map(type, columns["a"] + columns["c"])) == {float}
    assert set(map(type, columns["b"])) == {int}
    assert all(3 <= value < 9 for value in columns["b"])
    assert all(1 <= value < 2 for value in columns["c"])


@every
def test_a_sequence_is_a_choice_of_its_very_objects(draw):
    objects = [[1], {"k": 2}]
    column = draw(20, seed=1, a=objects, b=range(10**30), c=np.arange(3)).build()
    assert {id(value) for value in column["a"]} == set(map(id, objects))
    assert all(isinstance(value, int) for value in column["b"])
    assert set(column["c"]) == {0, 1, 2}


@every
def test_no_rows_and_no_parameters(draw):
    assert draw(0, seed=1, a=(0, 1)).build() == {"a": []}
    assert draw(3, seed=1).size == 0


@every
def test_one_row(draw):
    assert draw(1, seed=1, a=stats.norm(), b=[1]).size == 1


def test_latin_hypercube_meets_each_slice_once():
    values = Param.latin_hypercube(10, seed=1, a=(0, 10)).build()["a"]
    assert sorted(map(int, values)) == list(range(10))


def test_sobol_fills_halves_evenly_and_continues():
    values = Param.sobol(64, seed=1, a=(0, 1)).build()["a"]
    assert sum(value < 0.5 for value in values) == 32
    assert Param.sobol(33, seed=1, a=(0, 1)).build()["a"] == values[:33]


@every
@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (3, "3 is no distribution"),
        ("ab", "'ab' is no distribution"),
        ({"k": 1}, "is no distribution"),
        (("rbf", "poly"), "is no pair of numbers"),
        ((2, 1), r"\(2, 1\) is no pair of numbers"),
        ((0, float("inf")), "is no pair of numbers"),
        ([], "nothing to choose from"),
    ],
)
def test_a_bad_distribution_is_named(draw, bad, fault):
    with pytest.raises(ParameterSpaceError, match=f"parameter 'q': .*{fault}"):
        draw(3, seed=1, q=bad)


def test_a_distribution_without_its_arguments_is_named():
    with pytest.raises(ParameterSpaceError, match="parameter 'q'"):
        Param.random(3, seed=1, q=stats.beta)


@pytest.mark.parametrize("draw", DRAWS[1:])
def test_quasi_random_needs_quantiles(draw):
    class Sampler:
        def rvs(self, size, random_state):
            return random_state.random(size)

    with pytest.raises(ParameterSpaceError, match=r"parameter 'q': .* has no `ppf`"):
        draw(3, seed=1, q=Sampler())
    assert Param.random(3, seed=1, q=Sampler()).size == 3


@pytest.mark.parametrize("draw", DRAWS[1:])
def test_without_scipy_the_error_says_how_to_install_it(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ParameterSpaceError, match="pip install scipy"):
        draw(3, seed=1, a=(0, 1))


@every
@pytest.mark.parametrize(("n", "seed"), [(-1, 1), (2.5, 1), (3, -1), (3, None)])
def test_bad_counts_and_seeds(draw, n, seed):
    with pytest.raises(ParameterSpaceError, match="must be an int of at least 0"):
        draw(n, seed=seed, a=(0, 1))
    with pytest.raises(TypeError, match="seed"):
        draw(3, a=(0, 1))
