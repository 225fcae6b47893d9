"""Own which store belongs to which file extension, those of other packages too."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from psyrun.exceptions import StoreError

if TYPE_CHECKING:
    import os
    from importlib.metadata import EntryPoint

    from psyrun.store.base import Store

__all__ = ["ENTRY_POINTS", "class_named", "extensions", "is_misnamed", "store_for"]

ENTRY_POINTS = "psyrun.stores"
"""The group under which other packages add formats; an entry point's name is `.ext`."""

_OWN = {
    ".pkl": "pickle:PickleStore",
    ".npz": "npz:NpzStore",
    ".h5": "h5:H5Store",
    ".hdf5": "h5:H5Store",
}


def class_named(text: object) -> str | None:
    """Find the class of Psyrun that somebody means who wrote a text in a store's place.

    Examples
    --------
    >>> class_named("h5"), class_named("PickleStore"), class_named(".csv")
    ('H5Store', 'PickleStore', None)
    """
    wanted = str(text).lower().removeprefix(".").removesuffix("store")
    for ext, place in _OWN.items():
        module, _, name = place.partition(":")
        if wanted in {ext[1:], module}:
            return name
    return None


_OTHERS = {".csv", ".json", ".mat", ".nc", ".parquet", ".txt", ".xlsx", ".zarr"}
"""Extensions that tell other programs of a format that no store of Psyrun has."""


def is_misnamed(store: Store, filename: str | os.PathLike[str]) -> bool:
    """Tell whether a file has the extension of another format than the one of a store."""
    ext = Path(filename).suffix.lower()
    if ext in _OTHERS:
        return ext != store.ext
    return ext in _OWN and ext != store.ext and _OWN[ext] != _OWN.get(store.ext)


def store_for(filename: str | os.PathLike[str], *, trusted: bool = False) -> Store:
    """Make the store that a file's extension asks for.

    Parameters
    ----------
    filename : path
        A file, or its extension alone, with the dot.
    trusted : bool
        Whether pickled objects may be loaded from a format that else refuses them: the file
        is known to be as Psyrun wrote it.

    Raises
    ------
    StoreError
        If no store is known for the extension.
    """
    name = Path(filename).name
    ext = (Path(filename).suffix or (name if name.startswith(".") else "")).lower()
    if ext in _OWN:
        module, _, kind = _OWN[ext].partition(":")
        made = getattr(import_module(f"psyrun.store.{module}"), kind)
        return made(allow_pickle=True) if trusted and ext == ".npz" else made()  # type: ignore[no-any-return]
    found = _of_packages()
    if ext in found:
        store = found[ext].load()
        return store() if isinstance(store, type) else store  # type: ignore[no-any-return]
    raise StoreError(
        f"no store is known for {str(filename)!r}; known extensions: {', '.join(extensions())} "
        f"(a package adds its own by the entry point group {ENTRY_POINTS})"
    )


def extensions() -> list[str]:
    """List the extensions of files that can be read and written."""
    return sorted({*_OWN, *_of_packages()})


def _of_packages() -> dict[str, EntryPoint]:
    from importlib import metadata

    return {entry.name: entry for entry in metadata.entry_points(group=ENTRY_POINTS)}
