"""Own the check that a task's store can hold a row, as part of `psy test`."""

import pickle
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from psyrun.commands.messages import show_error, show_warning
from psyrun.exceptions import PsyrunError
from psyrun.pspace import ParameterSpace
from psyrun.resultfile import check_parameters
from psyrun.store import PickleStore
from psyrun.tasks import TaskDef


def check_store(task: TaskDef, row: Mapping[str, Any], local: Iterable[str]) -> bool:
    """Check that the task's store can hold such a row, by holding it.

    Parameters
    ----------
    task : TaskDef
        The task.
    row : dict
        The assignment and what came of it.
    local : iterable of str
        The local modules that the task reaches.
    """
    kept = {n: [value] for n, value in row.items() if n not in task.exclude_from_result}
    store = type(task.store).__name__
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trial{task.store.ext}"
        try:
            task.store.check({name: values[0] for name, values in kept.items()})
            task.store.save(path, kept)
            names = task.store.load(path).keys()
        except PsyrunError as err:
            words = "" if store in str(err) else f"{store} cannot hold this row: "
            show_error(f"{task.name}: {words}{err}")
            return False
    lost = kept.keys() - names
    if lost:
        show_error(f"{task.name}: {store} lost {', '.join(sorted(lost))}")
        return False
    if isinstance(task.store, PickleStore):
        for name, kind in _local_classes(row, {task.path.stem, "__main__", *local}):
            show_warning(
                f"{task.name}: {name!r} is a {kind}: the result can be read only where that "
                "class can be imported; return plain values or arrays to read it anywhere"
            )
    return True


def check_space(task: TaskDef, space: ParameterSpace) -> bool:
    """Check that the task's store can hold the parameters of all rows."""
    try:
        check_parameters(task.store, space, task.exclude_from_result)
    except PsyrunError as err:
        show_error(f"{task.name}: {err}")
        return False
    return True


def _local_classes(row: Mapping[str, Any], local: Collection[str]) -> Iterator[tuple[str, str]]:
    """Name the values that need a class or function of the task's own code to be unpickled."""
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
