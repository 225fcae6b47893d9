"""Own `psy errors`: why rows failed, told from files alone."""

import json
from collections.abc import Sequence
from typing import Any

import click

from psyrun import report, rows
from psyrun.causes import Cause, errors_of
from psyrun.commands.messages import show_note, show_warning
from psyrun.commands.options import Options
from psyrun.commands.turns import each_workdir
from psyrun.workdir import Workdir

_MOST_CAUSES = 10


def show_errors(options: Options, names: Sequence[str], *, every: bool, as_json: bool) -> int:
    """Show why rows of some tasks failed, or of all tasks; return the exit code."""
    records: list[dict[str, Any]] = []

    def show(name: str, workdir: Workdir) -> bool:
        errors = errors_of(workdir, name)
        causes = errors.causes if errors else []
        if as_json:
            records.extend(_record(name, cause) for cause in causes)
        else:
            click.echo(report.errors_line(name, errors))
            _show_causes(name, workdir, causes, None if every else _MOST_CAUSES)
        unreadable = errors.unreadable if errors else 0
        if unreadable:
            show_warning(
                f"{name}: the errors of {rows.text(unreadable)} cannot be read; "
                f"find the damage with: psy verify {name}"
            )
        return not unreadable

    code = each_workdir(options, names, show)
    if as_json:
        click.echo(json.dumps(records, indent=1))
    return code


def _show_causes(
    name: str, workdir: Workdir, causes: Sequence[Cause], most: int | None
) -> None:
    for cause in causes[:most]:
        died = not cause.of_jobs and "output" not in cause.example.error
        log = workdir.log(cause.example.job)
        details = report.cause_details(cause, log if died and log.exists() else None)
        click.echo("\n".join(["", *details]))
    rest = 0 if most is None else len(causes) - most
    if rest > 0:
        show_note(f"and {rest:,} more causes; see them with: psy errors --all {name}")


def _record(name: str, cause: Cause) -> dict[str, Any]:
    """Tell a cause as data; `rows` counts rows, or `jobs` jobs that could not go on."""
    example = cause.example
    return {
        "task": name,
        "rows": 0 if cause.of_jobs else cause.count,
        "jobs": cause.count if cause.of_jobs else 0,
        "first_rows": cause.rows,
        "type": example.error.get("type"),
        "message": example.error.get("message"),
        "place": example.error.get("place") or None,
        "example": {"row": example.row, "job": example.job, **example.error},
    }
