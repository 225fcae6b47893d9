"""Own `psy test`: one assignment of a task, evaluated here and now."""

import functools
import pickle
import reprlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from psyrun import machine, rows
from psyrun.commands.messages import show_error, show_warning
from psyrun.exceptions import PsyrunError, RowError
from psyrun.failures import as_mapping, describe_error
from psyrun.loading import working_in
from psyrun.scheduler import ImmediateRun
from psyrun.store import PickleStore
from psyrun.tasks import TaskDef
from psyrun.units import duration

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 70


def test_task(task: TaskDef) -> bool:
    """Evaluate the first assignment of a task, and show what comes of it."""
    task.check()
    if not task.pspace.size:
        click.echo(f"{task.name}: the parameter space has no rows")
        return True
    assignment = task.pspace[0]
    click.echo(f"{task.name}: row 0 of {rows.text(task.pspace.size)}")
    _show(assignment)
    try:
        began = time.perf_counter()
        with working_in(task.taskdir):
            result = _evaluate(task, assignment)
        seconds = time.perf_counter() - began
    except Exception as err:  # noqa: BLE001 - the boundary to the user's code
        error = describe_error(err)
        if not isinstance(err, RowError):
            click.echo(error["traceback"], err=True, nl=False)
        show_error(f"{task.name}: row 0 failed: {error['type']}: {error['message']}")
        return False
    click.echo("gives")
    _show(result)
    click.echo(f"in {duration(seconds)}; {_estimate(task, seconds)}")
    return _check_store(task, assignment | result)


def _evaluate(task: TaskDef, assignment: Mapping[str, Any]) -> dict[str, Any]:
    execute = task.execute
    extra = task.setup(0) if task.setup else None
    if isinstance(extra, Mapping):
        execute = functools.partial(execute, **extra)
    return as_mapping(execute(**assignment), task.execute)


def _show(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        click.echo(f"  {name} = {_SHOWN.repr(value)}")


def _estimate(task: TaskDef, seconds: float) -> str:
    """Say how long all rows would take, going by one."""
    size = task.pspace.size
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


def _check_store(task: TaskDef, row: Mapping[str, Any]) -> bool:
    """Check that the task's store can hold such a row, by holding it."""
    kept = {n: [value] for n, value in row.items() if n not in task.exclude_from_result}
    store = type(task.store).__name__
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trial{task.store.ext}"
        try:
            task.store.save(path, kept)
            names = task.store.load(path).keys()
        except PsyrunError as err:
            show_error(f"{task.name}: {store} cannot hold this row: {err}")
            return False
    lost = kept.keys() - names
    if lost:
        show_error(f"{task.name}: {store} lost {', '.join(sorted(lost))}")
        return False
    if isinstance(task.store, PickleStore):
        for name, kind in _local_classes(task, row):
            show_warning(
                f"{task.name}: {name!r} is a {kind}: the result can be read only where that "
                "class can be imported; return plain values or arrays to read it anywhere"
            )
    return True


def _local_classes(task: TaskDef, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name the values that need a class or function of the task's own code to be unpickled."""
    local = {task.path.stem, "__main__", *task.code().modules}
    for name, value in row.items():
        for module, qualified in _globals_in(pickle.dumps(value, 5)):
            if module in local:
                yield name, f"{module}.{qualified}"
                break


def _globals_in(data: bytes) -> Iterator[tuple[str, str]]:
    """Name what a pickle imports."""
    import pickletools

    texts: list[str] = []
    for opcode, argument, _ in pickletools.genops(data):
        if "UNICODE" in opcode.name:
            texts.append(str(argument))
        elif opcode.name == "STACK_GLOBAL" and len(texts) > 1:
            yield texts[-2], texts[-1]
        elif opcode.name == "GLOBAL":
            module, _, qualified = str(argument).partition(" ")
            yield module, qualified
