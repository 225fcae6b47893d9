"""Own the importing of users' code; the only room that does so.

A module can be run from its file or from other text (frozen code) under the name and the file
name that it has in the user's directory, so that tracebacks and `__file__` lead there.
"""

import contextlib
import copy
import io
import linecache
import os
import sys
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import decode_source
from pathlib import Path
from types import CodeType, ModuleType

from psyrun.exceptions import TaskError, Terminated

_STANDARD_LIBRARY = Path(os.__file__).parent.resolve()
_OWN_PACKAGE = Path(__file__).parent.resolve()
_INSTALLED = ("site-packages", "dist-packages")
_BESIDE = (b"$ORIGIN", b"@loader_path")
"""How a compiled module says that a library it needs is found from where it lies itself."""


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


@contextlib.contextmanager
def called_as(path: Path) -> Iterator[None]:
    """Let a file see itself called without arguments, whatever the program was called with."""
    before = sys.argv
    sys.argv = [str(path)]
    try:
        yield
    finally:
        sys.argv = before


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
        if isinstance(err, (KeyboardInterrupt, Terminated)):
            raise
        raise TaskError(f"{_place(err, path)}: {type(err).__name__}: {_text(err)}") from err
    return module


def _fill(module: ModuleType, source: bytes, *, remember: bool) -> None:
    """Run source code as a module; with `remember`, tracebacks show these very lines."""
    file = str(module.__file__)
    if remember:
        text = _decoded(source)
        lines = io.StringIO(text, newline=None).readlines()  # not at form feeds, as splitlines
        linecache.cache[file] = (len(text), None, lines, file)
    exec(_compiled(source, file), module.__dict__)  # noqa: S102


def _decoded(source: bytes) -> str:
    """Decode source code as Python does; text that it would refuse, as well as can be."""
    try:
        return decode_source(source)
    except (SyntaxError, UnicodeDecodeError):
        return source.decode("utf-8", "replace")


def _compiled(source: bytes, file: str) -> CodeType:
    """Compile source code, to which the future imports of this file are nothing."""
    code: CodeType = compile(source, file, "exec", dont_inherit=True)
    return code


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


def is_local(path: Path, home: Path | None = None) -> bool:
    """Tell whether a file is the user's own: not installed, not Python's, not Psyrun's.

    Parameters
    ----------
    path : Path
        The file.
    home : Path, optional
        The task directory. What lies below it is the user's own wherever it is itself.
    """
    resolved = path.resolve()
    home = home and home.resolve()
    return not any(_is_foreign(f, resolved, home) for f in (resolved, *resolved.parents))


def _is_foreign(folder: Path, inside: Path, home: Path | None) -> bool:
    """Tell whether a folder is of installed packages, of Python or of Psyrun."""
    if folder.name not in _INSTALLED and folder not in (_STANDARD_LIBRARY, _OWN_PACKAGE):
        return False
    if home is None or not home.is_relative_to(folder):
        return True
    # the project lies in there, or in a folder that is only named so
    return not inside.is_relative_to(home) and folder in [Path(p).resolve() for p in sys.path]


def local_names(home: Path, before: Collection[str]) -> tuple[str, ...]:
    """Name the local modules that have been imported since.

    Parameters
    ----------
    home : Path
        The task directory.
    before : collection of str
        The modules that had been imported.
    """
    main = sys.modules.get("__main__")  # known by several names
    new = [(n, m) for n, m in [*sys.modules.items()] if n not in before and m is not main]
    judged: dict[Path, bool] = {}  # by folder, as there may be thousands of modules
    names = []
    for name, module in new:
        place = _place_of(module)
        if place is not None:
            where = place if place.is_symlink() else place.parent
            if where not in judged:
                judged[where] = is_local(where, home)
            if judged[where]:
                names.append(name)
    return tuple(sorted(names))


def _place_of(module: object) -> Path | None:
    """Tell where a module lies, without waking those that load when looked at."""
    attributes = getattr(module, "__dict__", {})
    file, folders = attributes.get("__file__"), attributes.get("__path__", ())
    try:
        return Path(file or next(iter(folders)))
    except (TypeError, KeyError, StopIteration):
        return None


@contextlib.contextmanager
def forgetting_local_modules(home: Path) -> Iterator[None]:
    """Forget afterwards the local modules imported meanwhile: the next task has its own.

    Parameters
    ----------
    home : Path
        The task directory.
    """
    before = {*sys.modules}
    try:
        yield
    finally:
        for name in local_names(home, before):
            sys.modules.pop(name, None)


