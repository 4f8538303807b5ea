"""The contrastive GAN that CUT, FastCUT and ASP share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor
from torch.optim import Optimizer

from i2ibench.models.interface import Phase
from i2ibench_baselines.discriminators import PatchGAN
from i2ibench_baselines.draws import Draws
from i2ibench_baselines.generator_model import GeneratorConfig, GeneratorModel
from i2ibench_baselines.generators import Initialization, Norm, ResNetGenerator, ResNetKind
from i2ibench_baselines.losses import GanLoss, gan_loss
from i2ibench_baselines.nce import Normalization, ProjectionHeads, draw_positions, nce_loss
from i2ibench_baselines.official_arithmetic import use_official_arithmetic

Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class ContrastiveConfig(GeneratorConfig):
    """Settings of the adversarial and the contrastive part.

    Attributes:
        ndf: channels of the discriminator's first layer.
        discriminator_layers: halvings of the discriminator, the official ``n_layers_D``.
        gan_loss: ``lsgan`` (least squares) or ``vanilla`` (cross-entropy).
        nce_weight: of the contrastive loss.
        nce_layers: places in the generator after which features are compared; 0 is the image.
        nce_positions: random positions a layer.
        nce_channels: of the projections.
        nce_temperature: divides the similarities.
        official_arithmetic: repeat the official code on a CPU to the last digit, slower, and with
            the wrong gradients that PyTorch gives it there; a proof, not a way to train.
    """

    generator: ResNetKind = "resnet_9blocks"
    norm: Norm = "instance"
    dropout: bool = False
    antialias: bool = True
    initialization: Initialization = "xavier"
    ndf: Count = 64
    discriminator_layers: Annotated[int, Field(ge=1, le=8)] = 3
    gan_loss: GanLoss = "lsgan"
    nce_weight: Weight = 1.0
    nce_layers: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (
        0, 4, 8, 12, 16,
    )  # fmt: skip
    nce_positions: Count = 256
    nce_channels: Count = 256
    nce_temperature: Annotated[float, Field(gt=0)] = 0.07
    official_arithmetic: bool = False

    @field_validator("nce_layers")
    @classmethod
    def _ascending(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if list(layers) != sorted(set(layers)):
            raise ValueError("name each layer once, in ascending order")
        return layers


class ContrastiveGAN(GeneratorModel):
    """A generator whose features of a prediction resemble those of another image at each place.

    Park et al. 2020 (arXiv:2007.15651). The step is that of the official code: the discriminator,
    which sees one image, then generator and projection heads together on one loss.

    Loss names and values are those that are summed and backpropagated, weights included.

    Attributes:
        draws: what a step draws at random.
    """

    Config = ContrastiveConfig
    config: ContrastiveConfig
    generator: ResNetGenerator
    epsilon: Normalization = "after"
    # Of one image, with the keys of the method's official code.
    discriminator_class: ClassVar[type[PatchGAN]] = PatchGAN

    def __init__(self, config: ContrastiveConfig) -> None:
        super().__init__(config)
        self.discriminator = self.discriminator_class(
            width=config.ndf,
            norm=config.norm,
            in_channels=3,
            layers=config.discriminator_layers,
            antialias=config.antialias,
            spectral=config.spectral,
        )
        self.minimum_side = self.discriminator.minimum_side
        channels = self.generator.channels_after(config.nce_layers)
        self.heads = ProjectionHeads(channels, config.nce_channels, self.epsilon)
        self.draws = Draws()
        if config.official_arithmetic:
            use_official_arithmetic(self)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam a network."""
        return {
            "generator": self.adam(self.generator),
            "heads": self.adam(self.heads),
            "discriminator": self.adam(self.discriminator),
        }

    def discriminator_phase(self, prediction: Tensor, target: Tensor) -> Phase:
        """Return the phase in which the discriminator learns to tell the two apart."""
        kind = self.config.gan_loss
        fake = prediction.detach()
        return Phase(
            "discriminator",
            lambda: {
                "D_fake": 0.5 * gan_loss(self.discriminator(fake), False, kind),
                "D_real": 0.5 * gan_loss(self.discriminator(target), True, kind),
            },
        )

    def adversarial_loss(self, prediction: Tensor) -> Tensor:
        """Return how far the discriminator is from taking the prediction for real."""
        return gan_loss(self.discriminator(prediction), True, self.config.gan_loss)

    def encoded(self, image: Tensor) -> list[Tensor]:
        """Return the features of an image after each of the compared layers."""
        return self.generator.encode(image, self.config.nce_layers)

    def contrast(
        self, queries: Sequence[Tensor], keys: Sequence[Tensor], supervision: float | None = None
    ) -> Tensor:
        """Return the contrastive loss between two lists of features at new random positions."""
        positions = draw_positions(keys, self.config.nce_positions, self.draws)
        with torch.no_grad():
            projected_keys = self.heads(keys, positions)
        projected = self.heads(queries, positions)
        return nce_loss(projected, projected_keys, self.config.nce_temperature, supervision)
