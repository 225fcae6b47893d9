"""Own what a condition comes to on a block of rows; reads no files.

Integers are compared as 64 bit integers, floats as doubles, times in the finer of two units. As
in Python, a NaN is unequal to everything, and neither smaller nor larger than anything. Texts
are compared by code points.
"""

from __future__ import annotations

import operator
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.exceptions import StoreError
from psyrun.store.forms import OBJECT, Form, UnholdableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from psyrun.store.query import Node, Query

__all__ = ["as_time", "checked_forms", "comparable", "compare", "constant", "holds"]

_KINDS = {
    "b": "condition",
    "i": "number",
    "u": "number",
    "f": "number",
    "c": "complex number",
    "U": "text",
    "S": "bytes",
    "O": "bytes",
    "M": "date",
    "m": "time span",
}
_REAL = frozenset({"condition", "number"})
_NUMBERS = _REAL | {"complex number"}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.remainder,
    "**": np.float_power,
}
_INT64 = 2.0**63
_OF_COMPLEX = frozenset({"abs", "real", "imag", "isnan", "isfinite", "isinf", "sqrt", "exp"})
_SPAN = re.compile(r"\s*([-+]?\d+)\s*(Y|M|W|D|h|m|s|ms|us|ns)\s*")


def checked_forms(query: Query, form: Callable[[str], Form]) -> dict[str, Form]:
    """Find the forms of a condition's columns, and make sure that it makes sense for them.

    Parameters
    ----------
    query : Query
        The condition.
    form : callable
        Finds a column's form, such as `Reader.form`.

    Raises
    ------
    StoreError
        If a column has no single values, or what is compared or computed cannot be.
    """
    forms = {}
    for name in query.names:
        try:
            forms[name] = form(name)
            dtype = forms[name].array_dtype
        except UnholdableError as err:
            raise StoreError(f"no condition can stand on {name!r}: it has {err}") from err
        if forms[name].shape:
            raise StoreError(
                f"no condition can stand on {name!r}: a row has an array of shape "
                f"{forms[name].shape} there, not a single value"
            )
        if forms[name].dtype.kind not in _KINDS or forms[name].dtype == OBJECT:
            raise StoreError(f"no condition can stand on {name!r}: it holds {dtype}")
    holds(query, {n: comparable(np.empty(0, f.dtype), f) for n, f in forms.items()}, 0)
    return forms


def comparable(values: Sequence[Any] | NDArray[Any], form: Form) -> NDArray[Any]:
    """Make an array that conditions are evaluated on.

    Parameters
    ----------
    values : sequence or array
        Some rows of a column.
    form : Form
        The column's form, of single values.

    Returns
    -------
    array of shape (rows,)
        Of booleans, 64 bit integers, doubles, longer floats, texts, bytes as objects, or times.
    """
    from psyrun.store.arrays import to_array

    array = to_array(values, form)
    kind = form.dtype.kind
    if kind == "U":
        return array.astype(np.str_, copy=False)
    if kind == "S":
        return array.astype(object)
    if array.dtype.kind in "iufc":
        wide = {"i": np.int64, "u": np.uint64, "f": np.float64, "c": np.complex128}
        if array.dtype.itemsize < np.dtype(wide[array.dtype.kind]).itemsize:
            return array.astype(wide[array.dtype.kind])
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def holds(query: Query, columns: Mapping[str, NDArray[Any]], rows: int) -> NDArray[np.bool_]:
    """Tell of each row whether a condition holds.

    Parameters
    ----------
    query : Query
        The condition.
    columns : dict
        For each column of the condition an array as `comparable` makes it.
    rows : int
        Number of rows.

    Returns
    -------
    array of shape (rows,)
        Booleans.

    Raises
    ------
    StoreError
        If values are compared or computed that cannot be.
    """
    with np.errstate(all="ignore"):
        found = _Evaluation(query, columns).condition(query.root)
    return np.broadcast_to(found, (rows,))


