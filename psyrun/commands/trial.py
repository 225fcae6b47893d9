"""Own `psy test`: one assignment of a task, evaluated here and now."""

import contextlib
import functools
import reprlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

import click

from psyrun import machine, rows, snapshot
from psyrun.code import CodeImage, frozen_code
from psyrun.commands.messages import show_error, show_warning
from psyrun.commands.options import Options
from psyrun.commands.running import each_task
from psyrun.commands.storable import check_space, check_store
from psyrun.commands.turns import each_workdir
from psyrun.exceptions import RowError, TaskError
from psyrun.failures import as_mapping, checked_names, describe_error
from psyrun.filedigests import read_digests
from psyrun.loading import forgetting_local_modules, working_in
from psyrun.pspace import ParameterSpace
from psyrun.report import in_a_line, shortened
from psyrun.runfile import read_run_file
from psyrun.scheduler import ImmediateRun
from psyrun.taskfiles import find_task_files
from psyrun.tasks import TaskDef, load_frozen
from psyrun.units import duration
from psyrun.workdir import Workdir

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 70


class Wish(NamedTuple):
    """What was asked for.

    Attributes
    ----------
    row : int or None
        The row to evaluate. None is the first, if there is one.
    pdb : bool
        Whether to go into the debugger where it raises.
    as_run : bool
        Whether to take the space and the code of the last run.
    """

    row: int | None = None
    pdb: bool = False
    as_run: bool = False


@dataclass(frozen=True)
class Trial:
    """A row to evaluate, and what by.

    Attributes
    ----------
    task : TaskDef
        The task, present or frozen.
    space : ParameterSpace
        The space that the row is of.
    number : int
        The row.
    image : CodeImage or None
        The frozen code; None is the present one.
    by : str
        Which code that is, for people.
    """

    task: TaskDef
    space: ParameterSpace
    number: int
    image: CodeImage | None = None
    by: str = ""


def test_tasks(options: Options, names: Sequence[str], wish: Wish) -> int:
    """Evaluate a row of each of some tasks, or of all; return the exit code."""
    if wish != Wish():
        names = _only_one(options, names)
    if wish.as_run:
        return each_workdir(
            options, names, lambda name, workdir: _test_as_run(options, name, workdir, wish)
        )
    return each_task(options, names, lambda task: _test_present(task, wish))


def _only_one(options: Options, names: Sequence[str]) -> Sequence[str]:
    """Make sure that one task is named, or is the only one."""
    files = find_task_files(options.taskdir)
    known = list(dict.fromkeys(names or files))
    if len(known) > 1:
        raise click.UsageError(
            f"--row, --pdb and --as-run are for one task, not for {', '.join(known)}; "
            f"name one, as in: psy test {known[0]} --row 0"
        )
    return known


def _test_present(task: TaskDef, wish: Wish) -> bool:
    """Evaluate a row of the present space by the present code."""
    task.check()
    if not task.pspace.size and wish.row is None:
        click.echo(f"{task.name}: the parameter space has no rows")
        return True
    return _try_row(Trial(task, task.pspace, _checked_row(task, task.pspace, wish)), wish)


def _test_as_run(options: Options, name: str, workdir: Workdir, wish: Wish) -> bool:
    """Evaluate a row of the last run's space by that run's code."""
    run = read_run_file(workdir, name).last
    if run is None:
        raise TaskError(f"{name} was never run; run it with: psy run {name}")
    with _own_finders(), forgetting_local_modules(options.taskdir.absolute()):
        image = frozen_code(workdir.code(run.code))
        task = load_frozen(image, options.taskdir.absolute())
        space = snapshot.load(workdir.snapshot(run.snapshot), verify=True)
        known = read_digests(workdir.file_digests)
        if changed := image.changed_files(task.taskdir, known):
            show_warning(f"{name}: file_dep changed since the run: {', '.join(changed)}")
        number = _checked_row(task, space, wish)
        return _try_row(Trial(task, space, number, image, f", as in run {run.number}"), wish)


@contextlib.contextmanager
def _own_finders() -> Iterator[None]:
    """Forget afterwards how to import frozen code."""
    before = [*sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path[:] = before


def _checked_row(task: TaskDef, space: ParameterSpace, wish: Wish) -> int:
    number, size = wish.row or 0, space.size
    if number >= size:
        which = f", 0 to {size - 1}" if size > 1 else ", row 0"
        there = f"{rows.text(size)}{which}" if size else "no rows"
        raise TaskError(f"row {number}: {task.name} has {there}")
    return number


def _try_row(trial: Trial, wish: Wish) -> bool:
    """Evaluate a row, and show what comes of it."""
    task, assignment, size = trial.task, trial.space[trial.number], trial.space.size
    click.echo(f"{task.name}: row {trial.number} of {rows.text(size)}{trial.by}")
    _show(assignment)
    with working_in(task.taskdir):
        began = time.perf_counter()
        try:
            result = _evaluate(task, assignment)
        except (Exception, SystemExit) as err:  # noqa: BLE001 - the boundary to the user's code
            _explain(trial, err, wish)
            return False
        seconds = time.perf_counter() - began
    click.echo("gives")
    _show(result)
    for both in assignment.keys() & result.keys():
        show_warning(
            f"{task.name}: {both!r} is a parameter too; its column in the result has what "
            "execute returns, not the parameter's values"
        )
    click.echo(f"in {duration(seconds)}; {_estimate(task, size, seconds)}")
    local = (trial.image or task.code()).modules
    return check_store(task, assignment | result, local) and check_space(task, trial.space)


def _explain(trial: Trial, err: BaseException, wish: Wish) -> None:
    """Tell why a row failed, and go into the debugger if that was asked for."""
    sys.stdout.flush()  # what the row printed comes before what it raised
    trace = _last_of_ours(err.__traceback__)
    error = describe_error(err.with_traceback(trace))
    own = isinstance(err, RowError)
    if not own:
        for line in error["traceback"].rstrip("\n").split("\n"):
            click.echo(shortened(line), err=True)
    name = f"{trial.task.name}: row {trial.number}"
    show_error(f"{name} failed: {in_a_line(error)}")
    if wish.pdb and not own and trace is not None:
        import pdb  # noqa: T100 - a debugger is what was asked for

        pdb.post_mortem(trace.tb_next or trace)


def _last_of_ours(trace: TracebackType | None) -> TracebackType | None:
    """Skip the frames that lead from here to the user's code, but for the last."""
    while trace and trace.tb_next and trace.tb_next.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def _evaluate(task: TaskDef, assignment: Mapping[str, Any]) -> dict[str, Any]:
    execute = task.execute
    extra = task.setup(0) if task.setup else None
    if isinstance(extra, Mapping):
        execute = functools.partial(execute, **extra)
    result = as_mapping(execute(**assignment), task.execute)
    checked_names(result)
    return result


def _show(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        click.echo(f"  {name} = {_SHOWN.repr(value)}")


def _estimate(task: TaskDef, size: int, seconds: float) -> str:
    """Say how long all rows would take, going by one."""
    if isinstance(task.scheduler, ImmediateRun):
        processes = min(size, task.pool_size or machine.usable_cores())
        where = f"{processes} row process" + ("" if processes == 1 else "es")
    else:
        jobs = len(task.backend(task).deal(((0, size),)))
        processes = jobs * (task.pool_size or 1)
        where = f"{jobs:,} jobs at once"
    return (
        f"{rows.text(size)} would take about {duration(seconds * size / processes)} on {where}"
    )
