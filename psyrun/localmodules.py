"""Own the finding of local modules: those that code imports, found without importing them."""

import ast
import importlib
import sys
from collections.abc import Collection, Iterable, Iterator
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ModuleSpec,
    PathFinder,
)
from pathlib import Path

from psyrun import syntax
from psyrun.exceptions import TaskError
from psyrun.loading import FrozenFinder, FrozenModule, is_local, working_in
from psyrun.scopes import absolute, attribute_chain

_SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES, *BYTECODE_SUFFIXES)


def local_modules(
    sources: Iterable[bytes], taskdir: Path, loaded: Collection[str] = ()
) -> tuple[dict[str, FrozenModule], tuple[str, ...]]:
    """Find the local modules that some sources import, and those that these import.

    Parameters
    ----------
    sources : iterable of bytes
        Python source code; what is no Python imports nothing.
    taskdir : Path
        The task directory, where imports are looked up first.
    loaded : collection of str
        Modules that are known to be imported, in whatever way.

    Returns
    -------
    modules : dict
        The modules by name.
    only_loaded : tuple of str
        Which of `loaded` no source imports by name, nor what it imports; sorted.

    Raises
    ------
    TaskError
        If a module cannot be read.
    """
    importlib.invalidate_caches()  # a file may be younger than what is remembered of its folder
    search = _Search(taskdir)
    with working_in(taskdir):
        for source in sources:
            search.follow(source, "")
        named = {*search.found}
        for name in loaded:
            search.reach_all(_prefixes(name))
    return search.found, tuple(sorted({*loaded} & search.found.keys() - named))


class _Search:
    """Collects local modules.

    Attributes
    ----------
    found : dict
        The modules by name.
    """

    def __init__(self, taskdir: Path) -> None:
        self.found: dict[str, FrozenModule] = {}
        self._taskdir = taskdir
        self._folders: dict[str, list[str]] = {}

    def follow(self, source: bytes, package: str) -> None:
        """Collect the modules that a source imports, and those that these import."""
        self.reach_all(_imported(source, package))

    def reach_all(self, names: Iterable[str]) -> None:
        """Collect some modules, packages before their members, and what they import."""
        for name in names:
            if name not in self.found:
                self._reach(name)

    def _reach(self, name: str) -> None:
        parent = name.rpartition(".")[0]
        if parent and parent not in self._folders:
            return
        spec = self._find_spec(name)
        if spec is None:
            return
        is_package = spec.submodule_search_locations is not None
        folders = [*(spec.submodule_search_locations or ())]
        if spec.origin is None and folders:
            if any(self._is_local(Path(folder)) for folder in folders):
                self.found[name] = FrozenModule(Path(folders[0]), None, is_package=True)
                self._folders[name] = folders
            return
        module = self._read(spec, is_package=is_package)
        if module is None:
            return
        self.found[name] = module
        if is_package:
            self._folders[name] = folders
        if module.is_text and module.source is not None:
            self.follow(module.source, name if is_package else parent)

    def _find_spec(self, name: str) -> ModuleSpec | None:
        parent, _, leaf = name.rpartition(".")
        if not parent:
            return None if _is_taken(name) else _ask_finders(name, None)
        folders = self._folders[parent]
        try:
            return _ask_finders(name, folders)
        except KeyError:  # a namespace package within one that was not imported
            places = [path for folder in folders if (path := Path(folder, leaf)).is_dir()]
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(place) for place in places]
            return spec

    def _read(self, spec: ModuleSpec, *, is_package: bool) -> FrozenModule | None:
        """Read a module that is a local file of its own: no part of an archive, say."""
        if not spec.has_location or not spec.origin or not spec.origin.endswith(_SUFFIXES):
            return None
        path = Path(spec.origin)
        if not self._is_local(path):
            return None
        try:
            return FrozenModule(path, path.read_bytes(), is_package)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as err:
            raise TaskError(
                f"cannot read {path}, which the task imports: {err.strerror}; "
                "make it readable, or remove the import"
            ) from err

    def _is_local(self, path: Path) -> bool:
        return is_local(path, self._taskdir)


def _is_taken(name: str) -> bool:
    """Tell whether a module of the standard library hides a local one of its name."""
    if name in sys.builtin_module_names:
        return True
    loaded = sys.modules.get(name) if name in sys.stdlib_module_names else None
    if loaded is None:
        return False
    file = getattr(loaded, "__file__", None)
    return file is None or not is_local(Path(file))


def _ask_finders(name: str, folders: list[str] | None) -> ModuleSpec | None:
    """Find a module as an import would that finds none loaded: another folder may have lent it.

    Packages that are installed to be edited in their place may have finders of their own.
    """
    for finder in (PathFinder, *sys.meta_path):
        find_spec = getattr(finder, "find_spec", None)
        if find_spec is None or isinstance(finder, FrozenFinder):
            continue
        try:
            spec: ModuleSpec | None = find_spec(name, folders)
        except (ImportError, ValueError, AttributeError):
            continue
        if spec is not None:
            return spec
    return None


def _imported(source: bytes, package: str) -> Iterator[str]:
    """Name every module that a source may import, packages before their members."""
    try:
        tree = syntax.parse(source)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _prefixes(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node.module or "", node.level, package)
            yield from _prefixes(base)
            yield from (f"{base}.{alias.name}" for alias in node.names if base)
        elif isinstance(node, ast.Call):
            yield from _prefixes(_imported_by_call(node, package))


def _imported_by_call(node: ast.Call, package: str) -> str:
    """Name the module that `import_module("name")` or the like imports; empty for any other."""
    match [attribute_chain(node.func), *node.args]:
        case [(*_, "import_module" | "__import__"), ast.Constant(value=str(name)), *rest]:
            level = len(name) - len(name.lstrip("."))
            match [*rest, *(k.value for k in node.keywords if k.arg == "package")]:
                case [ast.Constant(value=str(anchor)), *_]:
                    package = anchor
            return absolute(name.lstrip("."), level, package)
        case _:
            return ""


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".") if name else []
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])
