"""Own work that is done beside the main thread, one piece after the other."""

import queue
import threading
from collections.abc import Callable

_MOST_WAITING = 64
"""If the disk does not keep up, who gives it more to do waits."""


class Aside:
    """Does what it is given in a thread of its own, in that order.

    Parameters
    ----------
    failed : callable
        Told of exceptions; the next piece has its turn nevertheless.
    """

    def __init__(self, failed: Callable[[Exception], object]) -> None:
        self._failed = failed
        self._waiting: queue.Queue[Callable[[], object] | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None

    def do(self, action: Callable[[], object]) -> None:
        """Do something soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._waiting.put(action)

    def _work(self) -> None:
        while (action := self._waiting.get()) is not None:
            try:
                action()
            except Exception as err:  # noqa: BLE001 - whoever gave it is elsewhere by now
                self._failed(err)

    def wait(self) -> None:
        """Wait until all is done."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
