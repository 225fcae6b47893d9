"""Own how files are written and read safely; know nothing of what is in them.

A file appears whole or not at all: it is written beside its place, flushed to the disk and
renamed. What a crash leaves behind starts with `TEMPORARY` and may be removed by anyone who
holds the task's lock.
"""

import contextlib
import glob
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

from psyrun import machine
from psyrun.exceptions import DamagedError, WorkdirError

TEMPORARY = ".tmp-"
"""Names of unfinished files and folders start so; their file extension is the final one."""

_BLOCK = 256 << 10
_WORTH_A_THREAD = 16 << 20
_MOST_THREADS = 4
_MOST_SYNCS = 8


@contextlib.contextmanager
def disk_errors(path: Path, verb: str = "write") -> Iterator[None]:
    """Turn an operating system error into one that names the path and what to do.

    Parameters
    ----------
    path : Path
        The file or folder at hand, for the message.
    verb : str
        What was tried, in the infinitive.

    Raises
    ------
    WorkdirError
        Whenever the block raises an `OSError`.
    """
    try:
        yield
    except WorkdirError:
        raise
    except OSError as err:
        cause = err.strerror or str(err)
        message = (
            f"cannot {verb} {path}: {cause}; what was written before stays, "
            "run the same command again when this is mended"
        )
        raise WorkdirError(message) from err


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Do as `disk_errors` where a file is read; `FileNotFoundError` passes as it is."""
    with disk_errors(path, "read"):
        gone = None
        try:
            yield
        except FileNotFoundError as err:
            gone = err
    if gone is not None:
        raise gone


def new_file(names: Iterable[Path]) -> Path:
    """Make an empty file under the first name that nothing has, and return its path.

    Raises
    ------
    WorkdirError
        If that cannot be written.
    """
    for path in names:
        with disk_errors(path):
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            return path
    raise FileExistsError("all names for the file are taken")


def sync(path: Path) -> None:
    """Wait until a file's (or a folder's list of names') bytes are on the disk."""
    if os.name == "nt":  # Windows flushes only what is open for writing, and no folders
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Later:
    """Files that were written and may not be on the disk yet.

    Parameters
    ----------
    paths : iterable of Path
        The files.
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self.paths = list(paths)

    def settle(self) -> None:
        """Wait until they are, and the lists of names of their folders; each once."""
        if len(self.paths) < _MOST_SYNCS:
            for path in self.paths:
                _sync_if_there(path)
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(_MOST_SYNCS) as pool:  # the disk takes several at once
                list(pool.map(_sync_if_there, self.paths))
        for folder in dict.fromkeys(path.parent for path in self.paths):
            _sync_if_there(folder)


def _sync_if_there(path: Path) -> None:
    with disk_errors(path), contextlib.suppress(FileNotFoundError):
        sync(path)


_later: ContextVar[Later | None] = ContextVar("later", default=None)


@contextlib.contextmanager
def flushed_later() -> Iterator[Later]:
    """Let `replacing` wait for nothing in a block; who asks for it waits by `settle`."""
    later = Later()
    token = _later.set(later)
    try:
        yield later
    finally:
        _later.reset(token)


@contextlib.contextmanager
def replacing(
    path: Path,
    *,
    settle: bool = True,
    flush: bool = True,
    meanwhile: Callable[[Path], object] | None = None,
) -> Iterator[Path]:
    """Hand out a temporary path, and put what is written there in the place of `path`.

    Parameters
    ----------
    path : Path
        Where the file will stand, complete, once the block ends without an error. The
        temporary path lies in the same folder and has the same file extension.
    settle : bool
        Whether to wait until the folder's list of names is on the disk too. Who writes
        several files into a folder may wait once, at the last.
    flush : bool
        Whether to wait until the file itself is on the disk; not needed for what means
        nothing after a power failure.
    meanwhile : callable, optional
        What to do with the temporary file while that is waited for.
    """
    temporary, later = unfinished(path), _later.get()
    flush = flush and later is None
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if meanwhile is not None and flush:
                _sync_and(meanwhile, temporary)
            elif meanwhile is not None:
                meanwhile(temporary)
            elif flush:
                sync(temporary)
            temporary.replace(path)
            if later is not None:
                later.paths.append(path)
            if settle and flush:
                sync(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _sync_and(action: Callable[[Path], object], path: Path) -> None:
    """Do something with a file while the disk takes it."""
    if path.stat().st_size < _WORTH_A_THREAD:
        sync(path)
        action(path)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(sync, path)
        action(path)
        synced.result()


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Do for a folder of files what `replacing` does for a file.

    A folder that already stands at `path` stays: folders made this way are named by a digest
    of what is in them.
    """
    temporary = unfinished(path)
    with disk_errors(path):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            for file in temporary.rglob("*"):
                sync(file)
            sync(temporary)
            if not path.exists():
                temporary.rename(path)
            sync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: Path, data: bytes, *, settle: bool = True, flush: bool = True) -> None:
    """Write a file that appears whole; `settle` and `flush` as for `replacing`."""
    with replacing(path, settle=settle, flush=flush) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any, *, settle: bool = True, flush: bool = True) -> None:
    """Write a value as JSON, in a file that appears whole; the rest as for `replacing`."""
    data = (json.dumps(value, indent=1) + "\n").encode()
    write_bytes(path, data, settle=settle, flush=flush)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    WorkdirError
        If the file cannot be read or is damaged.
    FileNotFoundError
        If there is none.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as err:
        raise WorkdirError(f"cannot read {path}: {err.strerror}") from err
    except ValueError as err:
        raise DamagedError(f"{path} is damaged ({err}); remove it and run again") from err


