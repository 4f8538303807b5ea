"""A method that trains: one colour added to every source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Generator, Tensor

from i2ibench.models.interface import ModelConfig, PairBatch, Phase, TrainableModel


class Tint(TrainableModel):
    """Add a learned colour."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.colour = torch.nn.Parameter(torch.zeros(1, 3, 1, 1))

    def initialize(self, generator: Generator) -> None:
        torch.nn.init.zeros_(self.colour)

    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"colour": torch.optim.Adam(self.parameters(), lr=0.05)}

    def translate(self, source: Tensor) -> Tensor:
        return source + self.colour

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        def losses() -> dict[str, Tensor]:
            return {"l1": (self.translate(batch.source) - batch.target).abs().mean()}

        yield Phase("colour", losses)
