"""Losses on their way from the device to ``training.csv``, checked for being finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor

from i2ibench.errors import I2IBenchError
from i2ibench.training.history import History
from i2ibench.training.logs import Log

Progress = Callable[[int, int, Mapping[str, float]], None]

# Losses leave the device in groups, as reading each at once would stall a GPU.
_STEPS_PER_READING = {"cpu": 1, "cuda": 20}


class TrainingDiverged(I2IBenchError):
    """Training diverged; the last good checkpoint is kept."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"training diverged: {what}; the last good checkpoint, if any, is kept; "
            "lower the learning rate or use --precision fp32"
        )


class LossReadout:
    """Collects the losses of finished steps; ``flush`` checks, logs and shows them."""

    def __init__(
        self,
        history: History,
        fabric: Fabric,
        progress: Progress | None,
        total_steps: int,
        log: Log | None = None,
    ) -> None:
        self._history, self._fabric, self._total_steps = history, fabric, total_steps
        self._capacity = _STEPS_PER_READING.get(fabric.device.type, 20)
        self._progress = progress if fabric.is_global_zero else None
        self._log = log if fabric.is_global_zero else None
        self._waiting: list[tuple[int, int, list[str], Tensor, float, float]] = []

    def add(
        self, step: int, epoch: int, losses: Mapping[str, Tensor], rate: float, seconds: float
    ) -> None:
        """Take the losses of one finished step; they are read when enough have come together."""
        values = torch.stack([value.float() for value in losses.values()])
        if self._fabric.world_size > 1:
            values = self._fabric.all_reduce(values, reduce_op="mean")
        self._waiting.append((step, epoch, list(losses), values, rate, seconds))
        if len(self._waiting) >= self._capacity:
            self.flush()

    def flush(self) -> None:
        """Read, check and log everything collected; raises ``TrainingDiverged``."""
        for step, epoch, names, values, rate, seconds in self._waiting:
            losses = dict(zip(names, values.tolist(), strict=True))
            if not all(math.isfinite(value) for value in losses.values()):
                shown = ", ".join(f"{name} {value:g}" for name, value in losses.items())
                raise TrainingDiverged(f"the losses of step {step} are not finite ({shown})")
            self._history.add(step, epoch, losses, rate, seconds)
            if self._log is not None:
                named = {f"loss/{name}": value for name, value in losses.items()}
                self._log.scalars(step, {**named, "learning_rate": rate})
            if self._progress is not None:
                self._progress(step, self._total_steps, losses)
        self._waiting.clear()
