"""Own the end of a run whose rows are all done: its result, and what that makes obsolete."""

import dataclasses
import shutil
from pathlib import Path

from psyrun.merge import Merger, check_target, write_result
from psyrun.runfile import RunFile, write_run_file
from psyrun.snapshot import load
from psyrun.state import TaskState
from psyrun.tasks import TaskDef
from psyrun.workdir import Workdir, job_of, run_of


def merge_run(workdir: Workdir, file: RunFile, state: TaskState, task: TaskDef) -> None:
    """Make the result of a run whose rows are all done, and remove what it makes obsolete."""
    run = state.run
    merger = Merger(
        workdir, state, load(workdir.snapshot(run.snapshot), verify=True), task.store
    )
    target = Path(run.resultfile)
    check_target(task.store, target, file.result)
    result = write_result(merger, target, run.exclude)
    write_run_file(workdir, prune(workdir, dataclasses.replace(file, result=result), state))


def prune(workdir: Workdir, file: RunFile, state: TaskState) -> RunFile:
    """Remove the rows, spaces and codes that the new result made obsolete."""
    used = {source.path for source in state.sources}
    used |= {workdir.partial_info(s.job) for s in state.sources if not s.is_journal}
    for path in workdir.row_files():
        if path not in used:
            path.unlink(missing_ok=True)
    numbers = {run_of(source.job) for source in state.sources} | {state.run.number}
    snapshots = {source.snapshot for source in state.sources} | {state.run.snapshot}
    codes = {source.code for source in state.sources} | {state.run.code}
    for folder, kept in ((workdir.snapshots_folder, snapshots), (workdir.codes_folder, codes)):
        for path in folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)
    for path in (*workdir.jobs_folder.iterdir(), *workdir.log_folder.iterdir()):
        if run_of(job_of(path)) not in numbers:
            path.unlink(missing_ok=True)
    return dataclasses.replace(file, runs=tuple(r for r in file.runs if r.number in numbers))
