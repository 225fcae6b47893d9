"""Own task files: which there are, what they set, and whether that can be used."""

import ast
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from psyrun.backend import Backend, DistributeBackend
from psyrun.code import CodeImage, present_code
from psyrun.exceptions import TaskError, TaskWarning
from psyrun.loading import run_module, working_in
from psyrun.pspace import ParameterSpace
from psyrun.scheduler import ImmediateRun, Scheduler
from psyrun.settings import SETTINGS, Setting
from psyrun.signature import check_call, takes
from psyrun.store import DefaultStore, Store
from psyrun.taskfiles import CONF, close_matches, find_task_file, find_task_files, name_from

_CLOSE = 0.8

_DEFAULT_CLASSES: Mapping[str, type] = {
    "backend": DistributeBackend,
    "scheduler": ImmediateRun,
    "store": DefaultStore,
}
_INSTANCES: Mapping[str, type] = {"scheduler": Scheduler, "store": Store}


class Config:
    """Settings, as attributes; what was not set has its default.

    Parameters
    ----------
    **values
        Settings by name.

    Raises
    ------
    TaskError
        If a value is not what the setting can be.
    """

    def __init__(self, **values: Any) -> None:
        for name, setting in SETTINGS.items():
            value = values.get(name, _default(setting))
            setattr(self, name, _checked(setting, value))

    @classmethod
    def load_from_file(cls, filename: str | os.PathLike[str]) -> Self:
        """Read the settings in a file such as `psy-conf.py`."""
        _, settings = _load(Path(filename).absolute(), "psy_conf")
        return cls(**settings)


def _default(setting: Setting) -> Any:
    made = _DEFAULT_CLASSES.get(setting.name)
    if made is not None:
        return made
    return {} if setting.kinds[0] == "mapping" else setting.default


def _checked(setting: Setting, value: Any) -> Any:
    """Bring a setting's value into its final form, or say what it should have been."""
    kind = setting.kinds[0]
    if value is None and ("none" in setting.kinds or kind in {"space", "function"}):
        return None
    if kind == "instance" and isinstance(value, type):
        value = value()
    if kind in {"names", "files"}:
        value = [value] if isinstance(value, str | os.PathLike) else list(value)
    if kind == "path":
        value = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not _fits(setting, kind, value):
        raise TaskError(f"{setting.name} is {value!r}, but should be {_WANTED[kind]}")
    return value


_WANTED = {
    "space": "a parameter space such as Param(a=range(3))",
    "function": "a function",
    "instance": "an object with that interface, or its class",
    "class": "a backend class such as DistributeBackend",
    "names": "a list of names",
    "files": "a list of paths",
    "count": "a whole number, at least 1",
    "flag": "True or False",
    "path": "a path",
    "text": "a text",
    "mapping": "a dict",
}


def _fits(setting: Setting, kind: str, value: Any) -> bool:
    match kind:
        case "space":
            return isinstance(value, ParameterSpace)
        case "function":
            return callable(value)
        case "instance":
            return isinstance(value, _INSTANCES[setting.name])
        case "class":
            return isinstance(value, type) and issubclass(value, Backend)
        case "names":
            return all(isinstance(item, str) for item in value)
        case "files":
            return all(isinstance(item, str | os.PathLike) for item in value)
        case "count":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 1
        case "flag":
            return isinstance(value, bool)
        case "mapping":
            return isinstance(value, Mapping)
        case _:
            return isinstance(value, str)


