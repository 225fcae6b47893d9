"""Own the versions of installed packages: which a code imports, and which is there.

Looks at the files beside installed packages, and imports none of them: neither the answer nor
its cost depends on what was imported before. Another interpreter is only asked for its path.
`importlib.metadata` would give the same answers, but loading it takes as long as a fifth of a
run that has nothing to do.
"""

import ast
import os
import re
import shutil
import sys
from collections.abc import Collection, Container, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from psyrun.exceptions import TaskError
from psyrun.version import __version__
from psyrun.words import close_matches

PYTHON = "python"
"""The name that stands for the interpreter."""

_PATIENCE_SECONDS = 10.0
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
_INFOS = (".dist-info", ".egg-info")


def imported_packages(sources: Iterable[bytes], local: Container[str] = ()) -> list[str]:
    """Name the packages that some sources import, in functions too, sorted.

    Parameters
    ----------
    sources : iterable of bytes
        Python source code; what is no Python imports nothing.
    local : container of str
        Names of local modules, which are no packages.

    Returns
    -------
    list of str
        Names as they are imported, such as `sklearn`, up to the first dot; but for the standard
        library and Psyrun. Whether they are installed is another question.

    Examples
    --------
    >>> imported_packages([b"import math, numpy.linalg", b"from helper import f"], ["helper"])
    ['numpy']
    """
    names = {name for source in sources for name in _imported(source)}
    names -= sys.stdlib_module_names | {"psyrun"}
    return sorted(name for name in names if name not in local)


@lru_cache(maxsize=1000)
def _imported(source: bytes) -> frozenset[str]:
    """Name every module that a source imports absolutely, up to the first dot."""
    found: set[str] = set()
    try:
        todo: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError):
        return frozenset()
    while todo:  # imports are statements, so there is no need to look into expressions
        match todo.pop():
            case ast.Import(names=aliases):
                found.update(alias.name.partition(".")[0] for alias in aliases)
            case ast.ImportFrom(level=0, module=str(module)):
                found.add(module.partition(".")[0])
            case node:
                for field in _BODIES:
                    todo.extend(getattr(node, field, ()))
    return frozenset(found)


class Interpreter(NamedTuple):
    """A Python whose packages are looked at.

    Attributes
    ----------
    version : str
        Its version.
    path : tuple of str
        Where it imports from, its `sys.path`.
    """

    version: str
    path: tuple[str, ...]


def interpreter(python: str | None = None) -> Interpreter | None:
    """Find out about an interpreter; None is this one.

    Returns
    -------
    Interpreter or None
        None if it cannot be run here: it may be on the machines of a cluster only.
    """
    if python is None or sys.executable in (python, shutil.which(python)):
        return Interpreter(sys.version.split()[0], tuple(sys.path))
    return _asked(python)


