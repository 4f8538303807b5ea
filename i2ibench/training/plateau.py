"""A learning rate that falls when the loss no longer does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from i2ibench.settings import Settings


class PlateauSettings(Settings):
    """When the learning rate falls; counted in steps, as BBDM's official code does.

    Attributes:
        factor: the rate is multiplied by it.
        patience: steps without a better loss after which it falls.
        threshold: a loss is better by more than this share of the best.
        cooldown: steps after a fall in which nothing is counted.
        least: share of the initial rate below which it does not fall.
    """

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Annotated[int, Field(ge=0)] = 3000
    threshold: Annotated[float, Field(ge=0, lt=1)] = 1e-4
    cooldown: Annotated[int, Field(ge=0)] = 3000
    least: Annotated[float, Field(ge=0, le=1)] = 0.005


class Plateau:
    """The factor on the learning rate after the losses seen so far.

    The rule of ``torch.optim.lr_scheduler.ReduceLROnPlateau`` (mode min, relative threshold) as
    four numbers, which every checkpoint can hold.

    Attributes:
        factor: what the learning rate is multiplied with.
    """

    def __init__(self, settings: PlateauSettings) -> None:
        self._settings = settings
        self.factor, self._best = 1.0, math.inf
        self._waited = self._cooling = 0

    def see(self, loss: float) -> None:
        """Take in the loss of one more step, of all processes."""
        settings = self._settings
        if loss < self._best * (1.0 - settings.threshold):
            self._best, self._waited = loss, 0
        else:
            self._waited += 1
        if self._cooling > 0:
            self._cooling, self._waited = self._cooling - 1, 0
        if self._waited > settings.patience:
            self.factor = max(self.factor * settings.factor, settings.least)
            self._cooling, self._waited = settings.cooldown, 0

    def state(self) -> dict[str, float]:
        """Return what a checkpoint holds."""
        return {
            "factor": self.factor,
            "best": self._best,
            "waited": self._waited,
            "cooling": self._cooling,
        }

    def load(self, state: Mapping[str, float]) -> None:
        """Continue from what a checkpoint holds."""
        self.factor, self._best = state["factor"], state["best"]
        self._waited, self._cooling = int(state["waited"]), int(state["cooling"])
