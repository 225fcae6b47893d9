"""Own how what was measured looks: on a terminal, as Markdown, as a page of the documentation.

Everything is made from the record that `--json` writes, and from nothing else.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Record = dict[str, Any]
Row = list[str]
HEAD = ["", "how", "a row", "times", "memory"]
KEEPING_HEAD = ["", "how", "kept", "a row", "times", "memory"]
BAR_HEAD = ["", "bar", "at most", "is", ""]


def time_text(seconds: float) -> str:
    """Write a time in three digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            return f"{number_text(seconds * factor)} {unit}"
    raise AssertionError(seconds)


def number_text(number: float) -> str:
    """Write a number in three digits, without an exponent."""
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:,.{digits}f}"


def reference(sweep: Record) -> Record | None:
    """Find the contestant that others are compared with: Psyrun's first that got through."""
    ours = (c for c in sweep["contestants"] if c["peer"] == "psyrun" and c["per_row"])
    return next(ours, None)


def head(sweep: Record) -> Row:
    return KEEPING_HEAD if sweep["mode"] == "kept" else HEAD


def rows(sweep: Record) -> Iterator[Row]:
    """Lay a sweep out: who, how, time a row, that as a multiple of Psyrun's, peak memory."""
    ours = reference(sweep)
    for one in sweep["contestants"]:
        how = [one["how"]]
        if one["rows"] != sweep["rows"]:
            how.append(f"{one['rows']:,} rows")
        cells = [one["name"], ", ".join(filter(None, how))]
        if sweep["mode"] == "kept":
            cells.append(one["keeps"])
        if one["per_row"] is None:
            yield [*cells, "failed" if one["failed"] else "missing", "", ""]
            continue
        times = number_text(one["per_row"] / ours["per_row"]) if ours else ""
        memory = f"{one['memory'] / 1e6:.0f} MB" if one["memory"] else ""
        yield [*cells, time_text(one["per_row"]), times, memory]
    if sweep["ideal"] is not None:
        ideal = sweep["ideal"] / sweep["rows"]
        times = number_text(ideal / ours["per_row"]) if ours else ""
        yield ["ideal", "half of the rows' own time", time_text(ideal), times, ""]


def bar_rows(record: Record) -> list[Row]:
    out = []
    for bar in record["bars"]:
        ratio = "" if bar["ratio"] is None else f"{bar['ratio']:.3g}"
        who = f"{bar['ours']}, {bar['sweep']}"
        out.append([who, bar["text"], f"{bar['at_most']:g}", ratio, bar["verdict"]])
    return out


def title(sweep: Record) -> str:
    return f"{sweep['title']}: {sweep['rows']:,} rows"


def remarks(sweep: Record) -> Iterator[str]:
    """Say why contestants have no time."""
    for one in sweep["contestants"]:
        if one["skipped"]:
            yield f"{one['name']} is not installed; this would: {one['skipped']}"
        elif one["failed"]:
            yield f"{one['name']} failed: {' '.join(one['failed'].split())[:200]}"


def about(record: Record) -> list[str]:
    """Tell where and with what was measured."""
    machine = record["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']} of memory"
    by = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    size = ", small sizes" if record["quick"] else ""
    return [
        f"Measured on {record['when']}: medians of {_rounds(record)}{size}.",
        f"{where}; {machine['system']}; Python {machine['python']}.",
        f"{by}.",
    ]


def _rounds(record: Record) -> str:
    return "1 round" if record["repeat"] == 1 else f"{record['repeat']} rounds"


def text(record: Record) -> str:
    """Write all as plain text, 80 wide where what it says allows."""
    lines = [textwrap.fill(line, 80) for line in about(record)]
    return _document(record, lines, lambda words: f"\n{words}", _plain)


def markdown(record: Record) -> str:
    lines = [f"{line}\n" for line in about(record)]
    return _document(record, lines, lambda words: f"\n### {words}\n", _pipes)


def rst(record: Record) -> str:
    """Write all as reStructuredText, for a page to include below a heading of its own."""
    lines = [f"{line}\n" for line in about(record)]
    return _document(
        record, lines, lambda words: f"\n{words}\n{'~' * len(words)}\n", _list_table
    )


def _document(
    record: Record,
    lines: list[str],
    heading: Callable[[str], str],
    table: Callable[[list[Row]], str],
) -> str:
    parts = list(lines)
    for sweep in record["sweeps"]:
        parts += [heading(title(sweep)), table([head(sweep), *rows(sweep)])]
        parts += [f"\n{line}" for line in remarks(sweep)]
    if record["bars"]:
        parts += [heading("Bars"), table([BAR_HEAD, *bar_rows(record)])]
    return "\n".join(parts) + "\n"


def _plain(body: list[Row]) -> str:
    widths = [max(map(len, column)) for column in zip(*body, strict=True)]
    words = len(widths) - 3  # the others are numbers, and aligned to the right
    lines = []
    for row in body:
        cells = list(zip(row, widths, strict=True))
        padded = [cell.ljust(width) for cell, width in cells[:words]]
        padded += [cell.rjust(width) for cell, width in cells[words:]]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _pipes(body: list[Row]) -> str:
    lines = [body[0], ["---"] * len(body[0]), *body[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list_table(body: list[Row]) -> str:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in body:
        for number, cell in enumerate(row):
            lines.append(f"   {' ' if number else '*'} - {cell}".rstrip())
    return "\n".join(lines)
