"""Own the reading of a task's code as it is now: its files, local modules and packages."""

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path

from psyrun import filedeps
from psyrun.code import CodeImage
from psyrun.filedigests import Digests
from psyrun.localmodules import local_modules
from psyrun.packages import packages_of


def present_code(
    task_path: Path,
    conf_path: Path | None,
    file_dep: Collection[str | os.PathLike[str]] = (),
    *,
    digests: Digests | None = None,
    loaded: Collection[str] = (),
) -> CodeImage:
    """Read the code of a task as it is now.

    Parameters
    ----------
    task_path : Path
        The task file; its folder is the task directory.
    conf_path : Path or None
        `psy-conf.py`, where there is one.
    file_dep : collection of paths
        Files, folders or glob patterns, relative to the task directory.
    digests : Digests, optional
        What is known of large files. None reads all.
    loaded : collection of str
        Modules that running these files has loaded, in whatever way.

    Raises
    ------
    TaskError
        If a file dependency does not exist, or a local module cannot be read.
    """
    taskdir = task_path.parent
    source = task_path.read_bytes()
    conf = conf_path.read_bytes() if conf_path else None
    texts = [text for text in (source, conf) if text is not None]
    modules, only_loaded = local_modules(texts, taskdir, loaded)
    relative = {
        name: dataclasses.replace(m, path=Path(os.path.relpath(m.path, taskdir)))
        for name, m in modules.items()
    }
    digests = digests or Digests()
    names = {os.path.relpath(p, taskdir): p for p in filedeps.files(file_dep, taskdir)}
    hashes = {name: digests.of(path, name) for name, path in names.items()}
    patterns = filedeps.patterns(file_dep, taskdir)
    return CodeImage(task_path.name, source, conf, relative, hashes, patterns, only_loaded)


def with_packages(
    image: CodeImage, depends_on: Collection[str] = (), python: str | None = None
) -> CodeImage:
    """Add the versions of the packages that a code imports, and of Python.

    Parameters
    ----------
    image : CodeImage
        The code.
    depends_on : collection of str
        More packages, whose versions the results depend on.
    python : str, optional
        The interpreter that will run the code. None is this one.

    Raises
    ------
    TaskError
        If a package of `depends_on` is not installed.
    """
    packages = packages_of(image.sources, image.modules.keys(), depends_on, python)
    return dataclasses.replace(image, packages=packages)
