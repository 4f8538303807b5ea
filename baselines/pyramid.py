"""Pyramid pix2pix: the L1 term at several scales, and a ResNet."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from i2ibench_baselines.conditional_gan import ConditionalGAN, ConditionalGANConfig
from i2ibench_baselines.generators import GeneratorKind
from i2ibench_baselines.losses import pyramid_losses

Weight = Annotated[float, Field(ge=0)]


class PyramidConfig(ConditionalGANConfig):
    """Settings of pyramid pix2pix.

    Attributes:
        pyramid_weights: of the L1 distance at each scale, from the full size downwards.
    """

    generator: GeneratorKind = "resnet_9blocks"
    pyramid_weights: Annotated[tuple[Weight, ...], Field(min_length=1)] = (25.0, 25.0, 25.0, 25.0)


class PyramidPix2Pix(ConditionalGAN):
    """Pyramid pix2pix (Liu et al. 2022, arXiv:2204.11425): GAN + 25 L1 at each of four scales."""

    Config = PyramidConfig
    config: PyramidConfig

    def reconstruction_losses(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the L1 distance at each scale, ``G_L1`` at the full size."""
        weights = self.config.pyramid_weights
        losses = pyramid_losses(prediction, target, scales=len(weights))
        return {
            f"G_L{scale}": weight * loss
            for scale, (weight, loss) in enumerate(zip(weights, losses, strict=True), start=1)
        }
