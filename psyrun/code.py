"""Own frozen code: what of the user's code a run depends on, copied as it was submitted.

Knows nothing of parameter spaces and runs.
"""

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psyrun import filedeps, syntax
from psyrun.exceptions import WorkdirError
from psyrun.filedigests import Digests
from psyrun.files import read_record, replacing_folder, write_record
from psyrun.loading import FrozenModule
from psyrun.taskfiles import CONF, CONF_MODULE

FORMAT = 1
_MANIFEST = "manifest.json"
_LOOKS_APART = 10
"""How many times as long as a look at files takes there is until the next."""


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
    patterns : tuple of str
        The folders and glob patterns among what `file_dep` named, relative to the task
        directory.
    loaded : tuple of str
        The modules that no text imports by name: they are known as the task file or
        `psy-conf.py` had loaded them.
    values : sequence of (module, name)
        The functions and classes that occur in the parameter space.
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
    patterns: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    values: Sequence[tuple[str, str]] = ()
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> list[bytes]:
        """All Python source code that it consists of."""
        modules = (module.source for module in self.modules.values() if module.is_text)
        texts = (self.task_source, self.conf_source, *modules)
        return [text for text in texts if text is not None]

    def digest(self) -> str:
        """Name this code by everything in it, comments too."""
        texts = [json.dumps(self._manifest(), sort_keys=True), _sha256(self.task_source)]
        texts += [_sha256(self.conf_source or b"")]
        texts += [_sha256(m.source or b"") for _, m in sorted(self.modules.items())]
        return syntax.digest(texts)

    def changed_files(self, taskdir: Path, digests: Digests | None = None) -> list[str]:
        """List the file dependencies that are no longer what they were, and new ones.

        Parameters
        ----------
        taskdir : Path
            The task directory.
        digests : Digests, optional
            What is known of large files. None reads all.
        """
        digests = digests or Digests()
        changed = [
            path
            for path, sha in self.file_dep.items()
            if digests.of(taskdir / path, path) != sha
        ]
        new = filedeps.added(self.patterns, self.file_dep, taskdir)
        return changed + [f"{path} (new)" for path in new]

    def _manifest(self) -> dict[str, object]:
        """Describe the code; what is empty is left out, as it was before it was known."""
        optional = {
            "patterns": list(self.patterns),
            "loaded": list(self.loaded),
            "values": [list(pair) for pair in self.values],
            "packages": dict(sorted(self.packages.items())),
        }
        return {name: value for name, value in optional.items() if value} | {
            "task_file": self.task_file,
            "conf": self.conf_source is not None,
            "modules": {
                name: {
                    "file": None if m.source is None else f"{name}{m.suffix}",
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
            except WorkdirError:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                return
        with replacing_folder(folder) as new:
            write_record(new / _MANIFEST, FORMAT, self._manifest(), settle=False)
            (new / "task").mkdir()
            (new / "task" / self.task_file).write_bytes(self.task_source)
            if self.conf_source is not None:
                (new / "task" / CONF).write_bytes(self.conf_source)
            (new / "modules").mkdir()
            for name, module in self.modules.items():
                if module.source is not None:
                    (new / "modules" / f"{name}{module.suffix}").write_bytes(module.source)


class FileWatch:
    """Looks now and then whether the files that a code depends on are as they were.

    Parameters
    ----------
    image : CodeImage
        The code.
    taskdir : Path
        The task directory.
    digests : Digests
        What is known of large files.
    """

    def __init__(self, image: CodeImage, taskdir: Path, digests: Digests) -> None:
        self._image, self._taskdir, self._digests = image, taskdir, digests
        self._due = 0.0

    def changed(self) -> list[str]:
        """List the files that changed; nothing if looking so soon would take too long.

        What a look costs is this process' own time: one that had to wait for others, on a
        busy machine, is no reason to overlook a change.
        """
        if time.monotonic() < self._due:
            return []
        began = time.process_time()
        found = self._image.changed_files(self._taskdir, self._digests)
        spent = time.process_time() - began
        self._due = time.monotonic() + _LOOKS_APART * spent
        return found


def with_values(image: CodeImage, references: Iterable[tuple[str, str]]) -> CodeImage:
    """Add the user's own functions and classes among those that a parameter space holds.

    Parameters
    ----------
    image : CodeImage
        The code.
    references : iterable of (module, name)
        All functions and classes that occur in the space.
    """
    own = {Path(image.task_file).stem, CONF_MODULE, *image.modules}
    values = sorted({(module, name) for module, name in references if module in own})
    return dataclasses.replace(image, values=tuple(values))


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
            name: _frozen_module(folder / "modules", entry)
            for name, entry in manifest["modules"].items()
        }
        image = CodeImage(
            manifest["task_file"],
            (task / manifest["task_file"]).read_bytes(),
            (task / CONF).read_bytes() if manifest["conf"] else None,
            modules,
            manifest["file_dep"],
            tuple(manifest.get("patterns", ())),
            tuple(manifest.get("loaded", ())),
            tuple((module, name) for module, name in manifest.get("values", ())),
            manifest.get("packages", {}),
        )
    except WorkdirError:
        raise
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as err:
        raise WorkdirError(
            f"the frozen code in {folder} is damaged ({err!r}); run the task again"
        ) from err
    if image.digest() != folder.name:
        raise WorkdirError(f"the frozen code in {folder} is damaged; run the task again")
    return image


def _frozen_module(folder: Path, entry: Mapping[str, Any]) -> FrozenModule:
    copy = entry["file"] and folder / entry["file"]
    source = copy and copy.read_bytes()
    return FrozenModule(Path(entry["path"]), source, entry["package"], copy)


def frozen_modules(image: CodeImage, taskdir: Path) -> dict[str, FrozenModule]:
    """Return a code's local modules, their paths where the user has them."""
    return {
        name: dataclasses.replace(module, path=taskdir / module.path)
        for name, module in image.modules.items()
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
