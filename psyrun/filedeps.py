"""Own what `file_dep` names: which files there are; know nothing of code."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from psyrun.exceptions import TaskError


def files(entries: Collection[str | os.PathLike[str]], taskdir: Path) -> Iterator[Path]:
    """Find the files that `file_dep` names.

    Parameters
    ----------
    entries : collection of paths
        Files, folders or glob patterns, relative to the task directory.
    taskdir : Path
        The task directory.

    Raises
    ------
    TaskError
        If there is no such file, or it is none that can be read to its end.
    """
    for entry in entries:
        path = taskdir / os.fspath(entry)
        if path.is_dir():
            yield from _files_below(path)
        elif path.is_file():
            yield path
        elif path.exists():
            raise TaskError(
                f"file_dep names {os.fspath(entry)!r}, but {path} is a pipe, a socket or a "
                "device; name files or folders"
            )
        else:
            found = _matches(Path(entry), taskdir)
            if not found:
                raise TaskError(f"file_dep names {os.fspath(entry)!r}, but there is no {path}")
            yield from found


def patterns(entries: Collection[str | os.PathLike[str]], taskdir: Path) -> tuple[str, ...]:
    """Pick the folders and glob patterns from `file_dep`, relative to the task directory.

    Parameters
    ----------
    entries, taskdir
        As for `files`.
    """
    paths = [taskdir / os.fspath(entry) for entry in entries]
    return tuple(os.path.relpath(path, taskdir) for path in paths if not path.is_file())


def added(found: Collection[str], known: Collection[str], taskdir: Path) -> list[str]:
    """List the files that folders and patterns stand for by now, and did not before.

    Parameters
    ----------
    found : collection of str
        The folders and patterns.
    known : collection of str
        The files that there were, relative to the task directory.
    taskdir : Path
        The task directory.
    """
    names = []
    for entry in found:
        try:
            names += [os.path.relpath(path, taskdir) for path in files([entry], taskdir)]
        except TaskError:  # all are gone, which tells by itself
            continue
    return sorted({*names} - {*known})


def _matches(pattern: Path, taskdir: Path) -> list[Path]:
    """Find the files that a glob pattern stands for."""
    if pattern.name == "**":  # matches no files before Python 3.13
        pattern /= "*"
    start = Path(pattern.anchor or taskdir)
    found = start.glob(str(pattern.relative_to(pattern.anchor)))
    return sorted(path for path in found if _may_matter(path))


def _files_below(top: Path) -> list[Path]:
    """List the files below a folder; what is linked to counts too, but each folder once."""
    found: list[Path] = []
    seen: set[Path] = set()
    waiting = [top]
    for start in waiting:  # grows on the way: links come after all that is really there
        for base, folders, names in os.walk(start, onerror=_refuse):
            here = Path(base)
            if here.resolve() in seen:
                folders.clear()
                continue
            seen.add(here.resolve())
            folders.sort()
            waiting += [here / name for name in folders if (here / name).is_symlink()]
            found += [path for name in names if _may_matter(path := here / name)]
    return sorted(found)


def _refuse(err: OSError) -> None:
    raise TaskError(
        f"file_dep names a folder with {err.filename}, which cannot be read: {err.strerror}"
    ) from err


def _may_matter(path: Path) -> bool:
    """Tell whether this is a file that Python does not write by itself."""
    return path.is_file() and path.parent.name != "__pycache__"
