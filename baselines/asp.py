"""ASP: CUT for pairs that do not match everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from i2ibench.models.interface import PairBatch, Phase
from i2ibench_baselines.contrastive_gan import ContrastiveConfig, ContrastiveGAN, Count, Weight
from i2ibench_baselines.discriminators import SplitPatchGAN
from i2ibench_baselines.generators import ResNetKind
from i2ibench_baselines.losses import gaussian_pyramid_loss
from i2ibench_baselines.nce import Normalization


class ASPConfig(ContrastiveConfig):
    """Settings of ASP.

    Attributes:
        asp_weight: of the contrastive loss between prediction and target.
        pyramid_weight: of the Gaussian pyramid.
        pyramid_weights: of its levels, from the full size downwards.
    """

    generator: ResNetKind = "resnet_6blocks"
    spectral: bool = True
    ndf: Count = 32
    discriminator_layers: Annotated[int, Field(ge=1, le=8)] = 5
    nce_weight: Weight = 10.0
    asp_weight: Weight = 10.0
    pyramid_weight: Weight = 10.0
    pyramid_weights: Annotated[tuple[Weight, ...], Field(min_length=1)] = (
        1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0,
    )  # fmt: skip


class ASP(ContrastiveGAN):
    """ASP (Li et al. 2023, arXiv:2303.06193): PatchNCE to source and, where similar, to target.

    A patch counts for the contrast to the target the more, the more it resembles its own place
    there: pairs of consecutive sections do not match everywhere. All patches count the same until
    the learning rate begins to fall, and by their similarity alone at the end.
    """

    Config = ASPConfig
    config: ASPConfig
    epsilon: Normalization = "inside"
    discriminator_class = SplitPatchGAN

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the discriminator's phase, then that of generator and heads."""
        batch = self.as_seen(batch)
        prediction = self.generator(batch.source)
        yield self.discriminator_phase(prediction, batch.target)
        yield Phase(("generator", "heads"), lambda: self.generator_losses(prediction, batch))

    def generator_losses(self, prediction: Tensor, batch: PairBatch) -> dict[str, Tensor]:
        """Return the losses of a prediction beside its source and target, weighted."""
        # Three passes in the official order: under spectral norm each one moves the estimates of
        # the largest singular values, so that none of them can serve for another.
        with torch.no_grad():
            source = self.encoded(batch.source)
        predicted = self.encoded(prediction)
        with torch.no_grad():
            target = self.encoded(batch.target)
        config = self.config
        judged = self.adversarial_loss(prediction)
        contrast = self.contrast(predicted, source)
        pyramid = gaussian_pyramid_loss(prediction, batch.target, config.pyramid_weights)
        supervised = self.contrast(predicted, target, supervision=batch.progress.decayed)
        return {
            "G_GAN": judged,
            "G_NCE": config.nce_weight * contrast,
            "G_ASP": config.asp_weight * supervised,
            "G_pyramid": config.pyramid_weight * pyramid,
        }
