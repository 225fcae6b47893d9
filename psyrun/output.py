"""Own what rows print: it goes to a log, and its last lines are remembered."""

import contextlib
import io
import os
import sys
from collections import deque
from typing import TextIO

_TAIL_LINES = 20


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

    def fileno(self) -> int:
        """Return the file descriptor that children should write to."""
        return 1

    def write(self, text: str) -> int:
        """Write text; a log that cannot be written is no reason for a row to fail."""
        with contextlib.suppress(OSError):
            self.target.write(text)
        if "\n" not in text:
            self._line += text
            return len(text)
        *whole, self._line = (self._line + text).split("\n")
        self.lines.extend(whole)
        return len(text)

    def last_lines(self) -> list[str]:
        """Return the last lines, the unfinished one too."""
        return [*self.lines, self._line] if self._line else list(self.lines)

    def flush(self) -> None:
        """Hand what was written to the system."""
        with contextlib.suppress(OSError):
            self.target.flush()
