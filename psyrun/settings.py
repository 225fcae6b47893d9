"""Own the one table of what a task file may set; know nothing of how it is used."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """One name that a task file or `psy-conf.py` may set.

    Attributes
    ----------
    name : str
        The name.
    kinds : tuple of str
        What it may be: 'space', 'function', 'scheduler', 'store', 'class', 'names',
        'files', 'count', 'seconds', 'flag', 'path', 'text', 'mapping', 'texts',
        'none'.
    doc : str
        What it means, for the reference.
    default : object
        What counts where nothing is set; shown in the reference as it is.
    can_stale : bool
        Whether an assignment to it belongs to the code that a result depends on.
    """

    name: str
    kinds: tuple[str, ...]
    doc: str
    default: Any = None
    can_stale: bool = False


SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("pspace", ("space",), "The parameter space to evaluate; required."),
        Setting(
            "execute",
            ("function",),
            "The function called with each assignment; returns a mapping of results; required.",
            can_stale=True,
        ),
        Setting(
            "setup",
            ("function", "none"),
            "Called as `setup(proc_id)` once in each row process before its first row; "
            "`proc_id` counts from 0 within a worker. A mapping that it returns is passed to "
            "`execute` as further keyword arguments.",
            can_stale=True,
        ),
        Setting(
            "name",
            ("text", "none"),
            "The task's name, as plain text; None takes it from the file's name.",
        ),
        Setting("backend", ("class",), "How rows are dealt out to jobs."),
        Setting("scheduler", ("scheduler",), "Where jobs run."),
        Setting(
            "scheduler_args",
            ("mapping", "none"),
            "What to ask of the scheduler for each job, such as `{'timelimit': '1h'}`.",
        ),
        Setting(
            "merge_args",
            ("mapping", "none"),
            "What to ask of the scheduler for the merge job, where it differs from "
            "`scheduler_args`.",
        ),
        Setting(
            "requeue",
            ("count", "none"),
            "How often a job may come back that ran out of time, was preempted or lost its "
            "node. None leaves it to the scheduler.",
        ),
        Setting("store", ("store",), "The file format of results."),
        Setting(
            "units",
            ("texts",),
            "The units of parameters and results by name, such as `{'x': 'm'}`; kept in "
            "results of HDF5.",
            {},
        ),
        Setting("max_jobs", ("count", "none"), "How many jobs at most; None is no limit.", 100),
        Setting("min_items", ("count",), "How many rows a job has at least.", 1),
        Setting(
            "pool_size",
            ("count", "none"),
            "Row processes of each worker. None is 1, and on this machine the usable cores.",
        ),
        Setting(
            "flock",
            ("flag", "none"),
            "Whether the file system of the work directory knows flock(2), which workers that "
            "share rows use. None finds out by trying; False also suits one where it counts on "
            "one host only.",
        ),
        Setting(
            "timeout",
            ("seconds", "none"),
            "How many seconds a row may take. One that takes longer fails, also where it hangs "
            "in compiled code, and the others go on. None is no limit.",
        ),
        Setting(
            "max_failures",
            ("count", "none"),
            "Stop a run when that many of its rows have failed; rows under way are "
            "interrupted, and evaluated by the next run. None is no limit.",
        ),
        Setting(
            "python", ("path",), "The Python interpreter that workers run.", sys.executable
        ),
        Setting(
            "exclude_from_result",
            ("names",),
            "Names of columns to leave out of the result.",
            (),
        ),
        Setting(
            "file_dep",
            ("files",),
            "Files, folders or glob patterns that results depend on, relative to the task "
            "directory.",
            (),
        ),
        Setting(
            "depends_on",
            ("names",),
            "Names of installed packages, such as `numpy`, whose version results depend on; "
            "`python` is the interpreter.",
            (),
        ),
        Setting(
            "overwrite_dirty",
            ("flag",),
            "Whether `psy run` may evaluate everything again when the code has changed.",
            default=True,
        ),
        Setting(
            "resultfile",
            ("path", "none"),
            "Where the result goes, relative to where `psy` is called; None is "
            "`<workdir>/<task>/result<ext>`.",
        ),
        Setting(
            "workdir",
            ("path",),
            "Where work directories are, relative to where `psy` is called; each task has one "
            "of its name there, so tasks that share it need different names.",
            "psy-work",
        ),
    )
}

HARMLESS = frozenset(name for name, setting in SETTINGS.items() if not setting.can_stale)
"""Settings whose change makes no row stale."""
