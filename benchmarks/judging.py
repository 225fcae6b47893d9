"""Own whether bars hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from benchmarks.registry import EACH_ROW, IDEAL, LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.registry import Bar


def judge(
    bars: Iterable[Bar], sweeps: list[dict[str, Any]], *, quick: bool = False
) -> Iterator[dict[str, Any]]:
    """Compare times a row, where sweeps were run; small sizes leave bars open."""
    by_name = {sweep["name"]: sweep for sweep in sweeps}
    for bar in bars:
        if bar.sweep not in by_name:
            continue
        sweep = by_name[bar.sweep]
        ours, theirs = per_row(sweep, bar.ours), per_row(sweep, bar.theirs)
        ratio = ours / theirs if ours and theirs else None
        verdict = (
            "open" if ratio is None or quick else "holds" if ratio <= bar.at_most else "FAILS"
        )
        yield {**asdict(bar), "ratio": ratio, "verdict": verdict}


def per_row(sweep: dict[str, Any], name: str) -> float | None:
    """Find a time a row; None if there is none."""
    if name == IDEAL:
        return None if sweep[IDEAL] is None else float(sweep[IDEAL] / sweep["rows"])
    found = [
        float(one["per_row"])
        for one in sweep["contestants"]
        if one["per_row"] is not None
        and (one["name"] == name or (name == EACH_ROW and _keeps_each_row(one)))
    ]
    return min(found, default=None)


def _keeps_each_row(one: dict[str, Any]) -> bool:
    return one["keeps"] == EACH_ROW and one["peer"] not in {"psyrun", *LIMITS}
