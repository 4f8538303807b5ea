"""CUT and FastCUT: a patch of the prediction resembles its own place in the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from i2ibench.models.interface import PairBatch, Phase
from i2ibench_baselines.contrastive_gan import ContrastiveConfig, ContrastiveGAN, Weight


class CUTConfig(ContrastiveConfig):
    """Settings of CUT.

    Attributes:
        identity: whether a translated target, too, must keep its patches; both terms then count
            half.
        flip_equivariance: whether half of the steps translate mirrored images.
    """

    identity: bool = True
    flip_equivariance: bool = False


class CUT(ContrastiveGAN):
    """CUT (Park et al. 2020, arXiv:2007.15651): GAN and PatchNCE to the source; unpaired."""

    Config = CUTConfig
    config: CUTConfig

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the discriminator's phase, then that of generator and heads."""
        batch = self.as_seen(batch)
        flipped = self.config.flip_equivariance and self.draws.flipped()
        images = [batch.source, batch.target] if self.config.identity else [batch.source]
        together = torch.cat(images)
        made, features = self.generator.forward_and_encode(
            together.flip(3) if flipped else together, self.config.nce_layers
        )
        predictions = made.split(len(batch.source))
        yield self.discriminator_phase(predictions[0], batch.target)
        if flipped or not self._passes_are_equal:
            with torch.no_grad():
                keys = [self.encoded(image) for image in images]
        else:  # The generator was not stepped since: its features of the images are still the same.
            keys = [
                [*each]
                for each in zip(*(f.split(len(batch.source)) for f in features), strict=True)
            ]
        yield Phase(
            ("generator", "heads"),
            lambda: {
                "G_GAN": self.adversarial_loss(predictions[0]),
                **self._contrasts(predictions, keys, flipped),
            },
        )

    @property
    def _passes_are_equal(self) -> bool:
        """Whether another pass over an image, alone, has the features that it had in this one.

        Not where an image depends on its batch, on what is dropped, or on the power iteration that
        each pass takes.
        """
        config = self.config
        changes = config.norm == "batch" or config.dropout or config.spectral
        return not (changes or config.official_arithmetic)

    def _contrasts(
        self, predictions: Sequence[Tensor], keys: list[list[Tensor]], flipped: bool
    ) -> dict[str, Tensor]:
        weight = self.config.nce_weight / len(predictions)
        losses = {}
        for name, prediction, key in zip(
            ("G_NCE", "G_NCE_identity"), predictions, keys, strict=False
        ):
            queries = self.encoded(prediction)
            if flipped:
                queries = [each.flip(3) for each in queries]
            losses[name] = weight * self.contrast(queries, key)
        return losses


class FastCUTConfig(CUTConfig):
    """Settings of FastCUT: no identity term, ten times the weight, mirrored images."""

    identity: bool = False
    flip_equivariance: bool = True
    nce_weight: Weight = 10.0


class FastCUT(CUT):
    """FastCUT (Park et al. 2020, arXiv:2007.15651): CUT without identity, faster; unpaired."""

    Config = FastCUTConfig
    config: FastCUTConfig
