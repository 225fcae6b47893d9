"""Own how columns are kept in the fields of a table of PyTables, and read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from psyrun.store.arrays import narrowed
from psyrun.store.forms import OBJECT, Form, UnholdableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import tables
    from numpy.typing import NDArray

__all__ = ["Field", "check_table_form", "field_dtype", "field_of"]

WIDEST = 4096
"""Texts and bytes of more bytes than this are refused: each row is as wide as the longest."""

NODE = "psyrun_node"
"""The attribute of a file that names the group of its columns."""

_TEXT = "text"
_INT64 = np.dtype(np.int64)


def field_dtype(form: Form) -> np.dtype[Any]:
    """Choose the element type of a table's field for a form.

    Raises
    ------
    UnholdableError
        If a table has none; the message says which other layout has.
    """
    kind = form.dtype.kind
    if form.odd:
        raise UnholdableError("bytes that end in NUL; layout='columns' can")
    if kind in "US":
        if form.size > WIDEST:
            raise UnholdableError(
                f"texts or bytes of up to {form.size:,} bytes, where a row of a table has "
                f"place for {WIDEST:,}; layout='columns' can"
            )
        return np.dtype(("S", max(form.size, 1)))
    if kind in "mM":
        return _INT64
    if kind not in "biufc":
        raise UnholdableError(f"values of {form.dtype}; layout='columns' may")
    return form.array_dtype.newbyteorder("=")


def check_table_form(form: Form) -> None:
    """Make sure that a table holds arrays of a form.

    Raises
    ------
    UnholdableError
        If it does not.
    """
    import tables

    dtype = field_dtype(form)
    try:
        tables.Col.from_dtype(np.dtype((dtype, form.shape)) if all(form.shape) else dtype)
    except (TypeError, ValueError) as err:
        raise UnholdableError(f"an array of {dtype}") from err


@dataclass(frozen=True)
class Field:
    """Where a column is in a table.

    Attributes
    ----------
    name : str
        The column's true name.
    field : str or None
        The field's name; None if rows have no elements, so that there is no field.
    form : Form
        What the arrays are like.
    units : str
        The unit; '' if none is known.
    """

    name: str
    field: str | None
    form: Form
    units: str = ""

    @property
    def note(self) -> dict[str, Any]:
        """What the field does not tell by itself."""
        note: dict[str, Any] = {}
        kind = self.form.dtype.kind
        if self.name != self.field:
            note["name"] = self.name
        if kind in "UmM":
            note["dtype"] = _TEXT if kind == "U" else self.form.dtype.str[1:]
        if self.field is None:
            shape = list(self.form.shape)
            note |= {"dtype": note.get("dtype", field_dtype(self.form).str), "shape": shape}
        if self.units:
            note["units"] = self.units
        return note

    def to_field(self, block: NDArray[Any]) -> NDArray[Any]:
        """Convert rows of the column for the field."""
        if self.form.dtype.kind == "U":
            encoded = np.char.encode(block.astype(np.str_), "utf-8")
            return narrowed(encoded, field_dtype(self.form))
        if self.form.dtype.kind in "mM":
            return block.view(_INT64)
        dtype = field_dtype(self.form)
        if dtype.kind == "S":
            return narrowed(block, dtype)
        return block.astype(dtype, copy=False)

    def from_field(self, block: NDArray[Any]) -> NDArray[Any]:
        """Convert rows of the field to what the column's form says."""
        dtype = self.form.array_dtype
        if self.form.dtype.kind == "U":
            texts = np.char.decode(block, "utf-8")
            return texts.astype(object) if dtype == OBJECT else texts
        block = np.ascontiguousarray(block)
        return block.view(dtype) if dtype.kind in "mM" else block.astype(dtype, copy=False)


def field_of(table: tables.Table, field: str | None, note: Mapping[str, Any]) -> Field:
    """Tell what a column is like that a field holds, going by its type and its note."""
    kind = note.get("dtype")
    if field is None:
        base, shape = np.dtype("S1" if kind == _TEXT else kind), tuple(note["shape"])
    else:
        base, shape = table.dtype[field].base, table.dtype[field].shape
    size = base.itemsize if base.kind == "S" else 0
    dtype = np.dtype(("U", size)) if kind == _TEXT else np.dtype(kind or base)
    form = Form(dtype.newbyteorder("="), shape, size=size)
    return Field(note.get("name", field), field, form, note.get("units", ""))
