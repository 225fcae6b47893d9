"""Own the options that stand before every command."""

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
    """

    taskdir: Path
    debug: bool
    command: tuple[str, ...] = ()
