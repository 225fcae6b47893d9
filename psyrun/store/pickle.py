"""Own results as one plain pickle: a dict of lists that any Python can read."""

import os
import pickle
import pickletools
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from psyrun.columns import concat
from psyrun.exceptions import StoreError
from psyrun.files import replacing
from psyrun.store.base import Column, Store


class PickleStore(Store):
    """Keep results as a pickled dict of lists.

    Any value that can be pickled is held. The file is read with `pickle.load`; that needs
    Psyrun only if a value is an object of Psyrun's.

    Parameters
    ----------
    protocol : int, optional
        The version of the pickle format.

    Notes
    -----
    A column that is made while it is read is written piece by piece, so the memory needed does
    not grow with the number of rows as long as values are numbers.
    """

    ext: ClassVar[str] = ".pkl"
    streams: ClassVar[bool] = True
    atomic: ClassVar[bool] = True

    def __init__(self, protocol: int = 5) -> None:
        self.protocol = protocol

    def save(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Write columns into a file; see `Store.save`."""
        with replacing(Path(filename)) as temporary, temporary.open("wb") as file:
            streamed = {name: _streamed(column) for name, column in data.items()}
            try:
                pickle.dump(streamed, file, protocol=self.protocol)
            except (pickle.PicklingError, TypeError, AttributeError) as err:
                raise StoreError(f"{self._culprit(data)} ({err})") from err

    def _culprit(self, data: Mapping[str, Any]) -> str:
        for name, column in data.items():
            try:
                pickle.dumps(list(column), protocol=self.protocol)
            except (pickle.PicklingError, TypeError, AttributeError):
                return f"column {name!r} holds a value that cannot be pickled"
        return "the columns cannot be pickled"

    def load(self, filename: str | os.PathLike[str], row: int | None = None) -> dict[str, Any]:
        """Read columns; see `Store.load`."""
        try:
            with Path(filename).open("rb") as file:
                data = pickle.load(file)
        except OSError:
            raise
        except (ImportError, AttributeError) as err:
            raise StoreError(
                f"{filename} holds values of a class that cannot be imported ({err})"
            ) from err
        except Exception as err:  # damage, and users' classes, may raise anything here
            cause = f"{type(err).__name__}: {err}"
            raise StoreError(f"{filename} is no whole pickle ({cause})") from err
        if not isinstance(data, dict) or not all(isinstance(c, list) for c in data.values()):
            raise StoreError(f"{filename} is a pickle, but not of columns: no result of Psyrun")
        if len(set(map(len, data.values()))) > 1:
            lengths = ", ".join(f"{name} has {len(column)}" for name, column in data.items())
            raise StoreError(
                f"the columns of {filename} differ in length ({lengths}): no result of Psyrun"
            )
        return data if row is None else {name: [column[row]] for name, column in data.items()}

    def append(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Add rows to a file; see `Store.append`.

        A pickle cannot grow, so the whole file is written again.
        """
        new = {name: list(column) for name, column in data.items()}
        if Path(filename).exists():
            old = self.load(filename)
            new = concat([(_rows(old), old), (_rows(new), new)])
        self.save(filename, new)

    def holds_result(self, filename: str | os.PathLike[str]) -> bool:
        """Tell whether a file starts as a pickled dict of lists, without unpickling it."""
        try:
            with Path(filename).open("rb") as file:
                opcodes = (
                    (opcode.name, argument)
                    for opcode, argument, _ in pickletools.genops(file)
                    if opcode.name not in _BOOKKEEPING
                )
                return _starts_as_columns(list(islice(opcodes, 6)))
        except (OSError, ValueError):
            return False


_BOOKKEEPING = frozenset({"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "MARK"})


def _starts_as_columns(opcodes: list[tuple[str, Any]]) -> bool:
    """Look at how a pickle starts: a dict, a text, and a list, however that is written."""
    names = [name for name, _ in opcodes]
    if names[:1] not in (["EMPTY_DICT"], ["DICT"]):
        return False
    if names[1:2] == ["STOP"]:
        return True
    if len(names) < 3 or "UNICODE" not in names[1]:
        return False
    made = [argument for _, argument in opcodes[2:5]]
    return names[2] in {"EMPTY_LIST", "LIST"} or made[:2] == ["builtins", "list"]


def _rows(columns: Mapping[str, list[Any]]) -> int:
    return max(map(len, columns.values()), default=0)


def _streamed(column: Column) -> Any:
    """Return what the pickler writes as a list of its own; a list is copied, which is quick."""
    return column.copy() if type(column) is list else _Streamed(column)


class _Streamed:
    """Stand for a column in the pickler; what is written is a plain list."""

    def __init__(self, column: Column) -> None:
        self.column = column

    def __reduce__(self) -> tuple[type[list[Any]], tuple[()], None, Iterator[Any]]:
        return list, (), None, iter(self.column)
