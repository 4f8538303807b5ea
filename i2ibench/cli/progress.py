"""How the command line shows a run: stages and progress bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from i2ibench.cli.terminal import err, say
from i2ibench.runs.reporter import Reporter

if TYPE_CHECKING:
    from rich.progress import Progress


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
