"""Own what an array must be like to hold a column: one element type, one shape for all rows.

The formats made of arrays stand on this; nothing here knows a format. Where rows differ in
shape, or lack a value, there are gaps. A NaN that is a float of its own is a gap too: it is
what stands where a row lacks a name.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from psyrun.store.alike import unlike

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Values: TypeAlias = Sequence[Any] | NDArray[Any]

__all__ = [
    "NOTHING",
    "NUMBERS",
    "TIMES",
    "Form",
    "Forms",
    "UnholdableError",
    "form_of",
    "form_of_row",
    "is_wide",
    "joined",
    "joined_of_files",
]

LONG = 256
"""Texts and bytes longer than this are kept as objects, not each as wide as the longest."""

FLOAT = np.dtype(float)
OBJECT = np.dtype(object)
_FILLS: dict[str, Any] = {"U": "", "S": b"", "M": "NaT", "m": "NaT", "O": None}
NUMBERS = "biufc"
TIMES = {dt.datetime: "M8[us]", dt.date: "M8[D]", dt.timedelta: "m8[us]"}


class UnholdableError(ValueError):
    """Values that no array can hold; the message says what is wrong with them."""


@dataclass(frozen=True)
class Form:
    """What an array must be like to hold the values of a column.

    Attributes
    ----------
    dtype : numpy.dtype
        The element type of the values there are; of texts as wide as the longest.
    shape : tuple of int
        The shape of one row's value: the largest along each axis.
    fills : bool
        Whether somewhere a filler has to stand.
    void : bool
        Whether there is nothing but gaps, so that the values of other rows decide the type.
    size : int
        The longest text in bytes of UTF-8, or the longest bytes.
    odd : bool
        Whether there are bytes that end in NUL, which fixed widths do not keep.
    wide : bool
        Whether there are integers that no float equals.
    unbounded : bool
        Whether texts or bytes may be longer than `size`, as nobody has looked.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...] = ()
    fills: bool = False
    void: bool = False
    size: int = 0
    odd: bool = False
    wide: bool = False
    unbounded: bool = False

    def __post_init__(self) -> None:
        if self.dtype == FLOAT and 0 in self.shape:  # where there is no value, none is a float
            object.__setattr__(self, "void", True)

    @property
    def array_dtype(self) -> np.dtype[Any]:
        """The element type of the array: as `dtype`, but with room for fillers.

        Raises
        ------
        UnholdableError
            If there are values that it cannot hold beside fillers.
        """
        if self.odd or (self.dtype.kind in "US" and self.size > LONG):
            return OBJECT
        if self.fills and self.dtype.kind in "biu":
            if self.wide:
                raise UnholdableError(
                    "integers beyond 2**53 among rows with gaps, which would make them floats"
                )
            return FLOAT
        if self.fills and self.dtype.kind == "V":
            raise UnholdableError("structured arrays among rows with gaps")
        return self.dtype

    @property
    def filler(self) -> Any:
        """What stands in the gaps."""
        return _FILLS.get(self.dtype.kind, np.nan)

    @property
    def row_bytes(self) -> int:
        """About how many bytes one row needs in memory."""
        each = self.size + 64 if self.array_dtype == OBJECT else self.array_dtype.itemsize
        return max(1, each * int(np.prod(self.shape, dtype=int)))


NOTHING = Form(FLOAT, fills=True, void=True)
"""The form of a gap: of a column that no row has."""


def form_of(values: Values, *, objects: bool = False) -> Form:
    """Find the form of the values of some rows.

    Parameters
    ----------
    values : sequence or array
        A value for each row; of an array, the first axis counts the rows.
    objects : bool
        Whether objects may be kept where nothing else holds the values.

    Raises
    ------
    UnholdableError
        If no array holds them.
    """
    try:
        found = _form_of(values)
        _ = found.array_dtype if objects else None
    except UnholdableError:
        if objects:
            return _form_of_objects(values)
        raise
    return found


def _form_of_objects(values: Values) -> Form:
    """Find the form of values that no other array holds: arrays of objects keep a shape."""
    if not all(isinstance(value, np.ndarray) and value.dtype == OBJECT for value in values):
        return Form(OBJECT)
    return joined({Form(OBJECT, value.shape) for value in values})


