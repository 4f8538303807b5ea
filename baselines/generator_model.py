"""What all models around one generator share: its settings, its size rule, official files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from i2ibench.errors import DataError, UsageError
from i2ibench.models.interface import ModelConfig, PairBatch, TrainableModel, parse_config
from i2ibench_baselines.adam import has_fused_adam, make_adam
from i2ibench_baselines.generators import (
    RESIDUAL_BLOCKS,
    GeneratorKind,
    Initialization,
    Norm,
    ResNetGenerator,
    UNetGenerator,
    build_generator,
    initialize_weights,
)
from i2ibench_baselines.grey import as_seen
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
        antialias: halve and double the size with a blur; only the ResNets.
        spectral: spectral norm on every convolution; only the ResNets.
        in_channels: 1 for a generator that is given grey sources.
        out_channels: 1 for one that makes grey predictions.
        initialization: of weights: a normal distribution, or Xavier's.
    """

    added_later = frozenset(
        {"antialias", "spectral", "in_channels", "out_channels", "initialization"}
    )

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
    antialias: bool = False
    spectral: bool = False
    in_channels: Literal[1, 3] = 3
    out_channels: Literal[1, 3] = 3
    initialization: Initialization = "normal"

    @model_validator(mode="after")
    def _only_resnets_have_forms(self) -> GeneratorConfig:
        if (self.antialias or self.spectral) and self.generator not in RESIDUAL_BLOCKS:
            raise ValueError(f"antialias and spectral are for ResNets, not for {self.generator}")
        return self


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
        self.generator = self.build_generator()
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
        try:
            config = parse_config(cls.__name__, cls.Config, settings)
        except UsageError as error:
            raise DataError(f"{path}: {error}") from None
        model = cls(config)
        model.generator.load_state_dict(weights)
        return model.eval()

    def build_generator(self, *, inverse: bool = False) -> ResNetGenerator | UNetGenerator:
        """Return a new generator of these settings; an ``inverse`` one makes sources of targets."""
        config = self.config
        channels = (config.in_channels, config.out_channels)
        return build_generator(
            config.generator,
            config.ngf,
            config.norm,
            config.dropout,
            *(reversed(channels) if inverse else channels),
            config.antialias,
            config.spectral,
        )

    def as_seen(self, batch: PairBatch) -> PairBatch:
        """Return a batch in grey where the generator takes or makes grey images."""
        return as_seen(batch, self.config.in_channels, self.config.out_channels)

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
            initialize_weights(network, generator, self.config.initialization)

    def adam(self, network: nn.Module) -> torch.optim.Adam:
        """Return a new Adam over the parameters of ``network``, or of several in a list."""
        return make_adam(
            network.parameters(),
            lr=self.config.learning_rate,
            betas=self.config.betas,
            fused=self.config.fused_adam and has_fused_adam(network.parameters()),
        )
