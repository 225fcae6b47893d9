"""Own how a row's failure is told as plain data, and what counts as a result at all."""

import os
import pickle
import re
import reprlib
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from psyrun import machine
from psyrun.exceptions import RowError, StoreError, TaskError
from psyrun.loading import is_local
from psyrun.locks import now
from psyrun.store.base import Store
from psyrun.words import kind_of

_PACKAGE = Path(__file__).parent
_CALL = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)
_ADDRESS = re.compile(r"x[0-9a-f]{6,}")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")


def as_mapping(result: Any, execute: Callable[..., Any]) -> dict[str, Any]:
    """Take what a task's function returned, if it is a mapping.

    Raises
    ------
    RowError
        If it is not; the message names the function and what it returned.
    """
    if isinstance(result, Mapping):
        return dict(result)
    raise RowError(f"{getattr(execute, '__name__', 'execute')}() {_no_mapping(result)}")


def _no_mapping(result: Any) -> str:
    """Say what a function did that should have returned a mapping."""
    kind, example = type(result).__name__, "{'result': value}"
    if kind in {"coroutine", "async_generator"}:
        if kind == "coroutine":
            result.close()  # else Python warns that nobody awaited it
        return "is async, and Psyrun does not await it: write def, not async def"
    if kind == "generator":
        return f"yields; return a dict instead, such as {example}"
    shown, advice = f"{reprlib.repr(result)} ({kind})", ""
    if result is None:
        shown, advice = "None", "; is its `return` missing?"
    elif "\n" in shown or _ADDRESS.search(shown):
        shown = kind_of(result)
    if hasattr(result, "keys") and hasattr(result, "__getitem__"):
        advice = f": return dict({kind.lower()})"
    return f"returned {shown}, but a mapping such as {example} is needed{advice}"


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


def row_check(
    store: Store, exclude: Collection[str]
) -> Callable[[Mapping[str, Any]], None] | None:
    """Return what makes sure that a store holds a row's results; None if it holds anything.

    Results that are left out of the result need not be held.
    """
    if type(store).check is Store.check:
        return None
    names = frozenset(exclude)

    def check(row: Mapping[str, Any]) -> None:
        if names:
            row = {name: value for name, value in row.items() if name not in names}
        try:
            store.check(row)
        except StoreError as err:
            raise RowError(str(err)) from None

    return check


def unpicklable(result: Any, err: BaseException) -> BaseException:
    """Name the key of a result that cannot be pickled."""
    if isinstance(err, RowError | MemoryError) or not isinstance(result, dict):
        return err
    for key, value in result.items():
        try:
            pickle.dumps(value, 5)
        except MemoryError as cause:
            return cause
        except Exception as cause:  # noqa: BLE001 - any class may refuse in its own way
            return RowError(
                f"result {key!r} ({type(value).__name__}) cannot be pickled, so it cannot be "
                f"kept: {cause}"
            )
    return err


def describe_error(err: BaseException) -> dict[str, Any]:
    """Turn an exception into plain data."""
    told = err
    if isinstance(err, TaskError):  # its message tells the cause, which tells where
        told = err.__cause__ or err
    # where Psyrun refuses what it is given, no line of code is to blame
    refused = isinstance(told, RowError | TaskError)
    trace = None if refused else _beyond_psyrun(told.__traceback__)
    report = traceback.TracebackException(type(told), told, trace)
    if told is not err:
        _leave_out_psyrun(report)
    name = type(err).__name__
    module = type(err).__module__
    return {
        "type": name if module in {"builtins", "psyrun.exceptions"} else f"{module}.{name}",
        "message": _message(err),
        "place": _place(told),
        "traceback": "".join(report.format()),
        "host": machine.host(),
        "process": os.getpid(),
        "when": now(),
    }


def _beyond_psyrun(trace: TracebackType | None) -> TracebackType | None:
    """Skip the frames of Psyrun that lead to the user's code, if some do."""
    inner = trace
    while inner and Path(inner.tb_frame.f_code.co_filename).is_relative_to(_PACKAGE):
        inner = inner.tb_next
    return inner or trace


def _leave_out_psyrun(report: traceback.TracebackException | None) -> None:
    """Leave out the frames by which Psyrun and Python run a module and what it imports."""
    while report is not None:
        report.stack[:] = [
            frame
            for frame in report.stack
            if not frame.filename.startswith("<frozen importlib")
            and not Path(frame.filename).is_relative_to(_PACKAGE)
        ]
        report = report.__cause__ or report.__context__


def describe_death(
    cause: str, crash_report: str = "", kind: str = "ProcessDied"
) -> dict[str, Any]:
    """Turn what is known of the end of a row's process into plain data.

    Parameters
    ----------
    cause : str
        What happened, for the message.
    crash_report : str
        What Python's fault handler wrote, if anything.
    kind : str
        What stands in the place of an exception's type.

    Notes
    -----
    The report's form is that of `faulthandler`: threads are parted by empty lines, the most
    recent call comes first, characters beyond ASCII are escaped. Of the threads, the one is
    shown that ran the user's own code, from its first such call on.
    """
    error = {"type": kind, "message": cause, "host": machine.host(), "when": now()}
    for thread in crash_report.split("\n\n"):
        calls = _CALL.findall(_ESCAPE.sub(_unescaped, thread))
        own = [
            depth
            for depth, (file, *_) in enumerate(calls)
            if not file.startswith("<") and is_local(Path(file))
        ]
        if own:
            shown = [
                f'  File "{f}", line {n}, in {name}\n' for f, n, name in calls[: own[-1] + 1]
            ]
            head = "Traceback (most recent call last):\n"
            error["traceback"] = "".join([head, *reversed(shown)])
            error["place"] = "{}:{}".format(*calls[own[0]])
    return error


def _unescaped(found: "re.Match[str]") -> str:
    return chr(int(found[found.lastindex or 0], 16))


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
