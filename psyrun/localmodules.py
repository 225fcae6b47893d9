"""Own the finding of local modules: those that code imports, found without importing them."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from psyrun import syntax
from psyrun.loading import FrozenModule, is_local, working_in


def local_modules(sources: Iterable[bytes], taskdir: Path) -> dict[str, FrozenModule]:
    """Find the local modules that some sources import, and those that these import.

    Parameters
    ----------
    sources : iterable of bytes
        Python source code; what is no Python imports nothing.
    taskdir : Path
        The task directory, where imports are looked up first.
    """
    found: dict[str, FrozenModule] = {}
    with working_in(taskdir):
        for source in sources:
            _reach(source, "", found)
    return found


def _reach(source: bytes, package: str, found: dict[str, FrozenModule]) -> None:
    """Collect the local modules that a source imports, and those that these import."""
    for name in _imported(source, package):
        if name not in found:
            _reach_module(name, found)


def _reach_module(name: str, found: dict[str, FrozenModule]) -> None:
    parent = name.rpartition(".")[0]
    if parent and parent not in found:
        return
    try:
        spec = _find_spec(name, found)
    except (ImportError, ValueError, AttributeError):
        return
    if spec is None:
        return
    is_package = spec.submodule_search_locations is not None
    if spec.origin is None and spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations)))
        if is_local(folder):
            found[name] = FrozenModule(folder, None, is_package=True)
    elif spec.origin and spec.origin.endswith(".py") and is_local(path := Path(spec.origin)):
        source = path.read_bytes()
        found[name] = FrozenModule(path, source, is_package)
        _reach(source, name if is_package else parent, found)


def _find_spec(name: str, found: Mapping[str, FrozenModule]) -> ModuleSpec | None:
    parent, _, leaf = name.rpartition(".")
    if not parent:
        return None if _is_taken(name) else _find_top_level(name)
    module = found[parent]
    if not module.is_package:
        return None
    folder = module.path if module.source is None else module.path.parent
    try:
        return PathFinder.find_spec(name, [str(folder)])
    except KeyError:  # a namespace package within one that was not imported
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder / leaf)]
        return spec


def _is_taken(name: str) -> bool:
    """Tell whether a module of the standard library hides a local one of its name."""
    if name in sys.builtin_module_names:
        return True
    loaded = sys.modules.get(name) if name in sys.stdlib_module_names else None
    if loaded is None:
        return False
    file = getattr(loaded, "__file__", None)
    return file is None or not is_local(Path(file))


def _find_top_level(name: str) -> ModuleSpec | None:
    """Find a module on the path, not among those loaded: another folder may have lent it."""
    spec = PathFinder.find_spec(name)
    if spec is None:
        import importlib.util

        spec = importlib.util.find_spec(name)
    return spec


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
            base = node.module or ""
            if node.level:
                anchor = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*anchor, base] if base else anchor)
            yield from _prefixes(base)
            yield from (f"{base}.{alias.name}" for alias in node.names if base)


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])
