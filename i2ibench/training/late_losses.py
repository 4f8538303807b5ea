"""Whether the losses of a model that looks at its progress hold to the last epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim import Optimizer

from i2ibench.models.findings import Finding, named_place
from i2ibench.models.interface import PairBatch, TrainableModel, TrainingProgress
from i2ibench.runtime import seed_global_generators
from i2ibench.training.step import train_step
from i2ibench.wording import some

_LAST = TrainingProgress(epoch=199, epochs=100, decay_epochs=100)


@dataclass(frozen=True)
class WatchedProgress(TrainingProgress):
    """The progress of a first epoch that notes what is read of it in ``looked``."""

    looked: list[str] = field(default_factory=list)

    def __getattribute__(self, name: str) -> Any:
        """Return the attribute, noted where it says how far the training is."""
        if name in ("epoch", "epochs", "decay_epochs", "decayed"):
            object.__getattribute__(self, "looked").append(name)
        return object.__getattribute__(self, name)


def late_findings(
    model: TrainableModel, optimizers: Mapping[str, Optimizer], batch: PairBatch, seed: int
) -> Iterator[Finding]:
    """Train one step as in the last of 200 epochs; tell which losses are not finite there."""
    seed_global_generators(seed)
    late = PairBatch(batch.source.clone(), batch.target.clone(), batch.ids, _LAST)
    losses = train_step(model, optimizers, late)
    broken = [name for name, each in losses.items() if not bool(torch.isfinite(each).all())]
    if broken:
        yield Finding(
            "losses",
            f"{named_place(model, 'training_phases')}: loss {some(broken, 3)} is not finite in the "
            "last epoch, though it is in the first; look at what it makes of batch.progress",
        )
