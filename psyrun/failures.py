"""Own how a row's failure is told as plain data, and what counts as a result at all."""

import os
import pickle
import reprlib
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from psyrun import machine
from psyrun.code import is_local
from psyrun.exceptions import RowError
from psyrun.locks import now


def as_mapping(result: Any, execute: Callable[..., Any]) -> dict[str, Any]:
    """Take what a task's function returned, if it is a mapping.

    Raises
    ------
    RowError
        If it is not; the message names the function and what it returned.
    """
    if isinstance(result, Mapping):
        return dict(result)
    name = getattr(execute, "__name__", "execute")
    raise RowError(
        f"{name}() returned {reprlib.repr(result)} ({type(result).__name__}), "
        "but a mapping such as {'result': value} is needed"
    )


def checked_names(result: Mapping[Any, Any]) -> list[str]:
    """Return a result's names, which are texts.

    Raises
    ------
    RowError
        If one is not; the message shows it.
    """
    for name in result:
        if not isinstance(name, str):
            raise RowError(
                f"the result has the key {reprlib.repr(name)} ({type(name).__name__}), but "
                "names of columns are texts"
            )
    return list(result)


def check_comes_back(payload: bytes) -> None:
    """Make sure that a pickled result can be read back.

    Raises
    ------
    RowError
        If it cannot.
    """
    try:
        pickle.loads(payload)
    except Exception as err:
        raise RowError(
            f"the result can be pickled, but not read back ({type(err).__name__}: {err}), "
            "so it cannot be kept"
        ) from err


def unpicklable(result: Any, err: BaseException) -> BaseException:
    """Name the key of a result that cannot be pickled."""
    if isinstance(err, RowError) or not isinstance(result, dict):
        return err
    for key, value in result.items():
        try:
            pickle.dumps(value, 5)
        except Exception as cause:  # noqa: BLE001 - any class may refuse in its own way
            return RowError(
                f"result {key!r} ({type(value).__name__}) cannot be pickled, so it cannot be "
                f"kept: {cause}"
            )
    return err


def describe_error(err: BaseException) -> dict[str, Any]:
    """Turn an exception into plain data."""
    inner = err.__traceback__.tb_next if err.__traceback__ else None
    lines = traceback.format_exception(type(err), err, inner or err.__traceback__)
    name = type(err).__name__
    module = type(err).__module__
    return {
        "type": name if module in {"builtins", "psyrun.exceptions"} else f"{module}.{name}",
        "message": _message(err),
        "place": _place(err),
        "traceback": "".join(lines),
        "host": machine.host(),
        "process": os.getpid(),
        "when": now(),
    }


def _message(err: BaseException) -> str:
    try:
        return str(err)
    except Exception as cause:  # noqa: BLE001 - a user's class may raise anything
        return f"(its message cannot be shown: {type(cause).__name__})"


def _place(err: BaseException) -> str:
    """Name the innermost line of the user's own code that an error came through."""
    frames = traceback.extract_tb(err.__traceback__)
    own = [frame for frame in frames if is_local(Path(frame.filename))]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def describe_assignment(assignment: Mapping[str, Any]) -> dict[str, str]:
    """Turn an assignment into short texts."""
    return {name: reprlib.repr(value) for name, value in assignment.items()}
