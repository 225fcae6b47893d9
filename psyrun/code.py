"""Own frozen code: what of the user's code a run depends on, copied as it was submitted.

Finds local modules without importing them. Knows nothing of parameter spaces and runs.
"""

import ast
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from psyrun import fingerprint
from psyrun.exceptions import TaskError, WorkdirError
from psyrun.files import read_record, replacing_folder, write_record
from psyrun.loading import FrozenModule, working_in

FORMAT = 1
_MANIFEST = "manifest.json"
_STANDARD_LIBRARY = Path(os.__file__).parent.resolve()
_OWN_PACKAGE = Path(__file__).parent.resolve()


@dataclass(frozen=True)
class CodeImage:
    """The code a task's results depend on, present or frozen.

    Attributes
    ----------
    task_file : str
        The task file's name.
    task_source : bytes
        Its text.
    conf_source : bytes or None
        The text of `psy-conf.py`, where there is one.
    modules : dict
        The local modules reached; their paths are relative to the task directory.
    file_dep : dict
        SHA-256 by path, relative to the task directory, of the files the results depend on.
    """

    task_file: str
    task_source: bytes
    conf_source: bytes | None = None
    modules: Mapping[str, FrozenModule] = field(default_factory=dict)
    file_dep: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Name this code by everything in it, comments too."""
        texts = [json.dumps(self._manifest(), sort_keys=True), _sha256(self.task_source)]
        texts += [_sha256(self.conf_source or b"")]
        texts += [_sha256(m.source or b"") for _, m in sorted(self.modules.items())]
        return fingerprint.digest(texts)

    def parts(self, ignored: Collection[str]) -> dict[str, str]:
        """Digest what can change a result, by name; this is the code's fingerprint.

        Parameters
        ----------
        ignored : collection of str
            Settings: names whose assignments in the task file don't count.
        """
        parts = {
            f"`{name}`" if name else "imports or statements": text
            for name, text in fingerprint.parts_of(self.task_source, ignored).items()
        }
        if self.conf_source is not None:
            conf = fingerprint.parts_of(self.conf_source, ignored)
            if conf.keys() & {"execute", "setup"}:
                parts |= {f"`{name}` of psy-conf.py": text for name, text in conf.items()}
        for name, module in self.modules.items():
            if module.source is not None:
                parts[f"module `{name}`"] = _digest_of_module(module.source)
        return parts | {f"file `{path}`": digest for path, digest in self.file_dep.items()}

    def changed_files(self, taskdir: Path) -> list[str]:
        """List the file dependencies whose content is no longer what it was."""
        return [
            path for path, sha in self.file_dep.items() if _sha256_of(taskdir / path) != sha
        ]

    def _manifest(self) -> dict[str, object]:
        return {
            "task_file": self.task_file,
            "conf": self.conf_source is not None,
            "modules": {
                name: {
                    "file": None if m.source is None else f"{name}.py",
                    "path": m.path.as_posix(),
                    "package": m.is_package,
                }
                for name, m in sorted(self.modules.items())
            },
            "file_dep": dict(sorted(self.file_dep.items())),
        }

    def freeze(self, folder: Path) -> None:
        """Write the code into a folder of its own; one that stands and is sound stays."""
        if folder.exists():
            try:
                frozen_code(folder)
            except (WorkdirError, FileNotFoundError):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                return
        with replacing_folder(folder) as new:
            write_record(new / _MANIFEST, FORMAT, self._manifest(), settle=False)
            (new / "task").mkdir()
            (new / "task" / self.task_file).write_bytes(self.task_source)
            if self.conf_source is not None:
                (new / "task" / "psy-conf.py").write_bytes(self.conf_source)
            (new / "modules").mkdir()
            for name, module in self.modules.items():
                if module.source is not None:
                    (new / "modules" / f"{name}.py").write_bytes(module.source)


def present_code(
    task_path: Path, conf_path: Path | None, file_dep: Collection[str | os.PathLike[str]]
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

    Raises
    ------
    TaskError
        If a file dependency does not exist.
    """
    taskdir = task_path.parent
    source = task_path.read_bytes()
    conf = conf_path.read_bytes() if conf_path else None
    modules: dict[str, FrozenModule] = {}
    with working_in(taskdir):
        for text in (source, conf):
            if text is not None:
                _reach(text, "", modules)
    relative = {
        name: FrozenModule(Path(os.path.relpath(m.path, taskdir)), m.source, m.is_package)
        for name, m in modules.items()
    }
    hashes = {
        os.path.relpath(path, taskdir): _sha256_of(path) for path in _files(file_dep, taskdir)
    }
    return CodeImage(task_path.name, source, conf, relative, hashes)


def frozen_code(folder: Path) -> CodeImage:
    """Read a frozen code.

    Raises
    ------
    WorkdirError
        If it is not there or damaged.
    """
    try:
        manifest = read_record(folder / _MANIFEST, FORMAT)
        task = folder / "task"
        modules = {
            name: FrozenModule(
                Path(entry["path"]),
                entry["file"] and (folder / "modules" / entry["file"]).read_bytes(),
                entry["package"],
            )
            for name, entry in manifest["modules"].items()
        }
        image = CodeImage(
            manifest["task_file"],
            (task / manifest["task_file"]).read_bytes(),
            (task / "psy-conf.py").read_bytes() if manifest["conf"] else None,
            modules,
            manifest["file_dep"],
        )
    except WorkdirError:
        raise
    except (OSError, KeyError, TypeError, AttributeError) as err:
        raise WorkdirError(
            f"the frozen code in {folder} is damaged ({err!r}); run the task again"
        ) from err
    if image.digest() != folder.name:
        raise WorkdirError(f"the frozen code in {folder} is damaged; run the task again")
    return image


def frozen_modules(image: CodeImage, taskdir: Path) -> dict[str, FrozenModule]:
    """Return a code's local modules, their paths where the user has them."""
    return {
        name: FrozenModule(taskdir / module.path, module.source, module.is_package)
        for name, module in image.modules.items()
    }


def _digest_of_module(source: bytes) -> str:
    """Digest what can change a result; of what is no Python source, every byte."""
    try:
        texts = sorted(fingerprint.parts_of(source).items())
    except (SyntaxError, ValueError):
        return _sha256(source)
    return fingerprint.digest(map(repr, texts))


def _files(entries: Collection[str | os.PathLike[str]], taskdir: Path) -> Iterator[Path]:
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


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as err:
        return f"unreadable: {err.strerror}"


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
        tree = ast.parse(source)
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


def is_local(path: Path) -> bool:
    """Tell whether a file is the user's own: not installed, not Python's, not Psyrun's."""
    resolved = path.resolve()
    return not (
        {"site-packages", "dist-packages"} & set(resolved.parts)
        or resolved.is_relative_to(_STANDARD_LIBRARY)
        or resolved.is_relative_to(_OWN_PACKAGE)
    )
