"""Own the waiting for jobs elsewhere, until the last of them has ended."""

import time
from collections.abc import Callable
from pathlib import Path

from psyrun.exceptions import SchedulerError
from psyrun.follow import Follower
from psyrun.locks import read_holder
from psyrun.runfile import MERGE, RunFile, read_run_file
from psyrun.state import TaskState, task_state
from psyrun.submitted import Queue
from psyrun.workdir import Workdir

_LOOK_SECONDS = 0.5
_FIRST_ASK_SECONDS = 1.0
_ASK_SECONDS = 15.0
_SOON_SECONDS = 0.05
_MOST_SILENCE = 20
"""How often in a row a scheduler may give no answer before it is not waited for any more."""

_SURE = 2
"""How often in a row a scheduler has to say that nothing is there: it may be late."""

OnProgress = Callable[[int, int], None]


def wait(
    workdir: Workdir, name: str, queues: Callable[[], Queue], on_progress: OnProgress
) -> tuple[RunFile, TaskState]:
    """Wait until the jobs of a task's last run have ended, the merge job too.

    Its files tell how far the run is; the scheduler is asked only now and then.

    Parameters
    ----------
    workdir : Workdir
        The task's work directory.
    name : str
        The task.
    queues : callable
        Makes what asks the scheduler, anew each time.
    on_progress : callable
        Told the rows done and failed so far, about twice a second.

    Returns
    -------
    file : RunFile
        What is noted of the runs then.
    state : TaskState
        How far the run is.

    Raises
    ------
    SchedulerError
        If the scheduler has given no answer for long.
    """
    file = read_run_file(workdir, name)
    run = file.last
    assert run is not None
    follower = Follower(workdir, run)
    pause, due, silent, gone = _FIRST_ASK_SECONDS, time.monotonic(), 0, 0
    while True:
        on_progress(*follower.counts())
        file = read_run_file(workdir, name)
        run = file.last or run
        follower.run = run
        if MERGE in run.ends:
            break
        if time.monotonic() >= due:
            try:
                gone = 0 if queues().look(name, run, workdir).live else gone + 1
                silent = 0
                if gone == _SURE:
                    break
            except SchedulerError:
                silent += 1
                if silent >= _MOST_SILENCE:
                    raise
            pause = _FIRST_ASK_SECONDS if gone else min(2 * pause, _ASK_SECONDS)
            due = time.monotonic() + pause
        time.sleep(_LOOK_SECONDS)
    _let_go(workdir)
    file = read_run_file(workdir, name)
    return file, task_state(workdir, file.last or run)


def _let_go(workdir: Workdir) -> None:
    """Wait until the merge job has let go of the task; that is the last that it does."""
    deadline = time.monotonic() + _ASK_SECONDS
    while read_holder(workdir.lock_file, workdir.holder_file) and time.monotonic() < deadline:
        time.sleep(_SOON_SECONDS)


def is_whole(file: RunFile, state: TaskState) -> bool:
    """Tell whether the result of a run stands, and not an older one."""
    result, run = file.result, state.run
    return (
        state.complete
        and result is not None
        and (result.snapshot, result.since) == (run.snapshot, run.since)
        and set(result.codes) <= set(run.codes)
        and Path(result.file).exists()
    )
