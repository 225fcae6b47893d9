"""Own `Param`, the space that is given by its columns; know no other space."""

# ruff: noqa: D102 - the base class documents what each space does

from __future__ import annotations

import reprlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from psyrun.exceptions import ArgumentError, ParameterSpaceError
from psyrun.pspace.base import ParameterSpace, length

if TYPE_CHECKING:
    from typing import Never, Self

    from psyrun.columns import Columns

__all__ = ["Constant", "Param", "Part"]

Part: TypeAlias = Any
"""A column: a `range`, a `tuple`, an array, a `Constant`, or another sequence."""

_REPR = reprlib.Repr()
_REPR.maxtuple = _REPR.maxlist = _REPR.maxdict = _REPR.maxset = 4
_REPR.maxother = 40


class Constant(NamedTuple):
    """A column that holds one value over and over.

    Attributes
    ----------
    value : object
        The value.
    size : int
        How often it stands there.
    """

    value: Any
    size: int


class Param(ParameterSpace):
    """A parameter space given by its columns.

    Parameters
    ----------
    **columns
        Sequences, arrays, generators and other iterables of equal length are zipped to rows (a
        generator is read once, a 2-d array is a column of rows). Scalars, strings, bytes,
        mappings, sets and 0-d arrays are replicated.

    Attributes
    ----------
    parts : dict of str to sequence
        The columns: a `range`, a `tuple`, a read-only array, a `Constant`, or whatever
        `from_parts` got.

    Raises
    ------
    ParameterSpaceError
        If the lengths differ, or a column is a table of pandas (``Param(**frame)`` takes its
        columns).
    ArgumentError
        If values stand without a name.

    Examples
    --------
    >>> Param(a=[1, 2, 3], b="x").build()
    {'a': [1, 2, 3], 'b': ['x', 'x', 'x']}
    >>> len(Param(a=1, b=2)), len(Param())
    (1, 0)
    >>> Param(a=[1, 2], b=[1, 2, 3])
    Traceback (most recent call last):
        ...
    psyrun.exceptions.ParameterSpaceError: columns differ in length: a has 2, b has 3 values
    """

    parts: dict[str, Part]

    def __init__(self, /, *unnamed: Never, **columns: Any) -> None:
        if unnamed:
            raise ArgumentError(_how_to_name(unnamed[0]))
        for name, values in columns.items():
            if _is_table(values):
                raise ParameterSpaceError(
                    f"{name} is a DataFrame, which has columns of its own: Param(**frame) "
                    "makes a parameter of each"
                )
        parts = {name: _part(values) for name, values in columns.items()}
        sizes = {
            name: length(part) for name, part in parts.items() if not isinstance(part, Constant)
        }
        if len(set(sizes.values())) > 1:
            lengths = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise ParameterSpaceError(f"columns differ in length: {lengths} values")
        self._size = next(iter(sizes.values()), min(1, len(parts)))
        self.parts = {
            name: part._replace(size=self._size) if isinstance(part, Constant) else part
            for name, part in parts.items()
        }

    @classmethod
    def from_parts(cls, parts: Mapping[str, Part], size: int) -> Self:
        """Make a space from columns that are ready, without looking at their values.

        Parameters
        ----------
        parts : mapping of str to sequence
            Columns of length `size`. ``column[a:b]`` is a sequence that ``list`` turns into
            values, ``column[i]`` a value. They are not copied: nobody may change them.
        size : int
            Number of rows.

        Returns
        -------
        Param
            The space.

        Raises
        ------
        ParameterSpaceError
            If there are rows, but no column.

        Examples
        --------
        >>> Param.from_parts({"a": (1, 2), "b": Constant(3, 2)}, 2)[1]
        {'a': 2, 'b': 3}
        """
        if size and not parts:
            raise ParameterSpaceError(f"{size} rows without any parameter")
        space = cls()
        space.parts = dict(parts)
        space._size = size
        return space

    @classmethod
    def random(cls, n: int, /, *, seed: int, **distributions: Any) -> Self:
        """Draw random assignments; each parameter has a stream of its own.

        Adding a parameter never changes the values of the others.

        Parameters
        ----------
        n : int
            Number of assignments.
        seed : int
            Seed, not negative; the same seed gives the same values.
        **distributions
            A frozen `scipy.stats` distribution (anything with ``rvs``); a tuple ``(low, high)``
            for uniform floats (for integers give a `range` or a list); or a sequence, of which
            one object is chosen for each row (a list of two is a choice too).

        Returns
        -------
        Param
            The assignments.

        Raises
        ------
        ParameterSpaceError
            If a distribution is none; names the parameter.

        Examples
        --------
        >>> space = Param.random(3, seed=1, x=(0, 1), kernel=["rbf", "poly"])
        >>> len(space), space == Param.random(3, seed=1, x=(0, 1), kernel=["rbf", "poly"])
        (3, True)
        """
        from psyrun.pspace.sampling import draw_random

        return cls.from_parts(draw_random(n, seed, distributions), n if distributions else 0)

    @classmethod
    def sobol(cls, n: int, /, *, seed: int, **distributions: Any) -> Self:
        """Draw the first points of a scrambled Sobol sequence, which fills space evenly.

        Parameters
        ----------
        n : int
            Number of assignments; powers of two are the most even.
        seed : int
            Seed of the scrambling, not negative.
        **distributions
            As for `random`, where a `scipy.stats` distribution needs the method ``ppf``.

        Returns
        -------
        Param
            The assignments.

        Raises
        ------
        ParameterSpaceError
            If a distribution is none (names the parameter), or if SciPy is not installed.
        """
        from psyrun.pspace.sampling import draw_sobol

        return cls.from_parts(draw_sobol(n, seed, distributions), n if distributions else 0)

    @classmethod
    def latin_hypercube(cls, n: int, /, *, seed: int, **distributions: Any) -> Self:
        """Draw a Latin hypercube: each of n equal slices of each parameter is met once.

        Parameters
        ----------
        n : int
            Number of assignments.
        seed : int
            Seed, not negative.
        **distributions
            As for `sobol`.

        Returns
        -------
        Param
            The assignments.

        Raises
        ------
        ParameterSpaceError
            If a distribution is none (names the parameter), or if SciPy is not installed.
        """
        from psyrun.pspace.sampling import draw_latin_hypercube

        parts = draw_latin_hypercube(n, seed, distributions)
        return cls.from_parts(parts, n if distributions else 0)

    @property
    def size(self) -> int:
        return self._size

    def keys(self) -> list[str]:
        return list(self.parts)

    def block(self, start: int, stop: int) -> Columns:
        return {name: _cut(part, start, stop) for name, part in self.parts.items()}

    def take(self, indices: Sequence[int]) -> Columns:
        return {name: _pick(part, indices) for name, part in self.parts.items()}

    def is_alike(self, other: ParameterSpace) -> bool:
        if self is other:
            return True
        if not isinstance(other, Param) or self.parts.keys() != other.parts.keys():
            return False
        return self._size == other.size and all(
            _same_part(part, other.parts[name]) for name, part in self.parts.items()
        )

    def __repr__(self) -> str:
        shown = {name: _shown(part) for name, part in self.parts.items()}
        if all(map(str.isidentifier, shown)):
            return f"Param({', '.join(f'{name}={part}' for name, part in shown.items())})"
        return f"Param(**{{{', '.join(f'{name!r}: {part}' for name, part in shown.items())}}})"


