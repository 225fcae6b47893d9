"""Note what a process and its children do to files; Python imports this by its name.

A folder with this module on PYTHONPATH, PSYRUN_TRACE naming a log and PSYRUN_TRACED the folder
that is watched: see `tests.tracing.trace`. Each operation is a line of its own, so that those
of a process that is killed count too.
"""

import atexit
import os
import sys
import threading
from pathlib import Path
from typing import Any

_ROOT = os.environ.get("PSYRUN_TRACED", "/nowhere")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EVENTS = {"open", "os.scandir", "os.listdir", "os.rename", "os.remove", "subprocess.Popen"}
_put, _put_pieces, _wait_for_disk = os.write, os.writev, os.fsync
_put_at, _put_pieces_at = os.pwrite, os.pwritev
_here = threading.local()
_calls = [0]


class _Log:
    """Where the lines go."""

    fd = -1

    def note(self, verb: str, amount: int = 1, path: str = "") -> None:
        _put(self.fd, f"{verb}\t{amount}\t{path}\n".encode())

    def note_at(self, verb: str, path: Any, amount: int = 1) -> None:
        """Note an operation on a path, if that is watched."""
        if isinstance(path, str | bytes | os.PathLike):
            whole = str(Path.cwd() / os.fsdecode(path))
            if whole.startswith(_ROOT):
                self.note(verb, amount, whole)


_log = _Log()


def _look(event: str, given: tuple[Any, ...]) -> None:
    match event:
        case "open":
            _log.note_at("write" if given[2] & _WRITING else "read", given[0])
        case "os.scandir" | "os.listdir" if not isinstance(given[0], int):
            folder = given[0] or "."
            _log.note_at("list", folder, 1 + sum(1 for _ in Path(folder).iterdir()))
        case "os.rename":
            file = Path(given[0])
            _log.note_at("rename", given[1], file.stat().st_size if file.is_file() else 0)
        case "os.remove":
            _log.note_at("remove", given[0])
        case "subprocess.Popen":
            _log.note("command", 1, Path(os.fsdecode(given[1][0])).name)


def _hook(event: str, given: tuple[Any, ...]) -> None:
    if event in _EVENTS and not getattr(_here, "noting", False):
        _here.noting = True
        try:
            _look(event, given)
        except OSError:  # gone, or not there yet
            pass
        finally:
            _here.noting = False


def _write(file: int, data: Any) -> int:
    _log.note("append", written := _put(file, data))
    return written


def _writev(file: int, pieces: Any) -> int:
    _log.note("append", written := _put_pieces(file, pieces))
    return written


def _pwrite(file: int, data: Any, position: int) -> int:
    _log.note("append", written := _put_at(file, data, position))
    return written


def _pwritev(file: int, pieces: Any, position: int, flags: int = 0) -> int:
    _log.note("append", written := _put_pieces_at(file, pieces, position, flags))
    return written


def _fsync(fd: Any) -> None:
    _log.note("fsync")
    _wait_for_disk(fd)


def _count(_: Any, event: str, __: Any) -> None:
    if event in {"call", "c_call"}:
        _calls[0] += 1


def _install(log: str) -> None:
    _log.fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write, os.writev, os.fsync = _write, _writev, _fsync
    os.pwrite, os.pwritev = _pwrite, _pwritev
    sys.addaudithook(_hook)
    if os.environ.pop("PSYRUN_TRACE_CALLS", None):  # of this process, not of its children
        atexit.register(lambda: _log.note("calls", _calls[0]))
        threading.setprofile(_count)
        sys.setprofile(_count)


if "PSYRUN_TRACE" in os.environ:
    _install(os.environ["PSYRUN_TRACE"])
