"""Own the interface of result files; know nothing of any format, nor of tasks."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sized
from typing import Any, ClassVar, Protocol

from psyrun.exceptions import StoreError


class Column(Sized, Iterable[Any], Protocol):
    """A column to write: its values in order, possibly made one by one."""


class Store(ABC):
    """A file format for results.

    Attributes
    ----------
    ext : str
        The file name extension, with its dot.
    streams : bool
        Whether `save` takes columns that are made while they are read (`Column`). Where it
        does not, it is given lists.
    atomic : bool
        Whether `save` itself lets a file appear whole, by writing beside it and renaming.
    """

    ext: ClassVar[str] = ""
    streams: ClassVar[bool] = False
    atomic: ClassVar[bool] = False

    @abstractmethod
    def save(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Write columns into a file, and replace what is there.

        Parameters
        ----------
        filename : path
            The file.
        data : dict
            Columns by name, all of the same length.

        Raises
        ------
        StoreError
            If a value cannot be held; the message names the column.
        """

    @abstractmethod
    def load(self, filename: str | os.PathLike[str], row: int | None = None) -> dict[str, Any]:
        """Read columns.

        Parameters
        ----------
        filename : path
            The file.
        row : int, optional
            Read only this row; columns then have one value each. None reads all rows.

        Raises
        ------
        StoreError
            If the file is no result of this format.
        """

    @abstractmethod
    def append(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Add rows to a file; where there is none, make it.

        Columns that only one side has are filled with NaN on the other.
        """

    def holds_result(self, filename: str | os.PathLike[str]) -> bool:
        """Tell whether a file looks like a result of this format, which may be replaced."""
        try:
            self.load(filename)
        except (StoreError, OSError):
            return False
        return True
