"""Own frozen code: what of the user's code a run depends on, copied as it was submitted.

Knows nothing of parameter spaces and runs.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from psyrun import filedeps, syntax
from psyrun.exceptions import WorkdirError
from psyrun.files import read_record, replacing_folder, write_record
from psyrun.loading import FrozenModule

FORMAT = 1
_MANIFEST = "manifest.json"


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
    packages : dict
        Versions by name: of Python, and of the packages that the sources import or that
        `depends_on` lists. Empty in what an earlier Psyrun froze, and where the interpreter
        cannot be asked.
    """

    task_file: str
    task_source: bytes
    conf_source: bytes | None = None
    modules: Mapping[str, FrozenModule] = field(default_factory=dict)
    file_dep: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> list[bytes]:
        """All texts that it consists of."""
        texts = (self.task_source, self.conf_source, *(m.source for m in self.modules.values()))
        return [text for text in texts if text is not None]

    def digest(self) -> str:
        """Name this code by everything in it, comments too."""
        texts = [json.dumps(self._manifest(), sort_keys=True), _sha256(self.task_source)]
        texts += [_sha256(self.conf_source or b"")]
        texts += [_sha256(m.source or b"") for _, m in sorted(self.modules.items())]
        return syntax.digest(texts)

    def parts(self, ignored: Collection[str]) -> dict[str, str]:
        """Digest what can change a result, by name; this is the code's syntax.

        Parameters
        ----------
        ignored : collection of str
            Settings: names whose assignments in the task file don't count.
        """
        parts = {
            f"`{name}`" if name else "imports or statements": text
            for name, text in syntax.parts_of(self.task_source, ignored).items()
        }
        if self.conf_source is not None:
            conf = syntax.parts_of(self.conf_source, ignored)
            if conf.keys() & {"execute", "setup"}:
                parts |= {f"`{name}` of psy-conf.py": text for name, text in conf.items()}
        for name, module in self.modules.items():
            if module.source is not None:
                parts[f"module `{name}`"] = _digest_of_module(module.source)
        return parts | {f"file `{path}`": digest for path, digest in self.file_dep.items()}

    def changed_files(self, taskdir: Path) -> list[str]:
        """List the file dependencies whose content is no longer what it was."""
        return [
            path
            for path, sha in self.file_dep.items()
            if filedeps.sha256_of(taskdir / path) != sha
        ]

    def _manifest(self) -> dict[str, object]:
        manifest = {
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
        if self.packages:  # else it keeps the digest that earlier ones gave it
            manifest["packages"] = dict(sorted(self.packages.items()))
        return manifest

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
    task_path: Path,
    conf_path: Path | None,
    file_dep: Collection[str | os.PathLike[str]],
    depends_on: Collection[str] = (),
    python: str | None = None,
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
    depends_on : collection of str
        Packages whose versions the results depend on.
    python : str, optional
        The interpreter that will run the code. None is this one.

    Raises
    ------
    TaskError
        If a file dependency does not exist, or a package is not installed.
    """
    from psyrun.localmodules import local_modules  # parses code, which no worker needs
    from psyrun.packages import packages_of

    taskdir = task_path.parent
    source = task_path.read_bytes()
    conf = conf_path.read_bytes() if conf_path else None
    modules = local_modules([text for text in (source, conf) if text is not None], taskdir)
    relative = {
        name: FrozenModule(Path(os.path.relpath(m.path, taskdir)), m.source, m.is_package)
        for name, m in modules.items()
    }
    hashes = {
        os.path.relpath(path, taskdir): filedeps.sha256_of(path)
        for path in filedeps.files(file_dep, taskdir)
    }
    image = CodeImage(task_path.name, source, conf, relative, hashes)
    packages = packages_of(image.sources, relative.keys(), depends_on, python)
    return replace(image, packages=packages)


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
            manifest.get("packages", {}),
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
        texts = sorted(syntax.parts_of(source).items())
    except (SyntaxError, ValueError):
        return _sha256(source)
    return syntax.digest(map(repr, texts))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