def _form_of(values: Values) -> Form:
    if isinstance(values, np.ma.MaskedArray):
        raise UnholdableError("a masked array")
    if isinstance(values, np.ndarray) and values.dtype != OBJECT:
        return replace(_form_of_array(values), shape=values.shape[1:])
    kinds = set(map(type, values))
    if len(kinds) == 1:
        return _form_of_kind(kinds.pop(), cast("Sequence[Any]", values))
    groups = ((kind, [v for v in values if type(v) is kind]) for kind in kinds)
    return joined(_form_of_kind(kind, group) for kind, group in groups)


def _form_of_kind(kind: type, values: Sequence[Any]) -> Form:
    """Find the form of values that are all of one type."""
    if kind in (float, np.float64) and all(v != v for v in values):  # noqa: PLR0124 - NaN
        return NOTHING
    if kind in TIMES:
        if any(getattr(value, "tzinfo", None) for value in values):
            raise UnholdableError("a datetime with a time zone")
        return Form(np.dtype(TIMES[kind]))
    if issubclass(kind, np.generic) and not issubclass(kind, (str, bytes)):
        if issubclass(kind, (np.datetime64, np.timedelta64)):  # of any unit each
            return joined({Form(value.dtype) for value in values})
        return replace(_form_of_array(np.array(values)), shape=())
    for base, find in _FINDERS.items():
        if issubclass(kind, base):
            return find(values)
    raise UnholdableError(f"a value of type {_named(kind)}")


def _named(kind: type) -> str:
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def form_of_row(value: Any) -> Form:
    """Find the form of one row's list, tuple or array."""
    if isinstance(value, np.ma.MaskedArray):
        raise UnholdableError("a masked array")
    if isinstance(value, np.ndarray) and value.dtype != OBJECT:
        return _form_of_array(value)
    if isinstance(value, np.ndarray) and not value.shape:
        return _form_of([value.item()])
    if not len(value):
        return Form(FLOAT, np.shape(value))
    inner = _form_of(list(value))
    gaps = inner.void and not inner.shape  # a list of nothing but NaN is no gap
    return replace(inner, shape=(len(value), *inner.shape), void=inner.void and not gaps)


def _form_of_array(array: NDArray[Any]) -> Form:
    """Find the form of one array, of which all axes belong to the value."""
    kind = array.dtype.kind
    if kind in "iu":
        return Form(array.dtype, array.shape, wide=bool(array.size and is_wide(array)))
    if kind == "U":
        try:
            size = max((len(text) for text in np.char.encode(array, "utf-8").flat), default=0)
        except UnicodeEncodeError as err:
            raise UnholdableError("a text that is no valid Unicode") from err
        return Form(array.dtype, array.shape, size=size)
    if kind == "S":
        return Form(array.dtype, array.shape, size=array.dtype.itemsize)
    if kind == "V" and array.dtype.hasobject:
        raise UnholdableError("a structured array with objects")
    if kind not in "bfcMmVU":
        raise UnholdableError(f"an array of {array.dtype}")
    return Form(array.dtype.newbyteorder("="), array.shape)


def is_wide(array: NDArray[Any]) -> bool:
    """Tell whether an array holds integers that no float equals."""
    exact = 2**53
    if -exact <= int(array.min()) and int(array.max()) <= exact:
        return False
    return any(int(float(v)) != v for v in array.ravel().tolist())


def _form_of_integers(values: Sequence[int]) -> Form:
    low, high = min(values), max(values)
    dtype: np.dtype[Any]
    if low >= -(2**63) and high < 2**63:
        dtype = np.dtype(np.int64)
    elif low >= 0 and high < 2**64:
        dtype = np.dtype(np.uint64)
    else:
        raise UnholdableError("integers beyond 64 bits")
    wide = max(-low, high) > 2**53 and any(int(float(v)) != v for v in values)
    return Form(dtype, wide=wide)


def _form_of_texts(values: Sequence[str]) -> Form:
    try:
        size = max(len(text.encode()) for text in values)
    except UnicodeEncodeError as err:
        raise UnholdableError("a text that is no valid Unicode") from err
    if any(text[-1:] == "\0" for text in values):
        raise UnholdableError("a text that ends in NUL")
    return Form(np.dtype(("U", max(1, *map(len, values)))), size=size)


def _form_of_bytes(values: Sequence[bytes]) -> Form:
    size = max(map(len, values))
    odd = any(value[-1:] == b"\0" for value in values)
    return Form(np.dtype(("S", max(size, 1))), size=size, odd=odd)


