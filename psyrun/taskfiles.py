"""Own what task files tell without being run: their names, and which names they never use."""

import ast
import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from psyrun.exceptions import TaskError, TaskWarning
from psyrun.words import close_matches

CONF = "psy-conf.py"
CONF_MODULE = "psy_conf"
"""The name of the module that `psy-conf.py` is run as."""

PREFIX = "task_"
NAME_RULE = "it begins with a letter, a digit or '_'; after that '-' and '.' may stand too"
_NAME = re.compile(r"\w[\w.-]*")


def is_name(name: str) -> bool:
    """Tell whether a task may be called so."""
    return _NAME.fullmatch(name) is not None


def _why_none(name: str) -> str:
    """Say why a name is none for a task."""
    if sys.getfilesystemencoding() != "utf-8":
        with contextlib.suppress(UnicodeDecodeError):
            read = os.fsencode(name).decode()
            if is_name(read) and not read.isascii():
                return "it is in UTF-8, and your locale is not; set PYTHONUTF8=1"
    return NAME_RULE


def find_task_files(taskdir: str | os.PathLike[str]) -> dict[str, Path]:
    """Find the task files of a folder by task name.

    Raises
    ------
    TaskError
        If there is no such folder, or two files declare one name.
    """
    folder = Path(taskdir).absolute()
    if not folder.is_dir():
        if any(Path.cwd().glob(f"{PREFIX}*.py")):
            raise TaskError(
                f"there is no folder {folder}, but there are task files right here; "
                "go to the folder above, or say: psy --taskdir . ..."
            )
        if folder.exists():
            raise TaskError(f"{folder} is a file, not a folder with task files; rename it")
        plain = Path(taskdir).name == str(taskdir)
        for above in folder.parent.parents if plain else ():
            if (above / folder.name).is_dir():
                raise TaskError(f"there is no folder {folder}, but one in {above}; go there")
        raise TaskError(
            f"there is no folder {folder}; go to the project's folder, name another with "
            "--taskdir, or make a first task with: psy new-task NAME"
        )
    files: dict[str, Path] = {}
    for path in sorted(path for path in folder.glob(f"{PREFIX}*.py") if not path.is_dir()):
        name = declared(path, "name") or name_from(path)
        if not is_name(name):
            warnings.warn(
                f"{str(path)!r} is left out, as {name!r} is no name for a task: "
                f"{_why_none(name)}",
                TaskWarning,
                stacklevel=2,
            )
            continue
        if name in files:
            raise TaskError(f"{files[name]} and {path} both declare the task {name!r}")
        files[name] = path
    return files


def find_task_file(taskdir: str | os.PathLike[str], name: str) -> Path:
    """Find one task's file.

    Raises
    ------
    TaskError
        If there is no such task; the message names a similar one.
    """
    files = find_task_files(taskdir)
    if name in files:
        return files[name]
    raise TaskError(f"there is no task {name!r} in {taskdir}{suggestion(name, list(files))}")


def suggestion(name: str, known: list[str]) -> str:
    """Ask whether a similar name was meant, or list what there is."""
    plain = name_from(Path(name))
    close = [plain] if plain in known else close_matches(name, known)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are: {', '.join(known)}" if known else "; there is none at all"


def name_from(path: Path) -> str:
    """Tell a task's name from its file's name."""
    return path.stem.removeprefix(PREFIX)


def declared(path: Path, setting: str, source: bytes | None = None) -> str | None:
    """Read a setting that a file gives as plain text (`name = 'x'`), without running it.

    Parameters
    ----------
    path : Path
        The file.
    setting : str
        The setting.
    source : bytes, optional
        The text to look at in the place of the file's.
    """
    try:
        source = path.read_bytes() if source is None else source
        if setting.encode() not in source:
            return None
        body = ast.parse(source).body
    except (OSError, SyntaxError, ValueError):
        return None
    value = None
    for node in body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ) if name == setting:
                value = text
    return value


def workdir_root(taskdir: str | os.PathLike[str], name: str, path: Path | None) -> Path:
    """Tell where a task's work directory is, as far as that is written as plain text."""
    conf = Path(taskdir) / CONF
    folder = (path and declared(path, "workdir")) or declared(conf, "workdir") or "psy-work"
    return Path(folder) / name


def left_beside(taskdir: str | os.PathLike[str], root: Path) -> Path | None:
    """Find the work directory that a task has where its task directory is, if not here.

    Parameters
    ----------
    taskdir : path
        The task directory.
    root : Path
        The work directory; a relative one is looked for from here.
    """
    other = Path(os.path.normpath(Path(taskdir).absolute())).parent / root
    here = root.absolute()
    there = other != here and not here.exists() and (other / "run.json").is_file()
    return other if there else None


def unused_names(source: bytes) -> Iterator[tuple[str, int]]:
    """Yield the public names that a file defines at top level and never reads."""
    tree = ast.parse(source)
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    used = {name.id for name in names if isinstance(name.ctx, ast.Load)}
    for node in tree.body:
        for name in _assigned(node):
            if name not in used and not name.startswith("_"):
                yield name, node.lineno


def _assigned(node: ast.stmt) -> list[str]:
    match node:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.FunctionDef(name=name):
            return [name]
        case _:
            return []
