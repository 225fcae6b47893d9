"""Own the showing of progress on standard error: a bar on a terminal, else a line at times."""

import sys
import time
from typing import Any

from psyrun.units import duration

_PATIENCE_SECONDS = 0.5
_LINE_SECONDS = 10.0


class Bar:
    """Shows how many rows are done.

    Nothing is shown of what is over within half a second.

    Parameters
    ----------
    total : int
        How many rows there are to do.
    label : str
        What they belong to.
    """

    def __init__(self, total: int, label: str = "") -> None:
        self.total = total
        self.label = label
        self._began = time.monotonic()
        self._line_due = self._began + _LINE_SECONDS
        self._rich: Any = None
        self._on_terminal = sys.stderr.isatty()

    def update(self, done: int, failed: int = 0) -> None:
        """Show how many rows are done, and how many failed."""
        now = time.monotonic()
        if now - self._began < _PATIENCE_SECONDS:
            return
        if self._on_terminal:
            self._update_bar(done, failed)
        elif now >= self._line_due and done + failed < self.total:  # else the end is told soon
            self._line_due = now + _LINE_SECONDS
            print(self.line(done, failed, now - self._began), file=sys.stderr, flush=True)

    def line(self, done: int, failed: int, seconds: float) -> str:
        """Put the state in one line.

        Examples
        --------
        >>> Bar(1000, "square").line(240, 10, 5.0)
        'square: 250 of 1,000 rows, 10 failed, 50 rows/s, 15 s left'
        """
        ended = done + failed
        parts = [f"{self.label}: {ended:,} of {self.total:,} rows".removeprefix(": ")]
        if failed:
            parts.append(f"{failed:,} failed")
        if ended and seconds > 0:
            rate = ended / seconds
            parts.append(_rate(rate))
            parts.append(f"{duration(max(0, self.total - ended) / rate)} left")
        return ", ".join(parts)

    def _update_bar(self, done: int, failed: int) -> None:
        if self._rich is None:
            self._rich = _make_bar(self.total, self.label)
        self._rich.update(
            0,
            completed=done + failed,
            failed=f"{failed:,} failed" if failed else "",
            rate=_rate((done + failed) / (time.monotonic() - self._began)),
        )

    def close(self) -> None:
        """Stop showing."""
        if self._rich is not None:
            self._rich.stop()
            self._rich = None


def _make_bar(total: int, label: str) -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    narrow = Console(stderr=True).width < 60
    columns = [
        # the one column that may be wrapped is narrowed first; a name without spaces is cut
        TextColumn("{task.description}", table_column=Column(overflow="ellipsis")),
        *([] if narrow else [BarColumn()]),
        MofNCompleteColumn(),
        TextColumn("[red]{task.fields[failed]}"),
        *([] if narrow else [TextColumn("{task.fields[rate]}")]),
        TimeRemainingColumn(),
    ]
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(label, total=total, failed="", rate="")
    bar.start()
    return bar


def _rate(rate: float) -> str:
    return f"{rate:,.0f} rows/s" if rate >= 100 else f"{rate:.3g} rows/s"
