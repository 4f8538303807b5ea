"""Who is told what happens during a run."""

from __future__ import annotations

from collections.abc import Mapping


class Reporter:
    """Told what happens; silent by default. The command line draws it."""

    def stage(self, text: str) -> None:
        """A stage begins."""

    def training(self, step: int, total: int, losses: Mapping[str, float]) -> None:
        """A training step is done."""

    def progress(self, done: int, total: int) -> None:
        """Images of the current stage are done."""
