"""Own `psy run`, and the way every command goes through tasks."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from psyrun import filedeps, report, rows
from psyrun.commands.messages import show_error, show_note, show_warning
from psyrun.commands.options import Options
from psyrun.commands.turns import in_turn, note_no_tasks
from psyrun.exceptions import TaskError
from psyrun.filedigests import seconds_to_settle
from psyrun.loading import forgetting_local_modules
from psyrun.locks import read_holder
from psyrun.plan import Action, Plan
from psyrun.progress import Bar
from psyrun.run import Outcome, carry_out, check_writable, holding, prepare, workdir_of
from psyrun.runfile import read_run_file
from psyrun.taskfiles import find_task_file, find_task_files
from psyrun.tasks import TaskDef
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
        yield TaskDef(file)


def task_files(options: Options, names: Sequence[str]) -> dict[str, Path]:
    """Find the files of some tasks, or of all, by the tasks' names."""
    if names:
        return {name: find_task_file(options.taskdir, name) for name in names}
    files = find_task_files(options.taskdir)
    if not files:
        note_no_tasks(options)
    return files


def run_task(task: TaskDef, command: Sequence[str], *, keep: bool, force: bool) -> bool:
    """Bring one task up to date; return whether it is. `command` is noted with the run."""
    workdir = workdir_of(task)
    began = time.monotonic()
    with holding(workdir, task.name) as check_held:
        _let_files_settle(task)
        plan = prepare(task, workdir, keep=keep, force=force)
        for note in plan.present.lost:
            show_warning(f"{task.name}: {note}")
        check_writable(plan)
        if plan.action in (Action.EVALUATE, Action.MERGE):
            show_note(report.announcement(plan))
        bar = Bar(rows.count(plan.todo), task.name)

        def on_progress(done: int, failed: int) -> None:
            check_held()  # whoever took over must not have its rows removed by this merge
            bar.update(done, failed)

        try:
            outcome = carry_out(plan, workdir, on_progress, command)
        finally:
            bar.close()
    if outcome.ok:
        click.echo(report.success(outcome, time.monotonic() - began))
    elif plan.action is Action.EVALUATE:
        _complain(outcome, workdir)
    return outcome.ok


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
    for note in plan.present.lost:
        show_warning(f"{task.name}: {note}")
    refused = plan.action in (Action.REFUSE_DIRTY, Action.REFUSE_RUNNING)
    return holder is None and not refused


def look_ahead(
    task: TaskDef,
    workdir: Workdir,
    *,
    keep: bool = False,
    force: bool = False,
    verify: bool = True,
) -> Plan:
    """Make the plan for a task that others may be at; as `prepare`, which see.

    Where a run came or ended meanwhile, it is made again: half would be of what was before.
    """
    for _ in range(_ATTEMPTS):
        plan = prepare(task, workdir, keep=keep, force=force, verify=verify)
        if read_run_file(workdir, task.name) == plan.file:
            break
    return plan


def _complain(outcome: Outcome, workdir: Workdir) -> None:
    first, *others = report.complaint(outcome, workdir)
    show_error(first)
    for line in others:
        show_note(line)
