"""How tests wait: until something holds, and not for ever."""

import time
from collections.abc import Callable

WAIT_SECONDS = 60


def until(
    condition: Callable[[], object], what: str = "it", seconds: float = WAIT_SECONDS
) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)
