"""Own how messages look: errors and warnings on standard error, colour on a terminal only."""

import errno
import os
from typing import TypeGuard

import click

from psyrun.exceptions import PsyrunError

_FAILING = (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EPIPE)


def show_error(message: str) -> None:
    """Print an error."""
    _show("ERROR", "red", message)


def show_warning(message: str) -> None:
    """Print a warning."""
    _show("WARNING", "yellow", message)


def show_note(message: str) -> None:
    """Print what is neither a result nor a complaint."""
    click.echo(message, err=True)


def _show(kind: str, colour: str, message: str) -> None:
    click.echo(f"{coloured(kind, colour)} {message}", err=True)


def coloured(word: str, colour: str) -> str:
    """Colour a word unless NO_COLOR is set; what prints it drops that outside a terminal."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return word if plain else click.style(word, fg=colour)


def is_of_output(err: BaseException) -> TypeGuard[OSError]:
    """Tell whether it is standard output that fails: then nothing more can be told."""
    full = isinstance(err, OSError) and err.errno in _FAILING and err.filename is None
    return full and not isinstance(err, PsyrunError)


def describe(err: BaseException) -> str:
    """Put an exception in words: Psyrun's own as they are, others with their type."""
    if isinstance(err, PsyrunError):
        return str(err)
    if is_of_output(err):
        return f"cannot write to standard output: {err.strerror}"
    return f"{type(err).__name__}: {err} (psy --debug shows where)"
