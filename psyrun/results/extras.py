"""Own the libraries that are not always installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from psyrun.exceptions import ExtraError

__all__ = ["need"]


def need(module: str, what: str) -> Any:
    """Import a library of the extra ``frames``, which gives all of them at once.

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
        message = f"{what} needs {module} ({err}); install it: python -m pip install {module}"
        raise ExtraError(message) from err
