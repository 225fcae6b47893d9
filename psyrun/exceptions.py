"""Own every error and warning of Psyrun; know nothing of the rest.

Each error also derives from the builtin that callers would catch. Errors and warnings are made
from their message alone, so they survive pickling.
"""

__all__ = [
    "ArgumentError",
    "DamagedError",
    "ExtraError",
    "IneffectiveExcludeWarning",
    "JobsRunningWarning",
    "LockedError",
    "ParameterSpaceError",
    "PsyrunError",
    "ResultsError",
    "RowError",
    "SchedulerError",
    "StoreError",
    "TaskError",
    "TaskWarning",
    "TaskWorkdirDirtyWarning",
    "Terminated",
    "UnansweredError",
    "WorkdirError",
]


class PsyrunError(Exception):
    """Something the user can mend: the message says what and how."""


class ArgumentError(PsyrunError, TypeError, ValueError):
    """A function of Psyrun was called with something that it cannot take."""


class ParameterSpaceError(PsyrunError, ValueError):
    """A parameter space cannot be built or combined as asked."""


class RowError(PsyrunError, TypeError):
    """One row's function returned something that is no result."""


class TaskError(PsyrunError, ValueError):
    """A task file cannot be used as it is."""


class WorkdirError(PsyrunError, OSError):
    """A file of the work directory cannot be read or written."""


class DamagedError(WorkdirError):
    """A file of the work directory is not as it was written."""


class LockedError(PsyrunError, RuntimeError):
    """Another process holds the task."""


class StoreError(PsyrunError, ValueError):
    """A result file cannot be written or read."""


class ResultsError(PsyrunError, ValueError):
    """Results cannot be had in the form asked for."""


class ExtraError(PsyrunError, ImportError):
    """A library that is not always installed is needed; the message says how to get it."""


class SchedulerError(PsyrunError, RuntimeError):
    """A scheduler refused or did not answer."""


class UnansweredError(SchedulerError):
    """Whether a scheduler accepted what was submitted is not known."""


class TaskWarning(UserWarning):
    """Something about a task deserves a look."""


class JobsRunningWarning(TaskWarning):
    """Jobs of the task are queued or running, so nothing was started."""


class TaskWorkdirDirtyWarning(TaskWarning):
    """The work directory holds results of other code, and `overwrite_dirty` is off."""


class IneffectiveExcludeWarning(TaskWarning):
    """A name to exclude from the results does not occur in them."""


class Terminated(BaseException):
    """SIGTERM came; raised wherever the program is, so that everything is put in order."""
