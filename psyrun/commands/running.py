"""Own `psy run`, and the way every command goes through tasks."""

import contextlib
import dataclasses
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from psyrun import filedeps, report, rows
from psyrun.awaiting import is_whole, wait
from psyrun.commands.messages import show_error, show_note, show_warning
from psyrun.commands.options import Options
from psyrun.commands.slips import slips
from psyrun.commands.turns import in_turn, note_no_tasks
from psyrun.exceptions import TaskError, TaskWarning
from psyrun.filedigests import seconds_to_settle
from psyrun.loading import forgetting_local_modules
from psyrun.locks import read_holder, seconds_since
from psyrun.plan import Action, Plan, is_as_submitted, job_names
from psyrun.progress import Bar
from psyrun.run import (
    Outcome,
    carry_out,
    check_writable,
    come_of,
    holding,
    is_local,
    note_found,
    prepare,
    workdir_of,
)
from psyrun.runfile import read_run_file
from psyrun.submission import merge_submission, named, scripts, submissions
from psyrun.submitted import Queue
from psyrun.taskfiles import find_task_file, find_task_files
from psyrun.tasks import TaskDef
from psyrun.timing import Stopwatch
from psyrun.why import reasons
from psyrun.workdir import Workdir

_ATTEMPTS = 3


def each_task(options: Options, names: Sequence[str], action: Callable[[TaskDef], bool]) -> int:
    """Do something with each of some tasks, or with all; return the exit code.

    What goes wrong with one task is reported, and the others have their turn.
    """
    files = task_files(options, names)

    def turn(file: Path) -> bool:
        with loaded_task(file) as task:
            return action(task)

    return in_turn(options, files.values(), turn)


@contextlib.contextmanager
def loaded_task(file: Path) -> Iterator[TaskDef]:
    """Load a task for a while; the next one loads its modules itself."""
    with forgetting_local_modules(file.parent):
        task = TaskDef(file)
        for slip in slips(task):
            warnings.warn(slip, TaskWarning, stacklevel=3)
        yield task


def task_files(options: Options, names: Sequence[str]) -> dict[str, Path]:
    """Find the files of some tasks, or of all, by the tasks' names."""
    if names:
        return {name: find_task_file(options.taskdir, name) for name in names}
    files = find_task_files(options.taskdir)
    if not files:
        note_no_tasks(options)
    return files


class Wish(NamedTuple):
    """What `psy run` is asked for.

    Attributes
    ----------
    keep : bool
        Keep rows by earlier code.
    force : bool
        Evaluate all rows again.
    wait : bool
        Stay until jobs elsewhere have ended.
    """

    keep: bool = False
    force: bool = False
    wait: bool = False


def run_tasks(options: Options, names: Sequence[str], wish: Wish) -> int:
    """Bring some tasks up to date, or all; return the exit code."""
    awaited: list[Plan] = []
    watch = Stopwatch(options.began)

    def turn(task: TaskDef) -> bool:
        watch.lap("start")
        try:
            return run_task(task, options.command, wish, awaited, watch)
        finally:
            watch.restart()

    code = each_task(options, names, turn)
    return max(code, in_turn(options, awaited, _await))


def run_task(
    task: TaskDef,
    command: Sequence[str],
    wish: Wish,
    awaited: list[Plan] | None = None,
    watch: Stopwatch | None = None,
) -> bool:
    """Bring one task up to date; return whether it is, or will be by its jobs.

    Parameters
    ----------
    task : TaskDef
        The task.
    command : sequence of str
        What to note with the run.
    wish : Wish
        How.
    awaited : list of Plan, optional
        Gets the plan, where it is wished to wait for its jobs.
    watch : Stopwatch, optional
        Where the phases are noted.
    """
    workdir, watch = workdir_of(task), watch or Stopwatch()
    began = time.monotonic()
    with holding(workdir, task.name) as check_held:
        _let_files_settle(task)
        plan = prepare(task, workdir, keep=wish.keep, force=wish.force)
        watch.lap("plan")
        note_found(plan, workdir)
        for note in plan.present.lost:
            show_warning(f"{task.name}: {note}")
        check_writable(plan)
        if plan.action in (Action.EVALUATE, Action.ADD_WORKERS, Action.MERGE):
            show_note(report.announcement(plan))
        if wish.wait and awaited is not None and plan.action is Action.REFUSE_RUNNING:
            awaited.append(plan)
            return True
        bar = Bar(rows.count(plan.todo), task.name)

        def on_progress(done: int, failed: int) -> None:
            check_held()  # whoever took over must not have its rows removed by this merge
            bar.update(done, failed)

        try:
            outcome = carry_out(plan, workdir, on_progress, command, watch)
        except BaseException as err:
            if not isinstance(err, Exception) and not is_local(task):
                show_note(f"{task.name}: jobs may have been submitted: psy status {task.name}")
            raise
        finally:
            bar.close()
    if outcome.ok:
        click.echo(report.success(outcome, time.monotonic() - began))
        if wish.wait and awaited is not None and outcome.submitted is not None:
            awaited.append(plan)
    elif plan.action is Action.EVALUATE:
        _complain(outcome, workdir)
    return outcome.ok