def write_record(
    path: Path,
    version: int,
    record: Mapping[str, Any],
    *,
    settle: bool = True,
    flush: bool = True,
) -> None:
    """Write a record as JSON, with its format's version and a CRC of its own.

    Parameters
    ----------
    path : Path
        Where; the file appears whole.
    version : int
        Of the format.
    record : dict
        What to write.
    settle, flush : bool
        As for `replacing`.
    """
    body = {"format": version, **record}
    write_json(path, {**body, "check": _crc_of(body)}, settle=settle, flush=flush)


def read_record(path: Path, version: int) -> dict[str, Any]:
    """Read what `write_record` wrote.

    Raises
    ------
    WorkdirError
        If it is damaged, or of another version of the format.
    FileNotFoundError
        If there is no such file.
    """
    body = read_json(path)
    found = body.get("format") if isinstance(body, dict) else None
    if isinstance(found, int) and found != version:
        raise WorkdirError(
            f"{path} has format {found}, this Psyrun reads {version}; "
            "use the newer Psyrun that wrote it"
        )
    if found is None or body.pop("check", None) != _crc_of(body):
        raise DamagedError(f"{path} is damaged; remove it and run again")
    del body["format"]
    return cast("dict[str, Any]", body)


def _crc_of(body: Mapping[str, Any]) -> int:
    """Return the CRC-32 of a record in the one form that has no choices of layout."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return zlib.crc32(text.encode())


def crc32(path: Path) -> int:
    """Return the CRC-32 of a file's bytes, read in blocks."""
    crc = 0
    buffer = memoryview(bytearray(_BLOCK))
    with read_errors(path), path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            crc = zlib.crc32(buffer[:size], crc)
    return crc


def crc32_of_all(paths: Sequence[Path]) -> list[int]:
    """Return the CRC-32 of each of some files; large ones are read side by side."""
    if sum(path.stat().st_size for path in paths) < _WORTH_A_THREAD:
        return [crc32(path) for path in paths]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(machine.usable_cores(), _MOST_THREADS)) as pool:
        return list(pool.map(crc32, paths))


def unfinished(path: Path) -> Path:
    """Name the unfinished form of a file: it tells which process writes it, and where."""
    return path.with_name(f"{_mine()}{os.getpid()}-{path.name}")


def _mine() -> str:
    """Begin the names of unfinished files: process numbers count within a host or container."""
    return f"{TEMPORARY}{machine.host()}-{machine.process_namespace() or 0}-"


def remove_abandoned(path: Path) -> None:
    """Remove what dead processes of this host have left of a file they were to write."""
    start = _mine()
    for other in path.parent.glob(f"{glob.escape(start)}*-{glob.escape(path.name)}"):
        pid = other.name.removeprefix(start).removesuffix(f"-{path.name}")
        if pid.isdecimal() and machine.process_start(int(pid)) is None:
            other.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch(base: Path) -> Iterator[Path]:
    """Make a folder for a while; those that dead processes of this host left go first."""
    import tempfile

    start = _mine()
    for other in base.glob(f"{glob.escape(start)}*-"):
        pid = other.name.removeprefix(start).partition("-")[0]
        if pid.isdecimal() and machine.process_start(int(pid)) is None:
            shutil.rmtree(other, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{start}{os.getpid()}-", suffix="-", dir=base)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clock_at(folder: Path) -> float:
    """Return the time by the clock that stamps the files of a folder, in seconds.

    On a network that is the server's clock, and this host's may go wrong. A nameless file is
    made in the folder to find out.
    """
    import tempfile

    with tempfile.TemporaryFile(prefix=TEMPORARY, dir=folder) as file:
        return os.fstat(file.fileno()).st_mtime


def remove_temporary(folder: Path) -> None:
    """Remove what a crash left unfinished in a folder; only while nobody writes there."""
    for path in folder.glob(f"{TEMPORARY}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def last_line(path: Path) -> str:
    """Return the last line of a log that says something."""
    try:
        lines = path.read_text(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")
