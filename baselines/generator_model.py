"""What all models around one generator share: its settings, its size rule, official files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from i2ibench.models.interface import ModelConfig, TrainableModel
from i2ibench_baselines.adam import has_fused_adam, make_adam
from i2ibench_baselines.generators import (
    GeneratorKind,
    Norm,
    build_generator,
    initialize_weights,
)
from i2ibench_baselines.official import read_generator


class GeneratorConfig(ModelConfig):
    """Settings of the generator and of Adam.

    Attributes:
        generator: the architecture, by its official name.
        ngf: channels of its outermost layers.
        norm: normalisation layers.
        dropout: whether there are dropout layers.
        learning_rate: of Adam, before the schedule.
        betas: of Adam.
        fused_adam: one kernel for all parameters; the same mathematics, faster.
    """

    generator: GeneratorKind
    ngf: Annotated[int, Field(ge=1)] = 64
    norm: Norm = "batch"
    dropout: bool = True
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.5,
        0.999,
    )
    fused_adam: bool = True


class GeneratorModel(TrainableModel):
    """A model that translates with one generator of the official architectures.

    Attributes:
        generator: the network.
        size_multiple: height and width must be multiples of this: 4 for ResNets, 256 (128) for
            U-Nets.
        tile_overlap: pixels of context on each side of a tile with which tiles equal the whole
            image; None where no overlap does.
    """

    Config = GeneratorConfig
    config: GeneratorConfig

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.generator = build_generator(config.generator, config.ngf, config.norm, config.dropout)
        self.size_multiple = self.generator.size_multiple
        self.tile_overlap = self.generator.tile_overlap

    @classmethod
    def from_external_checkpoint(cls, path: Path) -> GeneratorModel:
        """Return a model of this name around the official generator saved in ``path``.

        The settings of the generator are read from the file; all others keep their defaults. The
        model is in evaluation mode and meant for translation. Raises ``DataError`` when the file
        is not an official generator.
        """
        settings, weights = read_generator(path)
        model = cls(cls.Config(**settings))
        model.generator.load_state_dict(weights)
        return model.eval()

    def parameter_count(self) -> int:
        """Return the number of parameters of the generator."""
        return sum(parameter.numel() for parameter in self.generator.parameters())

    def translate(self, source: Tensor) -> Tensor:
        """Return the generator's output, in whatever mode it is."""
        translation: Tensor = self.generator(source)
        return translation

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the official initial weights, network by network."""
        for network in self.children():
            initialize_weights(network, generator)

    def adam(self, network: nn.Module) -> torch.optim.Adam:
        """Return a new Adam over the parameters of ``network``."""
        return make_adam(
            network.parameters(),
            lr=self.config.learning_rate,
            betas=self.config.betas,
            fused=self.config.fused_adam and has_fused_adam(network.parameters()),
        )
