import inspect
import pickle

import pytest

from psyrun import exceptions
from psyrun.exceptions import (
    ArgumentError,
    LockedError,
    ParameterSpaceError,
    PsyrunError,
    RowError,
    SchedulerError,
    StoreError,
    TaskError,
    TaskWarning,
    WorkdirError,
)
from psyrun.pspace import AmbiguousOperationError

ALL = [
    *(thing for _, thing in inspect.getmembers(exceptions, inspect.isclass)),
    AmbiguousOperationError,
]


@pytest.mark.parametrize("kind", ALL)
def test_it_survives_pickling_with_its_message(kind):
    copy = pickle.loads(pickle.dumps(kind("what is wrong, and what to do")))
    assert type(copy) is kind
    assert str(copy) == "what is wrong, and what to do"


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (ArgumentError, TypeError),
        (ArgumentError, ValueError),
        (ParameterSpaceError, ValueError),
        (RowError, TypeError),
        (TaskError, ValueError),
        (WorkdirError, OSError),
        (LockedError, RuntimeError),
        (StoreError, ValueError),
        (SchedulerError, RuntimeError),
    ],
)
def test_callers_can_catch_the_builtin(kind, builtin):
    assert issubclass(kind, builtin)
    assert issubclass(kind, PsyrunError)


def test_every_warning_can_be_filtered_as_one():
    warned = [kind for kind in ALL if issubclass(kind, Warning)]
    assert warned
    assert all(issubclass(kind, TaskWarning) for kind in warned)


def test_all_that_is_exported_is_here():
    assert set(exceptions.__all__) == {
        name for name, _ in inspect.getmembers(exceptions, inspect.isclass)
    }
