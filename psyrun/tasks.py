"""Own task files: which there are, what they set, and whether that can be used."""

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from psyrun.backend import Backend
from psyrun.code import CodeImage, frozen_modules
from psyrun.exceptions import TaskError, TaskWarning
from psyrun.filedigests import Digests, read_digests
from psyrun.loading import FrozenFinder, called_as, local_names, run_module, working_in
from psyrun.pspace import ParameterSpace
from psyrun.scheduler import Scheduler
from psyrun.settings import SETTINGS
from psyrun.settingvalues import KINDS, checked, default
from psyrun.signature import check_call, takes, takes_one
from psyrun.store import AutodetectStore, DefaultStore, Store, store_for
from psyrun.store.known import is_misnamed
from psyrun.taskfiles import (
    CONF,
    CONF_MODULE,
    declared,
    find_task_file,
    find_task_files,
    name_from,
    unused_names,
)
from psyrun.words import close_matches
from psyrun.workdir import Workdir

_CLOSE = 0.8
_NO_SLIPS = frozenset({"names"})
"""Names like a setting's that one would give to something else."""


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

    backend: type[Backend]
    depends_on: list[str]
    exclude_from_result: list[str]
    execute: Callable[..., Any]
    file_dep: list[str | os.PathLike[str]]
    flock: bool | None
    max_failures: int | None
    max_jobs: int | None
    merge_args: Mapping[str, Any]
    min_items: int
    name: str | None
    overwrite_dirty: bool
    pool_size: int | None
    pspace: ParameterSpace
    python: str
    requeue: int | None
    resultfile: str | None
    scheduler: Scheduler
    scheduler_args: Mapping[str, Any]
    setup: Callable[[int], Any] | None
    store: Store
    timeout: float | None
    units: Mapping[str, str]
    workdir: str

    def __init__(self, **values: Any) -> None:
        for name, setting in SETTINGS.items():
            value = values.get(name, default(setting))
            setattr(self, name, checked(setting, value))

    @classmethod
    def load_from_file(cls, filename: str | os.PathLike[str]) -> Self:
        """Read the settings in a file such as `psy-conf.py`."""
        path = Path(filename).absolute()
        _, settings = _load(path, CONF_MODULE, _read(path))
        return cls(**settings)


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
    digests : Digests
        What is known of the files in `file_dep` since their code was read.
    loaded : tuple of str
        The local modules that came to be imported while the present files were run.

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
        self.digests = Digests()
        before = {*sys.modules, CONF_MODULE, self.path.stem}
        self.conf_path = self._conf_path(conf, image)
        settings: dict[str, Any] = {}
        self._conf_source: bytes | None = None
        if isinstance(conf, Config):
            settings |= vars(conf) | {"name": None}
        elif self.conf_path is not None:
            self._conf_source = image.conf_source if image else _read(self.conf_path)
            settings |= _load(self.conf_path, CONF_MODULE, self._conf_source or b"")[1]
        source = self._source = image.task_source if image else _read(self.path)
        self.module, own = _load(self.path, self.path.stem, source)
        self.loaded = image.loaded if image else local_names(self.taskdir, before)
        super().__init__(**settings | own)
        if isinstance(self.store, AutodetectStore):
            self.store = store_for(self.resultfile) if self.resultfile else DefaultStore()
        self.name: str = declared(self.path, "name", source) or name_from(self.path)

    def _conf_path(
        self, conf: str | os.PathLike[str] | Config | None, image: CodeImage | None
    ) -> Path | None:
        if isinstance(conf, Config):
            return None
        if conf is not None:
            return Path(conf).absolute()
        beside = self.path.with_name(CONF)
        there = beside.exists() if image is None else image.conf_source is not None
        return beside if there else None

    @property
    def taskdir(self) -> Path:
        """The folder of the task file."""
        return self.path.parent

    def code(self) -> CodeImage:
        """Read the present code that results depend on.

        Raises
        ------
        TaskError
            If a file or package that results depend on is not there, or the task file or
            `psy-conf.py` is no longer as it was when it was run.
        """
        # row processes load tasks too, and have no use for this
        from psyrun.presentcode import present_code, with_packages

        workdir = Workdir(Path(self.workdir) / self.name)
        self.digests = read_digests(workdir.file_digests)
        try:
            image = present_code(
                self.path,
                self.conf_path,
                self.file_dep,
                digests=self.digests,
                loaded=self.loaded,
            )
            self._refuse_edited(image)
            self._refuse_own(image)
            return with_packages(image, self.depends_on, self.python)
        except TaskError as err:
            raise TaskError(f"{self.path}: {err}") from err

    def _refuse_edited(self, image: CodeImage) -> None:
        """Make sure that what was run is what is there now: jobs get that."""
        if image.task_source != self._source:
            raise TaskError("it changed since it was run for its settings; try again")
        if image.conf_source != self._conf_source:
            raise TaskError(f"{CONF} changed since it was run for its settings; try again")

    def _refuse_own(self, image: CodeImage) -> None:
        """Make sure that no result depends on what the run itself writes."""
        workdir = Path(self.workdir) / self.name
        own = [path.resolve() for path in (workdir, Path(self.resultfile or workdir))]
        for name in (*image.file_dep, *image.patterns):
            path = (self.taskdir / name).resolve()
            if any(one.is_relative_to(path) or path.is_relative_to(one) for one in own):
                raise TaskError(
                    f"file_dep includes {name}, where a run writes itself; name the files or "
                    "folders that it only reads"
                )

    def check(self) -> None:
        """Make sure that the task can be evaluated.

        Raises
        ------
        TaskError
            If `pspace` or `execute` is missing, or the arguments of `execute` don't match.
        """
        if self.pspace is None:
            raise TaskError(f"{self.path} sets no pspace: {KINDS['space'][0]} is needed")
        if self.execute is None:
            raise TaskError(
                f"{self.path} defines no execute: a function is needed that takes "
                f"{', '.join(self.pspace.keys()) or 'nothing'} and returns a dict of results"
            )
        if self.resultfile and is_misnamed(self.store, self.resultfile):
            warnings.warn(
                f"{self.name}: resultfile is {self.resultfile!r}, but the store is "
                f"{self.store.description}, which writes {self.store.ext}: others will take it "
                "for what its name says",
                TaskWarning,
                stacklevel=3,
            )
        names = self.pspace.keys()
        if self.setup is not None and not takes_one(self.setup):
            raise TaskError(
                f"{self.path}: setup() is called with one value, the number of its row "
                "process; write: def setup(proc_id)"
            )
        if self.setup is not None:  # what setup returns may fill in what the space lacks
            names = [n for n in names if n not in takes(self.execute, names)]
            if names:
                self._refuse(check_call(self.execute, names))
        elif names or self.pspace.size:
            self._refuse(check_call(self.execute, names))

    def _refuse(self, problem: str | None) -> None:
        if problem:
            have = ", ".join(self.pspace.keys())
            raise TaskError(f"{self.path}: {problem}; the parameters are: {have}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise TaskError(f"cannot read {path}: {err.strerror}") from err


def _load(path: Path, name: str, source: bytes) -> tuple[ModuleType, dict[str, Any]]:
    """Run a file's text, which may be a frozen copy, and pick out what it sets.

    Raises
    ------
    TaskError
        If it cannot be run, or a name looks like a misspelt setting and is never used.
    """
    with working_in(path.parent), called_as(path):
        module = run_module(name, path, source)
    for unused, line in unused_names(source):
        if unused in SETTINGS or unused in _NO_SLIPS:
            continue
        close = close_matches(unused, list(SETTINGS), _CLOSE)
        if close:
            raise TaskError(
                f"{path}:{line}: {unused} is no setting and is used nowhere; "
                f"did you mean {close[0]}?"
            )
    try:
        return module, {
            name: checked(setting, getattr(module, name))
            for name, setting in SETTINGS.items()
            if hasattr(module, name)
        }
    except TaskError as err:
        raise TaskError(f"{path}: {err}") from err


def load_frozen(image: CodeImage, taskdir: Path) -> TaskDef:
    """Load a task from frozen code; its local modules come from there too, from now on."""
    sys.meta_path.insert(0, FrozenFinder(frozen_modules(image, taskdir)))
    return TaskDef(taskdir / image.task_file, image=image)


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
