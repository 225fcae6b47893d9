"""Own the age of joblib's workers, which stay between calls and keep what they imported."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from functools import cache
from pathlib import Path
from typing import NamedTuple

from psyrun.filedigests import Stamp
from psyrun.loading import is_local

__all__ = ["end_outdated_workers"]


class _Surroundings(NamedTuple):
    """What a worker that starts now takes over from the calling process.

    Attributes
    ----------
    folder : Path
        The current folder.
    path : tuple of str
        Where imports are looked up.
    files : frozenset
        Those of the local modules: path and stamp.
    """

    folder: Path
    path: tuple[str, ...]
    files: frozenset[tuple[str, Stamp]]

    @classmethod
    def now(cls) -> _Surroundings:
        """Look at them."""
        folder = Path.cwd()
        stamps = set()
        for module in [*sys.modules.values()]:  # a list: other threads may import
            file = getattr(module, "__dict__", {}).get("__file__")
            if isinstance(file, str) and _is_local(file.rpartition(os.sep)[0], folder):
                with contextlib.suppress(OSError):
                    stamps.add((file, Stamp.of(Path(file).stat())))
        return cls(folder, tuple(sys.path), frozenset(stamps))


@cache
def _is_local(place: str, folder: Path) -> bool:
    return is_local(Path(place), folder)


_lock = threading.Lock()
_known: _Surroundings | None = None


def end_outdated_workers() -> None:
    """End the workers of ``loky`` unless all is as it was at the last call.

    Workers take over the current folder and ``sys.path`` when they start, and import a module
    once. After a change of one of these, or of a local module, they would not find what the
    function needs, or use old code of it. New ones start with the next work.

    All that uses ``loky`` in a process shares its workers. While they are at work for another
    thread they stay.
    """
    global _known  # noqa: PLW0603 - the workers are one for a process, too
    from joblib.externals.loky import get_reusable_executor

    with _lock:
        now = _Surroundings.now()
        if now == _known:
            return
        executor = get_reusable_executor(reuse=True)
        if not executor._pending_work_items:  # noqa: SLF001 - nothing public tells it
            executor.shutdown(wait=True)
            _known = now
