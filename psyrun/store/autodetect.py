"""Own the store that goes by a file's extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from psyrun.store.base import Reader, Store
from psyrun.store.known import store_for

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["AutodetectStore"]


class AutodetectStore(Store):
    """Read and write each file by the store that its extension asks for."""

    ext: ClassVar[str] = ""

    @staticmethod
    def get_concrete_store(filename: str | os.PathLike[str]) -> Store:
        """Make the store that a file's extension asks for.

        Parameters
        ----------
        filename : path
            A file, or its extension alone, with the dot.

        Raises
        ------
        StoreError
            If no store is known for it.
        """
        return store_for(filename)

    def save(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Write columns into a file; see `Store.save`."""
        store_for(filename).save(filename, data)

    def load(self, filename: str | os.PathLike[str], row: int | None = None) -> dict[str, Any]:
        """Read columns; see `Store.load`."""
        return store_for(filename).load(filename, row)

    def append(self, filename: str | os.PathLike[str], data: Mapping[str, Any]) -> None:
        """Add rows to a file; see `Store.append`."""
        store_for(filename).append(filename, data)

    def open(self, filename: str | os.PathLike[str], *, caching: bool = True) -> Reader:
        """Open a file to read parts of it; see `Store.open`."""
        return store_for(filename).open(filename, caching=caching)

    def holds_result(self, filename: str | os.PathLike[str]) -> bool:
        """Tell whether a file looks like a result of its format; see `Store.holds_result`."""
        return store_for(filename).holds_result(filename)
