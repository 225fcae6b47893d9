"""Own that the disk takes a large file while it is still being written."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from psyrun.files import sync

_WORTH_IT_BYTES = 16 << 20
_PAUSE_SECONDS = 0.01


@contextlib.contextmanager
def hastened(path: Path, size: int) -> Iterator[None]:
    """Have the disk take a file while it is written, so that little is to wait for at the end.

    Parameters
    ----------
    path : Path
        The file, which may come into being meanwhile.
    size : int
        About how many bytes it will have. A small one is left alone.

    Raises
    ------
    OSError
        If the disk did not take it. The system tells that once, so it must not get lost here.
    """
    if size < _WORTH_IT_BYTES:
        yield
        return
    from concurrent.futures import ThreadPoolExecutor

    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pushed = pool.submit(_push, path, done)
        try:
            yield
        finally:
            done.set()
        pushed.result()


def _push(path: Path, done: threading.Event) -> None:
    """Wait for the disk time and again."""
    while not done.wait(_PAUSE_SECONDS):
        with contextlib.suppress(FileNotFoundError):
            sync(path)
