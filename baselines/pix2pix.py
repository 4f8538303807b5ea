"""pix2pix: a conditional GAN and an L1 term."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from i2ibench_baselines.conditional_gan import ConditionalGAN, ConditionalGANConfig
from i2ibench_baselines.generators import GeneratorKind
from i2ibench_baselines.losses import l1_loss


class Pix2PixConfig(ConditionalGANConfig):
    """Settings of pix2pix.

    Attributes:
        l1_weight: the paper's lambda.
    """

    generator: GeneratorKind = "unet_256"
    l1_weight: Annotated[float, Field(ge=0)] = 100.0


class Pix2Pix(ConditionalGAN):
    """pix2pix (Isola et al. 2017, arXiv:1611.07004, eq. 4): GAN + 100 L1, U-Net."""

    Config = Pix2PixConfig
    config: Pix2PixConfig

    def reconstruction_losses(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the L1 distance."""
        return {"G_L1": self.config.l1_weight * l1_loss(prediction, target)}
