"""What a scheduler of a user raises becomes a SchedulerError."""

import subprocess

import pytest

from psyrun.exceptions import SchedulerError
from psyrun.scheduler import ImmediateRun, scheduler_errors


class Custom(ImmediateRun):
    """Some scheduler that is not Psyrun's."""


FAILED = subprocess.CalledProcessError(3, ["enqueue"], stderr=b"queue\nfull\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FAILED, r"Custom raised CalledProcessError: .*enqueue.* status 3\. queue full$"),
        (FileNotFoundError(2, "none", "enqueue"), "FileNotFoundError: .*enqueue"),
        (KeyError("queue"), "^Custom raised KeyError: 'queue'$"),
        (ValueError(), "^Custom raised ValueError$"),
        (ValueError("two\nlines"), "^Custom raised ValueError: two lines$"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_a_scheduler_raises_names_its_class(error: Exception, message: str) -> None:
    with pytest.raises(SchedulerError, match=message) as caught, scheduler_errors(Custom()):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [NotImplementedError("no arrays"), SchedulerError("full")])
def test_what_is_understood_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, scheduler_errors(Custom()):
        raise error
    assert caught.value is error


def test_a_break_is_no_error_of_the_scheduler() -> None:
    with pytest.raises(KeyboardInterrupt), scheduler_errors(Custom()):
        raise KeyboardInterrupt
