"""Own random and quasi-random columns for `Param`; make no spaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from psyrun.exceptions import ParameterSpaceError
from psyrun.pspace.base import length

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["draw_latin_hypercube", "draw_random", "draw_sobol"]

_KINDS = (
    "give a frozen scipy.stats distribution, a tuple (low, high) for uniform floats, "
    "or a list, range or array to choose from"
)


def draw_random(
    n: int, seed: int, distributions: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """Draw `n` values from each distribution, each name from its own stream."""
    _check(n, seed, distributions)
    if not n:
        return dict.fromkeys(distributions, ())
    return {
        name: tuple(_sample(name, distribution, n, _stream(seed, name)))
        for name, distribution in distributions.items()
    }


def draw_sobol(
    n: int, seed: int, distributions: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """Draw the first `n` points of a scrambled Sobol sequence."""

    def points(qmc: Any, dimensions: int) -> Any:
        engine = qmc.Sobol(dimensions, scramble=True, seed=seed)
        # a whole power of two at once: SciPy warns of any other number
        return engine.random_base2(math.ceil(math.log2(n)))[:n]

    return _quasi_random(n, seed, distributions, points)


def draw_latin_hypercube(
    n: int, seed: int, distributions: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """Draw a Latin hypercube of `n` points."""

    def points(qmc: Any, dimensions: int) -> Any:
        return qmc.LatinHypercube(dimensions, seed=seed).random(n)

    return _quasi_random(n, seed, distributions, points)


def _quasi_random(
    n: int,
    seed: int,
    distributions: Mapping[str, Any],
    points: Callable[[Any, int], Any],
) -> dict[str, tuple[Any, ...]]:
    _check(n, seed, distributions)
    for name, distribution in distributions.items():
        if hasattr(distribution, "rvs") and not hasattr(distribution, "ppf"):
            raise ParameterSpaceError(
                f"parameter {name!r}: {distribution!r} has no `ppf` (inverse of the cumulative "
                "distribution), without which only Param.random can draw from it"
            )
    if not n or not distributions:
        return dict.fromkeys(distributions, ())
    try:
        from scipy.stats import qmc
    except ImportError as error:
        raise ParameterSpaceError(
            "quasi-random spaces need SciPy; install it by: python -m pip install scipy"
        ) from error
    drawn = points(qmc, len(distributions))
    return {
        name: tuple(_quantiles(name, distribution, drawn[:, place]))
        for place, (name, distribution) in enumerate(distributions.items())
    }


def _sample(name: str, distribution: Any, n: int, stream: np.random.Generator) -> list[Any]:
    if not hasattr(distribution, "rvs"):
        return _quantiles(name, distribution, stream.random(n))
    try:
        values = distribution.rvs(size=n, random_state=stream)
    except (TypeError, ValueError) as error:
        raise ParameterSpaceError(
            f"parameter {name!r}: {distribution!r} cannot be drawn from ({error}); {_KINDS}"
        ) from error
    return _plain(name, values, n)


def _quantiles(name: str, distribution: Any, shares: NDArray[np.float64]) -> list[Any]:
    """Map numbers from 0 to 1 to values of a distribution."""
    if hasattr(distribution, "ppf"):
        values = _plain(name, distribution.ppf(shares), len(shares))
        return list(map(int, values)) if hasattr(distribution, "pmf") else values
    if _is_interval(distribution):
        low, high = map(float, distribution)
        return cast("list[Any]", (low + shares * (high - low)).tolist())
    size = length(distribution)
    return [distribution[min(int(share * size), size - 1)] for share in shares.tolist()]


def _plain(name: str, values: Any, n: int) -> list[Any]:
    import numpy as np

    drawn = np.asarray(values)
    if drawn.shape[:1] != (n,):
        raise ParameterSpaceError(
            f"parameter {name!r}: its distribution gave {drawn.shape} values instead of ({n},)"
        )
    return cast("list[Any]", drawn.tolist())


def _stream(seed: int, name: str) -> np.random.Generator:
    from hashlib import blake2b

    import numpy as np

    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "little")])


def _check(n: int, seed: int, distributions: Mapping[str, Any]) -> None:
    for title, number in (("the number of assignments", n), ("the seed", seed)):
        if not hasattr(number, "__index__") or number < 0:
            raise ParameterSpaceError(
                f"{title} is {number!r}, but must be an int of at least 0"
            )
    for name, distribution in distributions.items():
        fault = _fault(distribution)
        if fault:
            raise ParameterSpaceError(f"parameter {name!r}: {fault}; {_KINDS}")


def _fault(distribution: Any) -> str | None:
    """Say why this is no distribution, or None."""
    if hasattr(distribution, "rvs") or hasattr(distribution, "ppf"):
        return None
    if _is_interval(distribution):
        low, high = distribution
        try:
            fine = -math.inf < low <= high < math.inf
        except TypeError:
            fine = False
        return None if fine else f"{distribution!r} is no pair of numbers (low, high)"
    listed = isinstance(distribution, Sequence) or getattr(distribution, "ndim", 0) > 0
    if not listed or isinstance(distribution, str | bytes | bytearray):
        return f"{distribution!r} is no distribution"
    return None if length(distribution) else "there is nothing to choose from"


def _is_interval(distribution: Any) -> bool:
    return isinstance(distribution, tuple) and len(distribution) == 2
