"""Regression by a restoration network: NAFNet trained on L1 alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Optimizer

from i2ibench.models.interface import PairBatch, Phase, TrainableModel
from i2ibench_baselines.adam import AdamConfig, Momentum
from i2ibench_baselines.losses import l1_loss
from i2ibench_baselines.nafnet_network import NAFNetGenerator

Count = Annotated[int, Field(ge=0, le=64)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1, max_length=6)]


class NAFNetConfig(AdamConfig):
    """Settings of the network (the defaults are the paper's for denoising) and of Adam.

    Attributes:
        width: channels at the full size.
        encoder: blocks of each level on the way down, from the full size.
        middle: blocks at the smallest size.
        decoder: blocks of each level on the way up, from the smallest size.
    """

    width: Annotated[int, Field(ge=1)] = 32
    encoder: Counts = (2, 2, 4, 8)
    middle: Count = 12
    decoder: Counts = (2, 2, 2, 2)
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    betas: tuple[Momentum, Momentum] = (0.9, 0.9)

    @model_validator(mode="after")
    def _as_many_levels_up_as_down(self) -> NAFNetConfig:
        if len(self.encoder) != len(self.decoder):
            raise ValueError("encoder and decoder must name as many levels")
        return self


class NAFNet(TrainableModel):
    """NAFNet (Chen et al. 2022, arXiv:2204.04676) on L1 alone: regression, beside l1-unet."""

    Config = NAFNetConfig
    config: NAFNetConfig

    def __init__(self, config: NAFNetConfig) -> None:
        super().__init__(config)
        self.generator = NAFNetGenerator(
            width=config.width,
            encoder=config.encoder,
            middle=config.middle,
            decoder=config.decoder,
        )
        self.size_multiple = self.generator.size_multiple

    def translate(self, source: Tensor) -> Tensor:
        """Return what the network makes, cut to [-1, 1]."""
        translation: Tensor = self.generator(source)
        return translation.clamp(-1.0, 1.0)

    def initialize(self, generator: torch.Generator) -> None:
        """Draw all convolutions from PyTorch's distribution: uniform within 1 / sqrt(inputs)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                bound = 1 / math.sqrt(module.weight[0].numel())
                for each in (module.weight, module.bias):
                    if each is not None:
                        nn.init.uniform_(each, -bound, bound, generator=generator)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the generator's Adam."""
        return {"generator": self.config.adam(self.generator)}

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the one phase; the loss sees values beyond [-1, 1] as they are."""
        prediction = self.generator(batch.source)
        yield Phase("generator", lambda: {"G_L1": l1_loss(prediction, batch.target)})
