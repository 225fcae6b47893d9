"""Own what a worker says: to its log, and to whoever waits for it."""

import os
import sys
from contextlib import suppress

_MOST_WORDS = 4000


def say(message: str, lifeline: int | None = None) -> None:
    """Print to the log; what ends the worker, also to whoever waits for it."""
    with suppress(OSError):
        print(message, file=sys.stderr, flush=True)
    if lifeline is not None:
        with suppress(OSError):  # not more than fits, since it is read only at the end
            os.write(lifeline, f"{message[:_MOST_WORDS]}\n".encode(errors="replace"))
