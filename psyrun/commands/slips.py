"""Own hints at what is easily put, or looked for, in the wrong folder."""

import sys
from collections.abc import Iterator
from pathlib import Path

from psyrun.taskfiles import CONF, CONF_MODULE, PREFIX, left_beside
from psyrun.tasks import TaskDef


def slips(task: TaskDef) -> Iterator[str]:
    """Tell of a `psy-conf.py` that nobody reads, and of rows that are not seen from here."""
    above = task.taskdir.parent
    if (above / CONF).is_file() and not any(above.glob(f"{PREFIX}*.py")):
        yield f"{above / CONF} is not read: it belongs beside the task files, in {task.taskdir}"
    almost = task.taskdir / f"{CONF_MODULE}.py"
    imported = getattr(sys.modules.get(CONF_MODULE), "__file__", None) == str(almost)
    if almost.is_file() and task.conf_path is None and not imported:
        yield f"{almost} is not read: {CONF} is written with '-'"
    root = Path(task.workdir) / task.name
    if other := left_beside(task.taskdir, root):
        yield (
            f"{task.name}: there are rows in {other}, which are not seen from here; go to "
            f"{above} to use them"
        )
