"""Own what `file_dep` names: which files, and what is in them; know nothing of code."""

import hashlib
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
        If there is no such file.
    """
    for entry in entries:
        path = taskdir / os.fspath(entry)
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if _may_matter(p))
        elif path.exists():
            found = [path]
        else:
            pattern = Path(entry)
            matches = Path(pattern.anchor or taskdir).glob(
                str(pattern.relative_to(pattern.anchor))
            )
            found = sorted(p for p in matches if _may_matter(p))
        if not found and not path.is_dir():
            raise TaskError(f"file_dep names {os.fspath(entry)!r}, but there is no {path}")
        yield from found


def _may_matter(path: Path) -> bool:
    """Tell whether this is a file that Python does not write by itself."""
    return path.is_file() and path.parent.name != "__pycache__"


def sha256_of(path: Path) -> str:
    """Digest a file's content; where it cannot be read, say why instead."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as err:
        return f"unreadable: {err.strerror}"
