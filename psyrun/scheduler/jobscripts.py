"""Own submissions and their job scripts, as far as all schedulers have the same; pure."""

import os
import re
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psyrun.scheduler import options

_PLAIN = re.compile(r"[^A-Za-z0-9._-]")
_INDEX = "%a"
_LONGEST = 200
_DEAF = "trap '' USR1 USR2"
"""What lets a warning of the scheduler pass that comes before the job can listen.

Until then it would end the shell, or Python as it starts. What is ignored stays so after exec,
until the job installs handlers of its own.
"""


@dataclass(frozen=True)
class Request:
    """One submission.

    Attributes
    ----------
    args : sequence of str
        The command and its arguments; in an array, `%a` stands for the index.
    output : str
        Where the job's output goes; likewise.
    name : str
        The job's name.
    size : int or None
        How many jobs the array has; None for a job that is none of an array.
    depends_on : sequence of str
        Ids of the jobs that have to end before.
    asked : dict
        What is asked of the scheduler: `scheduler_args`.
    """

    args: Sequence[str]
    output: str
    name: str
    size: int | None = None
    depends_on: Sequence[str] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def script(self) -> Path:
        """Where the job script is kept: beside the job's output."""
        output = Path(self.output)
        return output.with_name(output.name.replace(_INDEX, "array")).with_suffix(".sh")


def plain_name(name: str) -> str:
    """Make a job's name that every scheduler takes; PBS takes 230 characters.

    Examples
    --------
    >>> plain_name("a task: 1"), plain_name("1st")
    ('a_task__1', 'j1st')
    """
    plain = _PLAIN.sub("_", name)
    plain = plain if plain[:1].isalpha() else f"j{plain}"
    if len(plain) <= _LONGEST:
        return plain
    digest = f"_{zlib.crc32(os.fsencode(name)):08x}"
    return plain[: _LONGEST - len(digest)] + digest


def script(
    header: Iterable[str],
    request: Request,
    index: str,
    *,
    redirect: bool,
    before: Iterable[str] = (),
) -> str:
    """Put a job script together.

    Parameters
    ----------
    header : iterable of str
        Lines for the scheduler.
    request : Request
        The submission.
    index : str
        The shell's expression for the index in an array, from 0.
    redirect : bool
        Whether the script itself has to see to where the output goes.
    before : iterable of str
        Lines of shell before everything else.
    """
    lines = ["#!/bin/bash", *header, _DEAF, *before]
    if request.size is not None:
        lines.append(f"index={index}")
    if redirect:
        lines.append(f"exec >>{with_index(request.output, request)} 2>&1")
    setup = request.asked.get("setup")
    if callable(setup):
        setup = options.called("setup", setup, request.name)
    if not options.is_nothing(setup):  # rows in the wrong environment would be wrong rows
        lines += ["set -e", *options.lines("setup", setup)]
    words = " ".join(with_index(arg, request) for arg in request.args)
    return "\n".join([*lines, f"exec {words}", ""])


def with_index(text: str, request: Request) -> str:
    """Quote a text for the shell; in an array, `%a` is the index."""
    if request.size is None:
        return shlex.quote(text)
    parts = [shlex.quote(part) if part else "" for part in text.split(_INDEX)]
    return '"$index"'.join(parts) or "''"
