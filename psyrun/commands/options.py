"""Own what was said before a command."""

from pathlib import Path
from typing import NamedTuple


class Options(NamedTuple):
    """What was said before the command.

    Attributes
    ----------
    taskdir : Path
        The folder with the task files.
    debug : bool
        Whether errors show their traceback.
    command : tuple of str
        The whole command, to note it.
    began : float or None
        When it was called by a process that does other things too, by `time.monotonic`.
    """

    taskdir: Path
    debug: bool
    command: tuple[str, ...] = ()
    began: float | None = None