def _how_to_name(values: Any) -> str:
    """Say what somebody should write who gave values without a name."""
    if isinstance(values, ParameterSpace):
        return "the first argument is a parameter space already; combine spaces by *, + and -"
    if _is_table(values):
        return "the columns of a table are the parameters: Param(**frame)"
    shown = "..." if hasattr(values, "dtype") else _REPR.repr(values)
    if isinstance(values, Mapping):
        return f"the parameters are keywords: Param(**{shown})"
    return f"name the parameter: Param(x={shown})"


def _is_table(values: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(values, pandas.DataFrame)


def _part(values: Any) -> Part:
    if isinstance(values, range):
        return values
    if isinstance(values, str | bytes | bytearray | Mapping | set | frozenset):
        return Constant(values, 1)
    if _is_array(values) and values.ndim > 0:
        copy = values.copy()
        copy.flags.writeable = False
        return copy
    try:
        iterator = iter(values)
    except TypeError:
        return Constant(values[()] if _is_array(values) else values, 1)
    return tuple(iterator)


def _is_array(values: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(values) is numpy.ndarray


def _cut(part: Part, start: int, stop: int) -> list[Any]:
    if isinstance(part, Constant):
        return [part.value] * (stop - start)
    block = part[start:stop]
    if hasattr(part, "ndim") and part.ndim > 1:
        block = block.copy()  # rows of an array, which a function may change
    return list(block)


def _pick(part: Part, indices: Sequence[int]) -> list[Any]:
    if isinstance(part, Constant):
        return [part.value] * len(indices)
    if _is_array(part):
        return list(part[list(indices)]) if len(indices) else []
    return list(map(part.__getitem__, indices))


def _same_part(one: Part, other: Part) -> bool:
    """Whether two columns are the same at a glance (ranges, one object, one constant)."""
    if isinstance(one, Constant) and isinstance(other, Constant):
        from psyrun.pspace.keys import value_key

        return bool(value_key(one.value) == value_key(other.value))
    if isinstance(one, range) and isinstance(other, range):
        return one == other
    if one is other:
        return True
    if any(isinstance(part, range | Constant) for part in (one, other)):
        return False
    from psyrun.pspace.matching import same_values

    return same_values(one, other)


def _shown(part: Part) -> str:
    if isinstance(part, Constant):
        return _REPR.repr(part.value)
    if hasattr(part, "dtype"):
        return f"<{'x'.join(map(str, part.shape))} {part.dtype}>"
    return _REPR.repr(list(part[:5]) if isinstance(part, tuple) else part)