@lru_cache(maxsize=100)
def _asked(python: str) -> Interpreter | None:
    import subprocess

    program = (
        "import os, sys; "
        r"found = '\0'.join([sys.version.split()[0], *sys.path]); "
        "sys.stdout.buffer.write(os.fsencode(found))"
    )
    try:
        done = subprocess.run(  # -P, as workers are run
            [python, "-P", "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    version, *path = os.fsdecode(done.stdout).split("\0")
    return Interpreter(version, tuple(path))


def versions(names: Iterable[str], by: Interpreter | None = None) -> dict[str, str]:
    """Tell the versions of packages; those that are not installed are left out.

    Parameters
    ----------
    names : iterable of str
        Names of packages as they are imported (`sklearn`) or as they are installed
        (`scikit-learn`), or `python` for the interpreter.
    by : Interpreter, optional
        Whose packages. None is this interpreter.

    Returns
    -------
    dict
        The version by the name that was given, sorted. Where several packages share the name
        by which they are imported, each with its version.
    """
    by = by or interpreter()
    assert by is not None
    own = {PYTHON: by.version, "psyrun": __version__}
    places = tuple(_places(by.path))
    found = ((name, own.get(name) or _version(name, places)) for name in sorted({*names}))
    return {name: version for name, version in found if version}


def packages_of(
    sources: Iterable[bytes],
    local: Collection[str],
    depends_on: Collection[str] = (),
    python: str | None = None,
) -> dict[str, str]:
    """Tell the versions of Python, and of the packages that code imports or depends on.

    Parameters
    ----------
    sources : iterable of bytes
        The code.
    local : collection of str
        Names of local modules.
    depends_on : collection of str
        What the setting of that name lists.
    python : str, optional
        The interpreter that will run the code. None is this one.

    Returns
    -------
    dict
        The version by name; nothing if the interpreter cannot be run here.

    Raises
    ------
    TaskError
        If something in `depends_on` is not installed, or that cannot be found out.
    """
    by = interpreter(python)
    if by is None and depends_on:
        raise TaskError(
            f"depends_on names {', '.join(map(repr, depends_on))}, but python is {python!r}, "
            "which cannot be run here to look them up; set another, or take depends_on out"
        )
    if by is None:
        return {}
    found = versions([*imported_packages(sources, local), PYTHON, *depends_on], by)
    for name in depends_on:
        if name not in found:
            raise TaskError(f"depends_on names {name!r}, {_objection(name, local, by)}")
    return found


def _objection(name: str, local: Collection[str], by: Interpreter) -> str:
    """Say why a name is none of a package, and what to write instead."""
    if name in local:
        return "which is a local module: its code counts anyway, take it out"
    if name in sys.stdlib_module_names:
        return f"which is part of Python's standard library; write {PYTHON!r} instead"
    close = close_matches(name, [PYTHON, *_known(by)])
    advice = f"did you mean {close[0]!r}?" if close else "install it, or take it out"
    return f"but no such package is installed; {advice}"


def _known(by: Interpreter) -> list[str]:
    """Name all installed packages, as they are installed."""
    return sorted({name for place in _places(by.path) for name in _infos(*place)})


_Place = tuple[str, int]
"""A folder that modules are imported from, and when it changed, in nanoseconds."""


def _places(path: Iterable[str]) -> Iterator[_Place]:
    for entry in dict.fromkeys(path):
        try:
            yield entry, os.stat(entry or ".").st_mtime_ns  # noqa: PTH116 - ten times faster
        except OSError:
            continue


@lru_cache(maxsize=1000)
def _version(name: str, places: tuple[_Place, ...]) -> str | None:
    for place in places:
        if found := _first_version(_infos(*place).get(_normal(name), ())):
            return found
    owners = _owners(name, places)
    if len(owners) > 1:
        return ", ".join(f"{owner} {version}" for owner, version in sorted(owners.items()))
    return next(iter(owners.values()), None)


def _owners(name: str, places: Iterable[_Place]) -> dict[str, str]:
    """Find the packages that brought what is imported by a name, with their versions."""
    owners: dict[str, str] = {}
    for place in places:
        if name not in _stems(*place):
            continue
        for owner, infos in _infos(*place).items():
            mine = [info for info in infos if _brought(info, name)]
            if owner not in owners and (version := _first_version(mine)):
                owners[owner] = version
    return owners


@lru_cache(maxsize=100)
def _infos(folder: str, _changed: int) -> dict[str, list[Path]]:
    """Find what installers left in a folder about each package, by the package's name."""
    infos: dict[str, list[Path]] = {}
    for name in _listed(folder):
        if name.endswith(_INFOS):  # <package>-<version>.dist-info, or without a version
            package = name.rpartition(".")[0].partition("-")[0]
            infos.setdefault(_normal(package), []).append(Path(folder, name))
    return infos


@lru_cache(maxsize=100)
def _stems(folder: str, _changed: int) -> frozenset[str]:
    """Name what is in a folder, up to the first dot."""
    return frozenset(name.partition(".")[0] for name in _listed(folder))


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder or "."))  # noqa: PTH208 - names are enough
    except OSError:  # a zip file, say
        return []


def _normal(name: str) -> str:
    """Write a package's name in the one form in which names are compared.

    Notes
    -----
    As the specification "names and normalization" of Python's packaging says.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _first_version(infos: Iterable[Path]) -> str | None:
    """Read a package's version; broken installations may have left empty folders."""
    for info in infos:
        for file in (info / "METADATA", info / "PKG-INFO", info):
            head = _read(file).partition(b"\n\n")[0]
            if match := re.search(rb"^Version:[ \t]*(\S+)", head, re.MULTILINE):
                return match[1].decode(errors="replace")
    return None


def _brought(info: Path, name: str) -> bool:
    """Tell whether a package brought what is imported by a name."""
    word = name.encode()
    if word in _read(info / "top_level.txt").split():
        return True
    record = _read(info / "RECORD")
    starts = (word + b"/", word + b".")  # a package, or a module: Python's or compiled
    return record.startswith(starts) or any(b"\n" + start in record for start in starts)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
