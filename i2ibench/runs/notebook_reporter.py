"""What happens during a run, shown below the cell of a notebook that started it."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping
from typing import Any

from i2ibench.notebook import is_notebook
from i2ibench.runs.reporter import Reporter

_SECONDS_BETWEEN = 0.25


class NotebookReporter(Reporter):
    """Shows the stages, and a bar of the one that runs; needs what every notebook has."""

    def __init__(self) -> None:
        self._stages: list[str] = []
        self._output: Any = None
        self._shown_at = 0.0

    def stage(self, text: str) -> None:
        """Add a line."""
        self._stages.append(text)
        self._show("")

    def training(self, step: int, total: int, losses: Mapping[str, float]) -> None:
        """Move the bar and show the losses."""
        self._advance(step, total, "  ".join(f"{k} {v:.3g}" for k, v in losses.items()))

    def progress(self, done: int, total: int) -> None:
        """Move the bar."""
        self._advance(done, total, "")

    def _advance(self, done: int, total: int, note: str) -> None:
        if done < total and time.monotonic() - self._shown_at < _SECONDS_BETWEEN:
            return
        words = html.escape(f"{done} of {total}  {note}".strip())
        self._show(f'<progress value="{done}" max="{total}"></progress> {words}')

    def _show(self, bar: str) -> None:
        from IPython.display import HTML, display

        stages = "<br>".join(html.escape(f"› {stage}") for stage in self._stages)
        shown = HTML(f"<div>{stages}<br>{bar}</div>")
        self._shown_at = time.monotonic()
        if self._output is None:
            self._output = display(shown, display_id=True)
        else:
            self._output.update(shown)


def reporter_here(given: Reporter | None) -> Reporter:
    """Return the given reporter; else one that draws in a notebook, or says nothing elsewhere."""
    if given is not None:
        return given
    return NotebookReporter() if is_notebook() else Reporter()


def progress_here(
    given: Callable[[int, int], None] | None,
) -> Callable[[int, int], None] | None:
    """Return what is told of the pairs that are done: the given one, or a notebook's bar."""
    if given is not None or not is_notebook():
        return given
    return NotebookReporter().progress