def _await(plan: Plan) -> bool:
    """Wait for the jobs of a task; return whether its result stands then."""
    task, workdir = plan.task, workdir_of(plan.task)
    bar = Bar(rows.count(plan.todo), task.name)
    before: list[int] = []

    def on_progress(done: int, failed: int) -> None:
        if not before:  # what the run had come to before this command
            before.append(done + failed)
            bar.total += done + failed
        bar.update(done, failed)

    try:
        file, state = wait(
            workdir, task.name, lambda: Queue(task.taskdir, task.scheduler), on_progress
        )
    except BaseException as err:
        if not isinstance(err, Exception):  # somebody asks this command to end
            again = f"psy run --wait {task.name}"
            show_note(f"{task.name}: the jobs go on; wait for them again with: {again}")
        raise
    finally:
        bar.close()
    whole = is_whole(file, state)
    outcome = come_of(plan, workdir, state, plan.resultfile if whole else None)
    if whole:
        click.echo(report.success(outcome, seconds_since(state.run.when)))
    else:
        _complain(outcome, workdir)
    if plan.action is Action.REFUSE_RUNNING and not is_as_submitted(plan):
        show_note(f"{task.name}: that is of what was submitted; it was edited since")
    return whole


def _let_files_settle(task: TaskDef) -> None:
    """Wait until large files can be remembered; else each job would have to read them."""
    with contextlib.suppress(TaskError):  # told, with the task file, when the plan is made
        time.sleep(seconds_to_settle(filedeps.files(task.file_dep, task.taskdir)))


def foretell(task: TaskDef, *, keep: bool, force: bool) -> bool:
    """Tell what `run_task` would do, and do nothing; return whether it would do it."""
    workdir = workdir_of(task)
    holder = read_holder(workdir.lock_file, workdir.holder_file)
    plan = look_ahead(task, workdir, keep=keep, force=force)
    check_writable(plan)
    click.echo(report.forecast(plan, held=holder is not None))
    for line in reasons(plan, workdir):
        click.echo(f"  {line}")
    if plan.action is Action.EVALUATE and not is_local(task):
        _show_scripts(plan, workdir)
    for note in plan.present.lost:
        show_warning(f"{task.name}: {note}")
    refused = plan.action in (Action.REFUSE_DIRTY, Action.REFUSE_RUNNING)
    return holder is None and not refused


def _show_scripts(plan: Plan, workdir: Workdir) -> None:
    """Show the job scripts that would be submitted: the first, and that of the merge job."""
    task = plan.task
    jobs = dict.fromkeys(job_names(plan))
    run = dataclasses.replace(plan.present.run, jobs=jobs)
    run = named(task, workdir, run, plan.limits.array)
    planned = submissions(task, workdir, run)
    shown = [*planned[:1], merge_submission(task, workdir, run)]
    for path, text in scripts(task.scheduler, shown):
        click.echo(f"  {os.path.relpath(path)}:")
        for line in text.rstrip("\n").split("\n"):
            click.echo(f"    {line}")
    if len(planned) > 1:
        click.echo(f"  and {len(planned) - 1:,} more like the first")


def look_ahead(
    task: TaskDef,
    workdir: Workdir,
    *,
    keep: bool = False,
    force: bool = False,
    verify: bool = True,
    queue: Queue | None = None,
) -> Plan:
    """Make the plan for a task that others may be at; as `prepare`, which see.

    Where a run came or ended meanwhile, it is made again: half would be of what was before.
    """
    for _ in range(_ATTEMPTS):
        plan = prepare(task, workdir, keep=keep, force=force, verify=verify, queue=queue)
        if read_run_file(workdir, task.name) == plan.file:
            break
    return plan


def _complain(outcome: Outcome, workdir: Workdir) -> None:
    first, *others = report.complaint(outcome, workdir)
    show_error(first)
    for line in others:
        show_note(line)
