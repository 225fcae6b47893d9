"""Own the libraries that are not always installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from psyrun.exceptions import ExtraError

__all__ = ["INSTALL", "need"]

INSTALL = "pip install 'psyrun[frames]'"


def need(module: str, what: str) -> Any:
    """Import a library that comes with ``psyrun[frames]``.

    Parameters
    ----------
    module : str
        Its name.
    what : str
        What needs it, for the message.

    Raises
    ------
    ExtraError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as err:
        raise ExtraError(f"{what} needs {module} ({err}); install it: {INSTALL}") from err