@dataclass(frozen=True)
class FrozenModule:
    """A local module as it was when a run was submitted.

    Attributes
    ----------
    path : Path
        The user's file; of a package without one, its folder.
    source : bytes or None
        Its content: text or, of a compiled module, what was made of it. None for a package
        without a file of its own.
    is_package : bool
        Whether it may have submodules.
    copy : Path or None
        A file with that content, which nobody changes.
    """

    path: Path
    source: bytes | None
    is_package: bool
    copy: Path | None = field(default=None, compare=False)

    @property
    def suffix(self) -> str:
        """The ending of the file's name, which tells what kind of module it is."""
        _, dot, rest = self.path.name.partition(".")
        return dot + rest

    @property
    def is_text(self) -> bool:
        """Whether the content is Python source code."""
        return self.source is not None and self.suffix in SOURCE_SUFFIXES


class FrozenFinder:
    """Import local modules from frozen copies; other finders see to what is not frozen."""

    def __init__(self, modules: Mapping[str, FrozenModule]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: object = None
    ) -> ModuleSpec | None:
        """Find a module's specification, as `importlib` asks for it."""
        module = self.modules.get(name)
        if module is None:
            return None
        if module.source is None:
            return _namespace(name, module, path)
        loader = _loader_of(name, module)
        if loader is None:
            return None
        place = str(module.path)
        spec = ModuleSpec(name, loader, origin=place, is_package=module.is_package)
        spec.has_location = True
        if module.is_package:
            spec.submodule_search_locations = [str(module.path.parent)]
        return spec


def _namespace(name: str, module: FrozenModule, path: Sequence[str] | None) -> ModuleSpec:
    """Find a package without a file of its own, in all the folders that it has now."""
    spec = PathFinder.find_spec(name, path)
    if spec is None or spec.origin is not None:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(module.path)]
    return spec


def _loader_of(name: str, module: FrozenModule) -> "_Loader | None":
    """Pick what loads a kind of module; none can what was compiled for another Python."""
    if module.suffix in EXTENSION_SUFFIXES:
        return _FrozenExtension(name, module)
    if module.suffix in BYTECODE_SUFFIXES:
        return _FrozenBytecode(name, module)
    return _FrozenText(name, module) if module.is_text else None


class _FrozenText(SourceFileLoader):
    """Run frozen text; files beside it are where the user has them."""

    def __init__(self, name: str, module: FrozenModule) -> None:
        super().__init__(name, str(module.path))
        self.source = module.source or b""

    def get_data(self, path: str) -> bytes:
        """Read a file, as `importlib` asks for it."""
        return self.source if path == self.path else super().get_data(path)

    def get_code(self, _name: str) -> CodeType:
        """Compile the text; what Python keeps beside the user's file is of another text."""
        return _compiled(self.source, self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the frozen text in the module."""
        _fill(module, self.source, remember=True)


class _FrozenBytecode(SourcelessFileLoader):
    """Run what Python compiled from a text that is not there."""

    def __init__(self, name: str, module: FrozenModule) -> None:
        super().__init__(name, str(module.path))
        self.source = module.source or b""

    def get_data(self, path: str) -> bytes:
        """Read a file, as `importlib` asks for it."""
        return self.source if path == self.path else super().get_data(path)


class _FrozenExtension(ExtensionFileLoader):
    """Load a compiled module from its copy: who overwrites a file in use crashes its users."""

    def __init__(self, name: str, module: FrozenModule) -> None:
        super().__init__(name, str(module.path))
        self.module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Load it, as `importlib` asks for it."""
        places = self._places()
        for place in places[:-1]:
            with contextlib.suppress(ImportError):
                return self._load(spec, place)
        try:
            return self._load(spec, places[-1])
        except ImportError as err:
            if self.module.path in places:
                raise
            raise ImportError(
                f"{err}; {self.path} changed since the task was submitted, and the copy made "
                "then cannot be loaded in its place: run the task again",
                name=spec.name,
                path=self.path,
            ) from err

    def _load(self, spec: ModuleSpec, place: Path) -> ModuleType:
        there = copy.copy(spec)
        there.origin = str(place)
        module = super().create_module(there)
        module.__file__ = self.path
        return module

    def _places(self) -> list[Path]:
        """List what can be loaded: the copy, and the user's file if it is the same."""
        frozen, live, source = self.module.copy, self.module.path, self.module.source or b""
        if frozen is None:
            return [live]
        if _content(live) != source:
            return [frozen]
        needs_neighbours = any(mark in source for mark in _BESIDE)
        return [live, frozen] if needs_neighbours else [frozen, live]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


_Loader = _FrozenText | _FrozenBytecode | _FrozenExtension
