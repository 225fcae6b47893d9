"""Own that files get to the disk beside the work that writes them, many at a time.

While the disk takes one file, nobody can make another, so flushing each at once would hold up
the work as much as waiting for it.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from psyrun.files import Later

_PAUSE_SECONDS = 0.1
_MOST_WAITING = 64
"""If the disk does not keep up, who gives it more to do waits."""


class _Piece(NamedTuple):
    """Files, and what to do when they are on the disk."""

    files: Later
    then: Callable[[], object]


class Settler:
    """Flushes what it is given in a thread of its own, and does then what was asked.

    Parameters
    ----------
    failed : callable
        Told of exceptions; what was to be done after that is not done.
    """

    def __init__(self, failed: Callable[[Exception], object]) -> None:
        self._failed = failed
        self._waiting: queue.Queue[_Piece | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None

    def add(self, files: Later, then: Callable[[], object]) -> None:
        """Flush files soon, and do something then."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._waiting.put(_Piece(files, then))

    def _work(self) -> None:
        goes_on = True
        while goes_on:
            pieces, goes_on = self._gathered()
            try:
                Later(path for piece in pieces for path in piece.files.paths).settle()
            except Exception:  # noqa: BLE001 - which of them it was is found below
                self._settle_each(pieces)
            else:
                self._settle_each(piece._replace(files=Later()) for piece in pieces)

    def _settle_each(self, pieces: Iterable[_Piece]) -> None:
        for files, then in pieces:
            try:
                files.settle()
                then()
            except Exception as err:  # noqa: BLE001 - whoever gave it is elsewhere by now
                self._failed(err)

    def _gathered(self) -> tuple[list[_Piece], bool]:
        """Wait for pieces, and a little for more of them; tell whether there may be others."""
        pieces: list[_Piece] = []
        end = None
        while len(pieces) < _MOST_WAITING:
            try:
                left = None if end is None else max(end - time.monotonic(), 0)
                piece = self._waiting.get(timeout=left)
            except queue.Empty:
                break
            if piece is None:
                return pieces, False
            pieces.append(piece)
            end = end or time.monotonic() + _PAUSE_SECONDS
        return pieces, True

    def wait(self) -> None:
        """Wait until all is done."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
