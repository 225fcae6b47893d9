"""Own `psy verify`: whether the files of tasks are as they were written, and its words."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from psyrun import rows
from psyrun.commands.messages import show_note
from psyrun.commands.options import Options
from psyrun.commands.turns import each_workdir
from psyrun.findings import Checked, Finding, Kind, Problem
from psyrun.locks import read_holder
from psyrun.units import printable, size_text
from psyrun.verify import verify
from psyrun.workdir import Workdir

_PROBLEMS = {
    Problem.DAMAGED: "is damaged",
    Problem.GONE: "is not there",
    Problem.UNREADABLE: "cannot be read",
    Problem.OTHER_FORMAT: "is of another format",
    Problem.NO_NOTE: "has no note beside it",
    Problem.TORN: "ends within a row, which is not kept",
}

_COSTS = {
    Kind.RUN_FILE: "psy run finds the rows again, but not what -c accepted",
    Kind.JOB: "only its own job needs it; psy run gives missing rows to new jobs",
    Kind.SNAPSHOT: "psy run writes it anew if the parameter space is as it was",
    Kind.MOVES: "psy run compares the two parameter spaces again",
    Kind.CODE: "psy run writes it anew when it evaluates; if you change the code before, "
    "rows by it are stale",
    Kind.RESULT: "psy run merges it again",
}
_COSTS_OF_EARLIER = {
    Kind.SNAPSHOT: "rows of this earlier parameter space may be evaluated again",
    Kind.CODE: "rows by this earlier code are stale, unless psy run -c keeps them",
}
_IN_THE_WAY = {
    Kind.RUN_FILE: "remove it, and ",
    Kind.SNAPSHOT: "remove its folder, and ",
    Kind.RESULT: "remove it, and ",
}
"""What has to be done first, as `psy run` does not read these while it has nothing to do."""

_RESTS = {
    (Kind.NOTE, Problem.DAMAGED): "; it may be removed, with its partial result",
    (Kind.PARTIAL, Problem.DAMAGED): "; it may be removed, with its note",
    (Kind.PARTIAL, Problem.GONE): "; its note may be removed",
    (Kind.PARTIAL, Problem.NO_NOTE): "; it may be removed",
}
"""What is of no use any more. A journal is: its other rows may stand nowhere else."""


def verify_tasks(options: Options, names: Sequence[str], *, as_json: bool) -> int:
    """Check the files of some tasks, or of all; return the exit code."""
    records: list[dict[str, Any]] = []

    def check(name: str, workdir: Workdir) -> bool:
        found = verify(workdir, name)
        if as_json:
            records.append(_record(name, found or Checked()))
        else:
            click.echo("\n".join(_lines(name, found)))
        if found is None or found.sound:
            return True
        if read_holder(workdir.lock_file, workdir.holder_file) is not None:
            show_note(f"{name}: it is being run; what that removes is told as not there")
        return False

    code = each_workdir(options, names, check)
    if as_json:
        click.echo(json.dumps(records, indent=1))
    return code


def _lines(name: str, found: Checked | None) -> Iterator[str]:
    """Tell what is wrong, a line each, and last how the task is."""
    if found is None:
        yield f"{name}: not run"
        return
    for finding in found.findings:
        path = printable(str(finding.path))
        costs = cost(finding)
        yield f"{path} {_PROBLEMS[finding.problem]}" + (f": {costs}" if costs else "")
    yield _summary(name, found)


def _summary(name: str, found: Checked) -> str:
    files = f"{name}: {found.files:,} file" + ("" if found.files == 1 else "s")
    if found.sound:
        return f"{files}, {size_text(found.size)}, all sound"
    worst = [finding for finding in found.findings if not finding.harmless]
    gone = sum(finding.problem is Problem.GONE for finding in worst)
    parts = [files]
    parts += [f"{len(worst) - gone:,} damaged"] if len(worst) > gone else []
    parts += [f"{gone:,} not there"] if gone else []
    if any(finding.lost for finding in worst):
        runs = f"psy run {name} evaluates what"
        advice = (
            f"the result is whole, {runs} it lacks" if found.whole else f"{runs} is missing"
        )
        parts[-1] += f"; {advice}"
    return ", ".join(parts)


def cost(finding: Finding) -> str:
    """Say what something that was found costs, and what to do about it."""
    if finding.problem is Problem.OTHER_FORMAT:
        return "use the Psyrun that wrote it"
    if finding.problem is Problem.UNREADABLE:
        return "see who may read it"
    if finding.problem is Problem.TORN:
        return ""
    if finding.kind not in _COSTS:
        return _cost_in_rows(finding)
    if not finding.counts and finding.kind in _COSTS_OF_EARLIER:
        return _COSTS_OF_EARLIER[finding.kind]
    first = "" if finding.problem is Problem.GONE else _IN_THE_WAY.get(finding.kind, "")
    return first + _COSTS[finding.kind]


def _cost_in_rows(finding: Finding) -> str:
    lost, unreadable = finding.lost, finding.unreadable
    if not finding.counts:
        return "its rows are of earlier runs and do not count now"
    if lost is None:
        return "which rows were in it is not known"
    if not lost:
        return f"no row is lost{_RESTS.get((finding.kind, finding.problem), '')}"
    size = rows.count(lost)
    if unreadable is not None and unreadable < size:
        return f"{unreadable:,} of {rows.listed(lost)} were in it"
    return f"{rows.listed(lost)} count{'s' if size == 1 else ''} as missing"


def _record(name: str, found: Checked) -> dict[str, Any]:
    return {
        "task": name,
        "files": found.files,
        "size": found.size,
        "sound": found.sound,
        "findings": [
            {
                "path": str(finding.path),
                "kind": finding.kind,
                "problem": finding.problem,
                "harmless": finding.harmless,
                "missing_rows": finding.lost,
                "cost": cost(finding),
            }
            for finding in found.findings
        ],
    }
