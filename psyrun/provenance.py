"""Own the record of a run that is about to start: what of, by whom, where, and with what.

What the environment holds is never noted: there may be secrets in it.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from psyrun import locks, machine
from psyrun.code import CodeImage
from psyrun.files import write_bytes
from psyrun.git import git_state
from psyrun.plan import Plan, job_names
from psyrun.runfile import Run
from psyrun.scheduler import qualified_name
from psyrun.taskfiles import CONF
from psyrun.version import __version__
from psyrun.workdir import Workdir


def record(plan: Plan, workdir: Workdir, command: Sequence[str]) -> Run:
    """Note a run that is about to start, and keep what differs from the commit as a file.

    Parameters
    ----------
    plan : Plan
        What will be done.
    workdir : Workdir
        The task's work directory.
    command : sequence of str
        The command that does it.
    """
    task, image, run = plan.task, plan.present.image, plan.present.run
    return dataclasses.replace(
        run,
        jobs=dict.fromkeys(job_names(plan)),
        scheduler=qualified_name(task.scheduler),
        store=task.store.description,
        units=dict(task.units),
        resultfile=str(plan.resultfile),
        exclude=tuple(task.exclude_from_result),
        when=locks.now(),
        host=machine.host(),
        user=machine.user(),
        versions=dict(sorted({**image.packages, "psyrun": __version__}.items())),
        command=tuple(command),
        folder=str(Path.cwd()),
        place=str(workdir.root.absolute()),
        git=_git(image, task.taskdir, workdir, run.number),
    )


def _git(
    image: CodeImage, taskdir: Path, workdir: Workdir, number: int
) -> dict[str, Any] | None:
    """Ask git about the code, and write the diff to its file; see `Run.git`."""
    found = git_state(taskdir, _files_of(image))
    if found is None:
        return None
    file = workdir.git_diff(number)
    if found.diff:
        write_bytes(file, found.diff)
    return {
        "commit": found.commit,
        "branch": found.branch,
        "dirty": found.dirty,
        "untracked": list(found.untracked),
        "diff": file.relative_to(workdir.root).as_posix() if found.diff else None,
        "cut": found.cut,
    }


def _files_of(image: CodeImage) -> Iterator[str]:
    """Name the files that a code was read from, relative to the task directory."""
    yield image.task_file
    if image.conf_source is not None:
        yield CONF
    for module in image.modules.values():
        if module.source is not None:
            yield module.path.as_posix()
