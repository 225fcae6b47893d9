"""Own what the value of a setting may be, and what counts where none is set."""

import os
import reprlib
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from math import inf
from typing import Any

from psyrun.backend import Backend, DistributeBackend
from psyrun.exceptions import TaskError
from psyrun.pspace import ParameterSpace
from psyrun.scheduler import ImmediateRun, Scheduler
from psyrun.settings import Setting
from psyrun.store import DefaultStore, Store
from psyrun.store.known import class_named

_DEFAULT_CLASSES: Mapping[str, type] = {
    "backend": DistributeBackend,
    "scheduler": ImmediateRun,
    "store": DefaultStore,
}

SCHEDULERS = ("ImmediateRun", "LSF", "PBS", "SGE", "Slurm", "Sqsub")
"""The schedulers of Psyrun."""

_MEANT = {
    **{name.lower(): name for name in SCHEDULERS},
    "immediate": "ImmediateRun",
    "local": "ImmediateRun",
    "gridengine": "SGE",
}
"""By what people call a scheduler: its class."""


def default(setting: Setting) -> Any:
    """Return what counts where a setting is not set."""
    made = _DEFAULT_CLASSES.get(setting.name)
    if made is not None:
        return made
    return {} if setting.kinds[0] in {"mapping", "texts"} else setting.default


def checked(setting: Setting, value: Any) -> Any:
    """Bring a setting's value into its final form, or say what it should have been."""
    kind = setting.kinds[0]
    if kind == "mapping" and value is None:
        return {}
    if value is None and ("none" in setting.kinds or kind in {"space", "function"}):
        return None
    if kind in {"scheduler", "store"} and isinstance(value, type):
        value = _made(setting, value)
    elif kind in {"names", "files"} and isinstance(value, Iterable | os.PathLike):
        value = [value] if isinstance(value, str | os.PathLike) else list(value)
    elif kind == "path" and isinstance(value, os.PathLike):
        value = os.fspath(value)
    wanted, fits = KINDS[kind]
    if not fits(value):
        raise TaskError(
            f"{setting.name} is {reprlib.repr(value)}, but should be {wanted}"
            f"{_line_to_write(kind, value)}"
        )
    return value


def _line_to_write(kind: str, value: Any) -> str:
    """Say what to write in the place of a store's or a scheduler's name as a text."""
    name = None
    if kind == "store":
        name = class_named(value)
    elif kind == "scheduler":
        name = _MEANT.get(str(value).lower())
    return f": from psyrun import {name}; {kind} = {name}" if name else ""


def _made(setting: Setting, cls: type) -> Any:
    """Make an object of a class that stands for one; any other class is no such setting."""
    if not issubclass(cls, Scheduler | Store):
        return cls
    try:
        return cls()
    except TypeError as err:
        raise TaskError(
            f"{setting.name} is the class {cls.__name__}, but no object with that interface "
            f"can be made of it without arguments ({err}); give an object"
        ) from err


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "space": (
        "a parameter space such as Param(a=range(3))",
        lambda value: isinstance(value, ParameterSpace),
    ),
    "function": ("a function", callable),
    "scheduler": ("a scheduler or its class", lambda value: isinstance(value, Scheduler)),
    "store": ("a store or its class", lambda value: isinstance(value, Store)),
    "class": (
        "a backend class such as DistributeBackend",
        lambda value: isinstance(value, type) and issubclass(value, Backend),
    ),
    "names": (
        "a list of names",
        lambda value: isinstance(value, list) and all(map(_is_text, value)),
    ),
    "files": (
        "a list of paths",
        lambda value: isinstance(value, list) and all(map(_is_path, value)),
    ),
    "count": (
        "a whole number, at least 1",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
    ),
    "seconds": (
        "a number of seconds above 0",
        lambda value: (
            isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf
        ),
    ),
    "flag": ("True or False", lambda value: isinstance(value, bool)),
    "path": ("a path", _is_text),
    "text": ("a text", _is_text),
    "mapping": ("a dict", lambda value: isinstance(value, Mapping)),
    "texts": (
        "a dict of texts by name",
        lambda value: isinstance(value, Mapping) and all(map(_is_text, chain(*value.items()))),
    ),
}
"""For each kind of setting: what it should be, in words, and whether a value is that."""
