"""Own how parameter values become bytes, and which functions and classes they refer to."""

import io
import pickle
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from psyrun.exceptions import ParameterSpaceError

Reference = tuple[str, str]
"""A function or class: its module, and its qualified name in there."""

WHOLE = "*"
"""Stands for all of a module."""

_NAMED = (type, FunctionType, BuiltinFunctionType)


def dumps(name: str, value: Any) -> tuple[bytes, set[Reference]]:
    """Pickle a value of a parameter.

    Returns
    -------
    data : bytes
        The pickle, of protocol 5.
    references : set of (module, name)
        The functions and classes it refers to, among them the classes of its objects.

    Raises
    ------
    ParameterSpaceError
        If it cannot be pickled; the message names the parameter.
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, 5)
    try:
        pickler.dump(value)
    except (pickle.PicklingError, TypeError, AttributeError):
        return _cloudpickled(name, value)
    return buffer.getvalue(), pickler.references


class _Pickler(pickle.Pickler):
    """Notes what it comes across."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.references: set[Reference] = set()

    def reducer_override(self, value: Any) -> Any:
        """Note a function or class, or the class of an object, and pickle it as ever."""
        self.references.add(_reference(value))
        return NotImplemented


def _reference(value: Any) -> Reference:
    """Name a function, what wraps one, a class, a module, or the class of an object."""
    if isinstance(value, ModuleType):
        return value.__name__, WHOLE
    wraps = isinstance(getattr(value, "__wrapped__", None), FunctionType)
    named = value if wraps or isinstance(value, _NAMED) else type(value)
    return str(named.__module__), named.__qualname__


def _cloudpickled(name: str, value: Any) -> tuple[bytes, set[Reference]]:
    """Pickle what plain pickle cannot, such as functions without a name."""
    import cloudpickle

    references: set[Reference] = set()

    class Noting(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, value: Any) -> Any:
            references.add(_reference(value))
            return super().reducer_override(value)

    buffer = io.BytesIO()
    try:
        Noting(buffer, 5).dump(value)
    except Exception as err:
        raise ParameterSpaceError(
            f"parameter {name!r} holds a value that cannot be pickled ({err}), so jobs cannot "
            "be given it; hold a name or number and make the object in execute()"
        ) from err
    return buffer.getvalue(), references
