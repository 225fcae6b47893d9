"""Own what rows print: it goes to a log, and its last lines are remembered."""

import contextlib
import io
import os
import sys
from collections import deque
from typing import Any, TextIO

_TAIL_LINES = 20
_MOST_CHARACTERS = 1000


class Tail(io.TextIOBase):
    """Standard output that remembers its last lines.

    Parameters
    ----------
    target : text file
        Where the output goes.
    """

    def __init__(self, target: TextIO) -> None:
        self.target = target
        self.lines: deque[str] = deque(maxlen=_TAIL_LINES)
        self._line = ""

    def redirect(self, target: TextIO) -> None:
        """Send the output elsewhere from now on, that of compiled code and children too."""
        self.flush()
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)
        if self.target is not sys.__stdout__:
            self.target.close()
        self.target = target

    def writable(self) -> bool:
        """Say that this is a file to write to."""
        return True

    @property
    def buffer(self) -> Any:
        """Where bytes are written."""
        return self.target.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What texts are turned into bytes by."""
        return self.target.encoding

    def fileno(self) -> int:
        """Return the file descriptor that children should write to."""
        return 1

    def write(self, text: str) -> int:
        """Write text; a log that cannot be written is no reason for a row to fail."""
        with contextlib.suppress(OSError):
            self.target.write(text)
        *whole, line = (self._line + text).split("\n")
        self.lines.extend(map(_shown, whole))
        self._line = _shown(line)
        return len(text)

    def last_lines(self) -> list[str]:
        """Return the last lines, the unfinished one too."""
        return [*self.lines, self._line] if self._line else list(self.lines)

    def flush(self) -> None:
        """Hand what was written to the system."""
        with contextlib.suppress(OSError):
            self.target.flush()


def _shown(line: str) -> str:
    """Keep of a line what a terminal would show of it: progress bars write over themselves."""
    return line.rpartition("\r")[2][-_MOST_CHARACTERS:]
