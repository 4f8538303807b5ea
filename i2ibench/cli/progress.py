"""How the command line shows a run: stages, progress bars, and the table of scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from i2ibench.cli.common import err, escape, say, table
from i2ibench.reporter import Reporter

if TYPE_CHECKING:
    from rich.progress import Progress

    from i2ibench.results.record import Result


class RichReporter(Reporter):
    """Draws stages and progress bars on stderr."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: Any = None

    def stage(self, text: str) -> None:
        """Print the stage and end the former bar."""
        self.close()
        say(text, lead="[bold cyan]›[/] ")

    def training(self, step: int, total: int, losses: Mapping[str, float]) -> None:
        """Advance the bar and show the losses."""
        self._advance(step, total, "  ".join(f"{k} {v:.3g}" for k, v in losses.items()))

    def progress(self, done: int, total: int) -> None:
        """Advance the bar."""
        self._advance(done, total, "")

    def close(self) -> None:
        """End the current bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _advance(self, done: int, total: int, note: str) -> None:
        if self._bar is None:
            self._bar = _new_bar()
            # A continued training starts at its step, so that the time left is true.
            self._task = self._bar.add_task("", total=total, completed=done - 1, note=note)
            self._bar.start()
        self._bar.update(self._task, completed=done, note=note)


def show_result(result: Result) -> None:
    """Print the scores of one result: overall, per group and macro."""
    groups = list(result.groups)
    unit = f"{result.dataset.get('group_name') or 'group'} "
    columns = ["metric", "overall", *[f"{unit}{name}" for name in groups]]
    if groups:
        columns.append("macro")
    rows = []
    for name, overall in result.metrics.items():
        if overall.value is None and overall.unavailable:
            rows.append([name, f"[dim]{escape(overall.unavailable)}[/]"])
            continue
        row = [_title(name, overall.unit, overall.better), _value(overall)]
        row += [_value(result.groups[group].metrics.get(name)) for group in groups]
        if groups:
            row.append(_value(result.macro.get(name)))
        rows.append(row)
    title = f"{result.model['name']} on {result.dataset['name']}, {result.dataset['pairs']} pairs"
    shown = table(title, columns, [row for row in rows if len(row) > 2 or not groups])
    err().print(shown)
    for row in rows:
        if len(row) == 2 and groups:
            say("", lead=f"  {row[0]}: {row[1]}")


def _title(name: str, unit: str, better: str | None) -> str:
    arrow = {"higher": " ↑", "lower": " ↓"}.get(better or "", "")
    return f"{name}{f' ({unit})' if unit else ''}{arrow}"


def _value(metric: Any) -> str:
    if metric is None or metric.value is None:
        return "–"
    return f"{metric.value:.4g}" if abs(metric.value) < 1000 else f"{metric.value:.0f}"


def _new_bar() -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    # The losses take what the width leaves; bar, count and time are never squeezed out.
    note = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    return Progress(
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left [dim]{task.fields[note]}", table_column=note),
        console=err(),
        expand=True,
        refresh_per_second=4,
    )
