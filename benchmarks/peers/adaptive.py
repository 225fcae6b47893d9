"""adaptive: a learner that takes a sequence, in this process and with two."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import adaptive
import loky

from benchmarks.peers.pool import call

if TYPE_CHECKING:
    from benchmarks.work import Case


def learner(case: Case) -> Any:
    return adaptive.SequenceLearner(partial(call, case.fn), list(case.assignments()))


def serial(case: Case) -> Any:
    made = learner(case)
    adaptive.runner.simple(made, goal=adaptive.SequenceLearner.done)
    return made.result()


def parallel(case: Case) -> Any:
    """Run in loky's reusable processes, which is its default, two of them."""
    made = learner(case)
    executor = loky.get_reusable_executor(2)
    adaptive.BlockingRunner(made, goal=adaptive.SequenceLearner.done, executor=executor)
    return made.result()