def _exact(what: str, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Add, subtract or multiply; integers that would not fit into 64 bits become floats."""
    work = _ARITHMETIC[what]
    if not {left.dtype.kind, right.dtype.kind} <= {"i", "u"}:
        return np.asarray(work(left, right))
    rough = np.asarray(work(left.astype(np.float64), right.astype(np.float64)))
    small = all(np.can_cast(side.dtype, np.int64) for side in (left, right))
    if not small or (rough.size and np.abs(rough).max() >= _INT64):
        return rough
    return np.asarray(work(left.astype(np.int64), right.astype(np.int64)))


class _Evaluation:
    """Evaluate the nodes of a condition on a block of rows."""

    def __init__(self, query: Query, columns: Mapping[str, NDArray[Any]]) -> None:
        self.query, self.columns = query, columns

    def refusal(self, node: Node, what: str) -> StoreError:
        return StoreError(f"condition {self.query.expression!r}: {node.text!r}: {what}")

    def condition(self, node: Node) -> NDArray[np.bool_]:
        """Evaluate a node that has to be true or false."""
        found = self.value(node)
        if found.dtype != bool:
            raise self.refusal(
                node,
                f"a {_KINDS[found.dtype.kind]}, where something true or false has to stand, "
                "such as a comparison; put parentheses around comparisons beside & | ~",
            )
        return found

    def value(self, node: Node) -> NDArray[Any]:
        """Evaluate any node."""
        match node.kind:
            case "constant":
                return constant(node.what)
            case "column":
                return self.columns[node.what]
            case "and" | "or" | "not":
                return self._logic(node)
            case "compare":
                return self._compare(node)
            case "call":
                return self._call(node)
        return self._arithmetic(node)

    def _logic(self, node: Node) -> NDArray[np.bool_]:
        found = self.condition(node.parts[0])
        if node.kind == "not":
            return np.logical_not(found)
        join = np.logical_and if node.kind == "and" else np.logical_or
        for part in node.parts[1:]:
            found = join(found, self.condition(part))
        return found

    def _number(self, node: Node, kinds: frozenset[str]) -> NDArray[Any]:
        found = self.value(node)
        kind = _KINDS[found.dtype.kind]
        if kind not in kinds:
            raise self.refusal(node, f"a {kind}, where a number has to stand")
        return found.astype(np.int64) if found.dtype == bool else found

    def _arithmetic(self, node: Node) -> NDArray[Any]:
        parts = [self._number(part, _NUMBERS) for part in node.parts]
        if node.kind in {"negative", "positive"}:
            zero = np.zeros((), np.int64)
            return _exact("-", zero, parts[0]) if node.kind == "negative" else parts[0]
        left, right = parts
        if node.what in {"+", "-", "*"}:
            return _exact(node.what, left, right)
        if node.what in {"//", "%"}:
            if "c" in {left.dtype.kind, right.dtype.kind}:
                raise self.refusal(node, "complex numbers have no remainder")
            if np.any(right == 0):
                right = np.where(right == 0, np.nan, right)
        return np.asarray(_ARITHMETIC[node.what](left, right))

    def _compare(self, node: Node) -> NDArray[np.bool_]:
        one, other = node.parts
        left, right = self.value(one), self.value(other)
        try:
            left = as_time(left, one, right)
            right = as_time(right, other, left)
            return compare(node.what, left, right)
        except (TypeError, ValueError) as err:
            raise self.refusal(node, str(err)) from err

    def _call(self, node: Node) -> NDArray[Any]:
        if node.what == "where":
            chosen = self.condition(node.parts[0])
            one, other = (self.value(part) for part in node.parts[1:])
            kinds = {_KINDS[one.dtype.kind], _KINDS[other.dtype.kind]}
            if len(kinds) > 1 and not kinds <= _NUMBERS:
                raise self.refusal(
                    node, f"a {' or a '.join(sorted(kinds))}: two kinds of value"
                )
            return np.where(chosen, one, other)
        kinds_taken = _NUMBERS if node.what in _OF_COMPLEX else _REAL
        arguments = [self._number(part, kinds_taken) for part in node.parts]
        return np.asarray(getattr(np, node.what)(*arguments))


def constant(value: Any) -> NDArray[Any]:
    """Make an array of a constant, of the types that `comparable` makes."""
    return np.asarray(value, dtype=object if isinstance(value, bytes) else None)


def compare(sign: str, left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    """Compare two arrays, or an array and a constant.

    Raises
    ------
    TypeError
        If they are of kinds that cannot be compared.
    """
    one, other = _KINDS[left.dtype.kind], _KINDS[right.dtype.kind]
    if one != other and not {one, other} <= _NUMBERS:
        raise TypeError(f"a {one} is never compared with a {other}")
    if "complex number" in {one, other} and sign not in {"==", "!="}:
        raise TypeError("complex numbers have no order; compare abs(), real() or imag()")
    return np.asarray(_COMPARE[sign](left, right), dtype=bool)


def as_time(value: NDArray[Any], node: Node, other: NDArray[Any]) -> NDArray[Any]:
    """Read a constant text as a date or time span, where it is compared with one.

    Raises
    ------
    ValueError
        If it is none.
    """
    if node.kind != "constant" or value.dtype.kind != "U" or other.dtype.kind not in "mM":
        return value
    if other.dtype.kind == "m":
        found = _SPAN.fullmatch(node.what)
        if found is None:
            raise ValueError("a time span is a number and a unit, such as '5 s' or '3 D'")
        return np.array(found[1], f"m8[{found[2]}]")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy warns of time zones, which it drops
        try:
            return np.asarray(np.datetime64(node.what))
        except (ValueError, Warning) as err:
            raise ValueError(f"no date such as '2026-01-31T12:00' ({err})") from err
