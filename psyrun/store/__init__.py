"""Result files: the interface and the formats that Psyrun brings."""

from pathlib import Path

from psyrun.exceptions import StoreError
from psyrun.store.base import Store
from psyrun.store.pickle import PickleStore

__all__ = ["DefaultStore", "PickleStore", "Store", "store_for"]

DefaultStore = PickleStore
"""The store of a task that names none."""

ENTRY_POINTS = "psyrun.stores"
"""The group under which other packages add formats; an entry point's name is `.ext`."""

_OWN = {store.ext: store for store in (PickleStore,)}


def store_for(filename: str | Path) -> Store:
    """Make the store that a file's extension asks for.

    Raises
    ------
    StoreError
        If no store is known for the extension.
    """
    ext = Path(filename).suffix.lower()
    if ext in _OWN:
        return _OWN[ext]()
    from importlib import metadata

    found = {entry.name: entry for entry in metadata.entry_points(group=ENTRY_POINTS)}
    if ext in found:
        store = found[ext].load()
        return store() if isinstance(store, type) else store  # type: ignore[no-any-return]
    known = ", ".join(sorted({*_OWN, *found}))
    raise StoreError(f"no store is known for {str(filename)!r}; known extensions: {known}")