_FINDERS: dict[type, Callable[[Sequence[Any]], Form]] = {
    bool: lambda _: Form(np.dtype(bool)),
    int: _form_of_integers,
    float: lambda _: Form(FLOAT),
    complex: lambda _: Form(np.dtype(complex)),
    str: _form_of_texts,
    bytes: _form_of_bytes,
    np.ndarray: lambda values: joined({form_of_row(value) for value in unlike(values)}),
    list: lambda values: joined({form_of_row(value) for value in values}),
    tuple: lambda values: joined({form_of_row(value) for value in values}),
}
"""How to find the form of values of a type and its subclasses."""


def joined(forms: Iterable[Form]) -> Form:
    """Find the form that holds what each of some forms holds; without any, `NOTHING`.

    Raises
    ------
    UnholdableError
        If their values cannot stand in one array.
    """
    return functools.reduce(_joined, forms) if (forms := list(forms)) else NOTHING


def joined_of_files(forms: Sequence[Form], is_gaps: Callable[[int], bool]) -> Form:
    """Join forms of which those of files tell numbers, where there may be nothing but gaps.

    Parameters
    ----------
    forms : sequence of Form
        The forms.
    is_gaps : callable
        Reads the column with the k-th form, and tells whether all of it is NaN. It is asked
        only where that makes a difference.

    Raises
    ------
    UnholdableError
        If their values cannot stand in one array.
    """
    numbers = Form(FLOAT)  # single ones: what nothing but gaps looks like in a file
    if all(form.dtype.kind in "biu" and not form.shape for form in {*forms} - {numbers}):
        return joined(forms)
    return joined(
        NOTHING if form == numbers and is_gaps(number) else form
        for number, form in enumerate(forms)
    )


def _joined(one: Form, other: Form) -> Form:
    if one == other:
        return one
    if NOTHING in (one, other):  # what a row lacks has no shape
        return replace(other if one == NOTHING else one, fills=True)
    pairs = zip_longest(reversed(one.shape), reversed(other.shape), fillvalue=1)
    whole = any(form.dtype == OBJECT and not form.shape for form in (one, other))
    shape = () if whole else tuple(max(pair) for pair in pairs)[::-1]  # a row is one object
    gaps = one.fills or other.fills or one.shape != other.shape
    if one.void or other.void:
        return replace(other if one.void else one, shape=shape, fills=gaps)
    return Form(
        _common(one, other),
        shape,
        fills=gaps,
        size=max(one.size, other.size),
        odd=one.odd or other.odd,
        wide=one.wide or other.wide,
        unbounded=one.unbounded or other.unbounded,
    )


def _common(one: Form, other: Form) -> np.dtype[Any]:
    """Find the element type for the values of two forms."""
    kinds = one.dtype.kind + other.dtype.kind
    if one.dtype == other.dtype or OBJECT in (one.dtype, other.dtype):
        return one.dtype if one.dtype == other.dtype else OBJECT
    if set(kinds) <= set(NUMBERS):
        found = np.result_type(one.dtype, other.dtype)
        if found.kind in "fc" and (one.wide or other.wide):
            raise UnholdableError("integers beyond 2**53 together with other numbers")
        return found
    if kinds in {"UU", "SS", "MM", "mm"}:
        try:
            return np.result_type(one.dtype, other.dtype)
        except TypeError as err:
            raise UnholdableError(f"{one.dtype} and {other.dtype}") from err
    some, others = sorted((_words(one), _words(other)))
    raise UnholdableError(f"{some} in some rows and {others} in others")


def _words(form: Form) -> str:
    names = {"U": "texts", "S": "bytes", "M": "dates", "m": "time spans", "b": "booleans"}
    default = "numbers" if form.dtype.kind in NUMBERS else "structured values"
    return names.get(form.dtype.kind, default)


class Forms(Mapping[str, Form]):
    """The forms of columns, found block by block.

    Looking one up raises the `UnholdableError` that its values gave rise to.
    """

    def __init__(self) -> None:
        self._found: dict[str, Form | UnholdableError] = {}

    def add(self, name: str, values: Values) -> None:
        """Take the values of some more rows into account."""
        self.join(name, lambda: form_of(values))

    def join(self, name: str, find: Callable[[], Form]) -> None:
        """Take the form of some more rows into account, which may be none."""
        known = self._found.get(name)
        if isinstance(known, UnholdableError):
            return
        try:
            found = find()
            self._found[name] = found if known is None else joined([known, found])
        except UnholdableError as err:
            self._found[name] = err

    def __getitem__(self, name: str) -> Form:
        found = self._found[name]
        if isinstance(found, UnholdableError):
            raise found
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
