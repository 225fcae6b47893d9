"""Own the differences between two codes, file by file and line by line; runs none of them."""

import difflib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from psyrun.code import CodeImage
from psyrun.presentcode import present_code
from psyrun.taskfiles import CONF

_NO_END = "\\ No newline at end of file"


@dataclass(frozen=True)
class FileChange:
    """A file of the code that differs.

    Attributes
    ----------
    path : Path
        The file, relative to the task directory.
    old, new : bytes or None
        What was in it, and is; None where there was or is none.
    """

    path: Path
    old: bytes | None
    new: bytes | None


def file_changes(old: CodeImage, taskdir: Path) -> list[FileChange]:
    """Compare a frozen code with the present files; the task file first, then by path.

    Parameters
    ----------
    old : CodeImage
        The frozen code.
    taskdir : Path
        The task directory.
    """
    task, conf = taskdir / old.task_file, taskdir / CONF
    before = _files(old)
    now = {Path(old.task_file): _read(task), Path(CONF): _read(conf)}
    if task.exists():
        now |= _files(present_code(task, conf if conf.exists() else None))
    for path in before.keys() - now.keys():  # what is no longer imported may be as it was
        now[path] = _read(taskdir / path)
    changes = [FileChange(path, before.get(path), now[path]) for path in sorted(now)]
    differing = [change for change in changes if change.old != change.new]
    return sorted(differing, key=lambda change: change.path != Path(old.task_file))


def _files(image: CodeImage) -> dict[Path, bytes]:
    files = {Path(image.task_file): image.task_source}
    if image.conf_source is not None:
        files[Path(CONF)] = image.conf_source
    modules = image.modules.values()
    return files | {m.path: m.source for m in modules if m.source is not None}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def unified(change: FileChange, old_name: str, new_name: str) -> Iterator[str]:
    """Write the difference in the unified format, line by line.

    Bytes that are no UTF-8 stand there as surrogates, from which they can be had again.

    Parameters
    ----------
    change : FileChange
        The file that differs.
    old_name, new_name : str
        How the two are called; `/dev/null` stands for one that is not there.

    Notes
    -----
    The format is described in the manual of GNU diffutils, "Unified Format".
    """
    if any(b"\0" in (side or b"") for side in (change.old, change.new)):
        yield f"Binary files {old_name} and {new_name} differ"
        return
    sides = ((change.old, old_name), (change.new, new_name))
    before, now = ("/dev/null" if text is None else name for text, name in sides)
    old, new = (_lines(text) for text, _ in sides)
    header = True
    for line in difflib.unified_diff(old, new, before, now, lineterm=""):
        header = header and not line.startswith("@@")
        yield line.removesuffix("\n")
        if not header and line[:1] in "+- " and not line.endswith("\n"):
            yield _NO_END


def _lines(text: bytes | None) -> list[str]:
    """Cut a text into lines as `patch` does: only newlines end one, not form feeds, say."""
    return io.StringIO((text or b"").decode("utf-8", "surrogateescape")).readlines()
