"""Own the importing of users' code; the only room that does so.

A module can be run from its file or from other text (frozen code) under the name and the file
name that it has in the user's directory, so that tracebacks and `__file__` lead there.
"""

import contextlib
import linecache
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from psyrun.exceptions import TaskError

_STANDARD_LIBRARY = Path(os.__file__).parent.resolve()
_OWN_PACKAGE = Path(__file__).parent.resolve()


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Make a folder the working directory and the first entry of `sys.path` for a while."""
    before = Path.cwd()
    entry = str(folder.absolute())
    os.chdir(folder)
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(entry)
        os.chdir(before)


def run_module(name: str, path: Path, source: bytes | None = None) -> ModuleType:
    """Run a module's code and return the module, registered under its name.

    Parameters
    ----------
    name : str
        The module's name; also how values of its classes are found again when unpickled.
    path : Path
        The user's file.
    source : bytes, optional
        The text to run. None reads it from `path`.

    Raises
    ------
    TaskError
        Whatever goes wrong in there, with file, line and message.
    """
    module = ModuleType(name)
    module.__file__ = str(path)
    earlier = sys.modules.get(name)
    sys.modules[name] = module
    try:
        _fill(
            module, path.read_bytes() if source is None else source, remember=source is not None
        )
    except BaseException as err:
        if earlier is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = earlier
        if isinstance(err, KeyboardInterrupt):
            raise
        raise TaskError(f"{_place(err, path)}: {type(err).__name__}: {_text(err)}") from err
    return module


def _fill(module: ModuleType, source: bytes, *, remember: bool) -> None:
    """Run source code as a module; with `remember`, tracebacks show these very lines."""
    file = str(module.__file__)
    if remember:
        text = source.decode("utf-8", "replace")
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    # dont_inherit: this file's own future imports are not the user's
    exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)  # noqa: S102


def _place(err: BaseException, path: Path) -> str:
    """Name the innermost line of the user's file that an error came from."""
    if isinstance(err, SyntaxError) and err.filename and not err.filename.startswith("<"):
        return f"{err.filename}:{err.lineno}"
    lines = [
        f.lineno for f in traceback.extract_tb(err.__traceback__) if f.filename == str(path)
    ]
    return f"{path}:{lines[-1]}" if lines else str(path)


def _text(err: BaseException) -> str:
    return err.msg if isinstance(err, SyntaxError) else str(err)


def is_local(path: Path) -> bool:
    """Tell whether a file is the user's own: not installed, not Python's, not Psyrun's."""
    resolved = path.resolve()
    return not (
        {"site-packages", "dist-packages"} & set(resolved.parts)
        or resolved.is_relative_to(_STANDARD_LIBRARY)
        or resolved.is_relative_to(_OWN_PACKAGE)
    )


@dataclass(frozen=True)
class FrozenModule:
    """A local module as it was when a run was submitted.

    Attributes
    ----------
    path : Path
        The user's file; of a package without one, its folder.
    source : bytes or None
        Its text; None for a package without a file of its own.
    is_package : bool
        Whether it may have submodules.
    """

    path: Path
    source: bytes | None
    is_package: bool


class FrozenFinder:
    """Import local modules from frozen text; other finders see to what is not frozen."""

    def __init__(self, modules: Mapping[str, FrozenModule]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, _path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        """Find a module's specification, as `importlib` asks for it."""
        module = self.modules.get(name)
        if module is None:
            return None
        if module.source is None:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(module.path)]
            return spec
        spec = ModuleSpec(
            name, _FrozenLoader(module), origin=str(module.path), is_package=module.is_package
        )
        spec.has_location = True
        if module.is_package:
            spec.submodule_search_locations = [str(module.path.parent)]
        return spec


class _FrozenLoader(Loader):
    """Run one frozen module, as `importlib` asks for it."""

    def __init__(self, module: FrozenModule) -> None:
        self.module = module

    def create_module(self, _spec: ModuleSpec) -> None:
        """Let `importlib` make the module object."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the frozen text in the module."""
        assert self.module.source is not None
        _fill(module, self.module.source, remember=True)
