"""Own the reasons why a task is not up to date, told line by line; only read."""

import os
import reprlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from psyrun import rows, snapshot
from psyrun.code import frozen_code
from psyrun.exceptions import WorkdirError
from psyrun.fingerprint import Change
from psyrun.plan import Action, Plan
from psyrun.pspace import ParameterSpace
from psyrun.pspace.keys import column_keys
from psyrun.rows import RowState
from psyrun.runfile import RunFile
from psyrun.units import printable
from psyrun.workdir import Workdir

_MOST_VALUES = 3
_MOST_ROWS_COMPARED = 2_000_000
_NAMED_WITH_KIND = frozenset({"function", "class", "constant", "import"})


def reasons(plan: Plan, workdir: Workdir) -> Iterator[str]:
    """Tell what makes a plan do more than nothing.

    Parameters
    ----------
    plan : Plan
        The plan.
    workdir : Workdir
        The task's work directory, where the parameter space of the last run is.
    """
    told = [*_of_code(plan), *_of_space(plan, workdir), *_of_rows(plan)]
    versions = [*_of_versions(plan, workdir)]
    if plan.action is Action.MERGE:
        told.append(plan.reason)
    last = plan.file.last
    if not told and last is not None:
        files = (
            "" if plan.task.file_dep else " (files that are read count if file_dep names them)"
        )
        told.append(f"nothing that results depend on changed since run {last.number}{files}")
    yield from told
    yield from versions


def _of_code(plan: Plan) -> Iterator[str]:
    """Tell what changed since the runs whose rows there are."""
    present, last = plan.present, plan.file.last
    by_rows = {source.code for source in present.sources if source.done}
    groups: dict[tuple[bool, tuple[Change, ...]], list[str]] = {}
    for code, changes in present.changes.items():
        of_last = not by_rows and last is not None and last.code == code
        if changes and (code in by_rows or of_last):
            accepted = code in present.run.accepted
            groups.setdefault((accepted, tuple(changes)), []).append(code)
    for key in sorted(groups, key=lambda key: _last_run(plan.file, groups[key])):
        accepted, found = key
        number = _last_run(plan.file, groups[key])
        when = f"run {number}" if number else f"code {groups[key][0][:8]}"
        yield f"since {when}{', accepted' if accepted else ''}:"
        yield from (f"  {change_text(change, plan.task.taskdir)}" for change in found)


def _last_run(file: RunFile, codes: Sequence[str]) -> int:
    """Return the number of the last run by one of some codes; 0 where none is known."""
    return max((run.number for run in file.runs if run.code in codes), default=0)


def change_text(change: Change, taskdir: Path) -> str:
    """Tell one difference, with its old and new place.

    Parameters
    ----------
    change : Change
        The difference.
    taskdir : Path
        Where the places start.
    """
    name = f"{change.kind} {change}" if change.kind in _NAMED_WITH_KIND else str(change)
    if change.kind == "code":
        return name
    if change.kind == "file":
        return (
            f"{name} {'is new' if not change.old else 'changed' if change.new else 'is gone'}"
        )
    if change.kind == "package":
        return f"{name} is {change.new}, was {change.old or 'of a version that was not noted'}"
    if change.new is None:
        return f"{name} is gone, was at {_from_here(change.old, taskdir)}"
    if change.old is None:
        return f"{name} is new, at {_from_here(change.new, taskdir)}"
    was = ""
    if change.old != change.new:
        file, _, line = change.old.rpartition(":")
        same_file = file == change.new.rpartition(":")[0]
        was = f", was at {f'line {line}' if same_file else _from_here(change.old, taskdir)}"
    return f"{name} changed, at {_from_here(change.new, taskdir)}{was}"


def _of_versions(plan: Plan, workdir: Workdir) -> Iterator[str]:
    """Tell which packages have another version than in the last run, and do not count."""
    last, now = plan.file.last, plan.present.image.packages
    if last is None or last.code == plan.present.image.digest():
        return
    try:
        before = frozen_code(workdir.code(last.code)).packages
    except WorkdirError:
        return
    for name in sorted(before.keys() & now.keys() - {*plan.task.depends_on}):
        if before[name] != now[name]:
            yield (
                f"package `{name}` is {now[name]}, was {before[name]}; that does not count "
                f"without depends_on = ['{name}']"
            )


def _from_here(place: str | None, taskdir: Path) -> str:
    return os.path.relpath(taskdir / str(place))


def _of_rows(plan: Plan) -> Iterator[str]:
    run, last = plan.present.run, plan.file.last
    if last is None or plan.present.changes.get(last.code) or run.since == run.number:
        return
    state = plan.present.state
    if failed := state.count(RowState.FAILED):
        yield f"{rows.text(failed)} failed; see: psy errors {plan.task.name}"
    if missing := state.count(RowState.MISSING):
        yield f"{rows.text(missing)} without a result"


def _of_space(plan: Plan, workdir: Workdir) -> Iterator[str]:
    last = plan.file.last
    if last is None or last.snapshot == plan.present.run.snapshot:
        return
    try:
        old = snapshot.load(workdir.snapshot(last.snapshot), verify=True)
    except (WorkdirError, FileNotFoundError) as err:
        yield f"the parameter space changed; the earlier one cannot be read: {err}"
        return
    yield f"the parameter space changed, {rows.text(plan.task.pspace.size)}, was {old.size:,}:"
    yield from (f"  {line}" for line in space_changes(old, plan.task.pspace))


def space_changes(old: ParameterSpace, new: ParameterSpace) -> Iterator[str]:
    """Name the parameters that differ between two spaces, and how.

    Parameters
    ----------
    old, new : ParameterSpace
        The spaces; the values of very large ones are not compared.
    """
    large = max(old.size, new.size) > _MOST_ROWS_COMPARED
    before, now = ({} if large else space.columns(0, space.size) for space in (old, new))
    told = False
    for name in dict.fromkeys([*new.keys(), *old.keys()]):
        change = ""
        if name not in old.keys() or name not in new.keys():
            change = " is new" if name in new.keys() else " is gone"
        elif not large:
            change = _value_changes(before[name], now[name])
        if change:
            told = True
            yield f"parameter `{name}`{change}"
    if not told and large:
        yield "the same parameters; so many values are not compared"
    elif not told:
        yield "the same values, in another order or other combinations"


def _value_changes(old: Sequence[Any], new: Sequence[Any]) -> str:
    before, now = column_keys(list(old)), column_keys(list(new))
    added, gone = set(now).difference(before), set(before).difference(now)
    parts = [f"{len(added):,} new ({_some(added, now, new)})"] if added else []
    parts += [f"{len(gone):,} gone ({_some(gone, before, old)})"] if gone else []
    return f": {', '.join(parts)}" if parts else ""


def _some(wanted: set[Any], keys: Sequence[Any], values: Sequence[Any]) -> str:
    """Show the first few of the values whose keys are wanted."""
    first = islice(dict.fromkeys(filter(wanted.__contains__, keys)), _MOST_VALUES)
    texts = [printable(reprlib.repr(values[keys.index(key)])) for key in first]
    return ", ".join(texts) + (", ..." if len(wanted) > _MOST_VALUES else "")
