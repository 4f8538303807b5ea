"""Scores of a training along the way, and the checkpoint that scored best."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from i2ibench import limits
from i2ibench.errors import DataError
from i2ibench.models.interface import TrainableModel
from i2ibench.reading import read_text, reading
from i2ibench.training.checkpoint import Checkpoint, save_checkpoint
from i2ibench.training.history import History
from i2ibench.training.logs import Log

CURVES_NAME = "validation.csv"
BEST_NAME = "best.ckpt"


@dataclass(frozen=True, slots=True)
class Validation:
    """How a training is scored while it runs.

    Attributes:
        score: returns named scores of the model after a step; leaves the model as it was.
        every: epochs between two validations; the end of the training is always one.
        keep_best: the score by which the best state is kept; None keeps the last state alone.
        better: the direction of ``keep_best``.
    """

    score: Callable[[TrainableModel, int], Mapping[str, float]]
    every: int
    keep_best: str | None = None
    better: Literal["higher", "lower"] = "higher"


def best_is_missing(folder: Path) -> DataError:
    """Return the error of a training whose best state was deleted: only training finds it again."""
    checkpoints = folder / "checkpoints"
    return DataError(
        f"{checkpoints / BEST_NAME}: is missing, and only training again finds the state that "
        f"validated best; restore it, or remove {checkpoints / 'last.ckpt'} and repeat the command"
    )


class Validated:
    """``validation.csv`` and ``checkpoints/best.ckpt`` of a training.

    Raises ``DataError`` where the rows that are continued tell of a best state that is missing.

    Args:
        validation: None where nothing is validated.
        folder: of the training.
        first_step: the step it continues from.
        log: also shown the scores.

    Attributes:
        history: the rows of ``validation.csv``; to be entered before ``score``.
    """

    def __init__(
        self, validation: Validation | None, folder: Path, first_step: int, log: Log | None
    ) -> None:
        self._validation, self._folder, self._log = validation, folder, log
        path = folder / CURVES_NAME
        self.history = History(path, first_step, writes=validation is not None, digits=17)
        self._best = self._best_so_far(path)
        if self._best is not None and not self._best_path.exists():
            raise best_is_missing(folder)

    def is_due(self, step: int, batches_per_epoch: int, total_steps: int) -> bool:
        """Whether the model is to be scored after ``step``."""
        if self._validation is None:
            return False
        return step == total_steps or step % (self._validation.every * batches_per_epoch) == 0

    def score(
        self,
        model: TrainableModel,
        step: int,
        epoch: int,
        seconds: float,
        state: Callable[[], Checkpoint],
    ) -> None:
        """Score the model, keep its ``state()`` where it is the best so far, and write the row."""
        if self._validation is None:
            return
        scores = self._validation.score(model, step)
        name = self._validation.keep_best
        if name is not None and self._improves(scores[name]):
            # Before its row: a crash between the two repeats both.
            save_checkpoint(self._best_path, state())
            self._best = scores[name]
        self.history.add(step, epoch, scores, None, seconds)
        if self._log is not None:
            self._log.scalars(step, {f"validation/{key}": value for key, value in scores.items()})

    @property
    def _best_path(self) -> Path:
        return self._folder / "checkpoints" / BEST_NAME

    def _improves(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self._best is None:
            return True
        higher = self._validation is not None and self._validation.better == "higher"
        return value > self._best if higher else value < self._best

    def _best_so_far(self, path: Path) -> float | None:
        """Return the best score of the rows that were kept."""
        if self._validation is None or self._validation.keep_best is None or not path.exists():
            return None
        with reading(path, "a table of validations"):
            rows = csv.DictReader(io.StringIO(read_text(path, limits.CSV_BYTES)))
            values = [float(row[self._validation.keep_best]) for row in rows]
        values = [value for value in values if not math.isnan(value)]
        if not values:
            return None
        return max(values) if self._validation.better == "higher" else min(values)