class TaskDef(Config):
    """What a task file declares.

    Each setting is an attribute.

    Parameters
    ----------
    path : path
        The task file.
    conf : path or Config, optional
        Defaults: a file such as `psy-conf.py`, or settings read from one. None uses the
        `psy-conf.py` beside the task file, if there is one.
    image : CodeImage, optional
        Frozen code to run in the place of the present files.

    Attributes
    ----------
    path : Path
        The task file, absolute.
    module : module
        The task file, run.

    Raises
    ------
    TaskError
        If the file cannot be run or does not declare a usable task; the message says where.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        conf: str | os.PathLike[str] | Config | None = None,
        *,
        image: CodeImage | None = None,
    ) -> None:
        self.path = Path(path).absolute()
        self.conf_path = self._conf_path(conf)
        settings: dict[str, Any] = {}
        if isinstance(conf, Config):
            settings |= vars(conf) | {"name": None}
        elif self.conf_path is not None:
            settings |= _load(self.conf_path, "psy_conf", image and image.conf_source)[1]
        self.module, own = _load(self.path, self.path.stem, image and image.task_source)
        settings |= own
        try:
            super().__init__(**settings)
        except TaskError as err:
            raise TaskError(f"{self.path}: {err}") from err
        self.name: str = settings.get("name") or name_from(self.path)

    def _conf_path(self, conf: str | os.PathLike[str] | Config | None) -> Path | None:
        if isinstance(conf, Config):
            return None
        if conf is not None:
            return Path(conf).absolute()
        beside = self.path.with_name(CONF)
        return beside if beside.exists() else None

    @property
    def taskdir(self) -> Path:
        """The folder of the task file."""
        return self.path.parent

    def code(self) -> CodeImage:
        """Read the present code that results depend on."""
        return present_code(self.path, self.conf_path, self.file_dep)

    def check(self) -> None:
        """Make sure that the task can be evaluated.

        Raises
        ------
        TaskError
            If `pspace` or `execute` is missing, or the arguments of `execute` don't match.
        """
        if self.pspace is None:
            raise TaskError(f"{self.path} sets no pspace: {_WANTED['space']} is needed")
        if self.execute is None:
            raise TaskError(
                f"{self.path} defines no execute: a function is needed that takes "
                f"{', '.join(self.pspace.keys()) or 'nothing'} and returns a dict of results"
            )
        names = self.pspace.keys()
        if self.setup is not None:  # what setup returns may fill in what the space lacks
            names = [n for n in names if n not in takes(self.execute, names)]
            names and self._refuse(check_call(self.execute, names))
        elif names or self.pspace.size:
            self._refuse(check_call(self.execute, names))

    def _refuse(self, problem: str | None) -> None:
        if problem:
            have = ", ".join(self.pspace.keys())
            raise TaskError(f"{self.path}: {problem}; the parameters are: {have}")


def _load(
    path: Path, name: str, frozen: bytes | None = None
) -> tuple[ModuleType, dict[str, Any]]:
    """Run a file, or a frozen copy in its place, and pick out what it sets.

    Raises
    ------
    TaskError
        If it cannot be run, or a name looks like a misspelt setting and is never used.
    """
    try:
        source = path.read_bytes() if frozen is None else frozen
    except OSError as err:
        raise TaskError(f"cannot read {path}: {err.strerror}") from err
    with working_in(path.parent):
        module = run_module(name, path, source)
    for unused, line in _unused_names(source):
        close = [] if unused in SETTINGS else close_matches(unused, list(SETTINGS), _CLOSE)
        if close:
            raise TaskError(
                f"{path}:{line}: {unused} is no setting and is used nowhere; "
                f"did you mean {close[0]}?"
            )
    settings = {name: getattr(module, name) for name in SETTINGS if hasattr(module, name)}
    return module, settings


def _unused_names(source: bytes) -> Iterator[tuple[str, int]]:
    """Yield the public names that a file defines at top level and never reads."""
    tree = ast.parse(source)
    used = {node.id for node in ast.walk(tree) if _is_read(node)}
    for node in tree.body:
        for name in _assigned(node):
            if name not in used and not name.startswith("_"):
                yield name, node.lineno


def _is_read(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


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


class PackageLoader:
    """Finds the task files of a task directory.

    Parameters
    ----------
    taskdir : path
        The folder with the files `task_<name>.py` and, for defaults, `psy-conf.py`.
    """

    def __init__(self, taskdir: str | os.PathLike[str]) -> None:
        self.taskdir = Path(taskdir).absolute()

    def load(self, name: str) -> TaskDef:
        """Load one task.

        Raises
        ------
        TaskError
            If there is no such task, or its file cannot be used.
        """
        return TaskDef(find_task_file(self.taskdir, name))

    def load_task_defs(self) -> list[TaskDef]:
        """Load all tasks; a file that cannot be used is warned of and left out."""
        tasks = []
        for name in find_task_files(self.taskdir):
            try:
                tasks.append(self.load(name))
            except TaskError as err:
                warnings.warn(str(err), TaskWarning, stacklevel=2)
        return tasks

