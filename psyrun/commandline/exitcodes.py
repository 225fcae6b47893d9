"""Own what the exit code of `psy` says."""

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """What the exit code of `psy` says, and in words: its `meaning`."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a code with its meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "done, submitted, or nothing to do"
    FAILED = (
        1,
        "rows or jobs failed, or a task was held by another process, refused or unusable",
    )
    USAGE = 2, "the command line was wrong"
    INTERRUPTED = 130, "interrupted by Ctrl-C"
    TERMINATED = 143, "ended by SIGTERM"
