"""The conditional GAN that pix2pix, pyramid pix2pix and its variance-penalized form share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer

from i2ibench.models.interface import PairBatch, Phase
from i2ibench_baselines.discriminators import MINIMUM_SIDE, PatchGAN
from i2ibench_baselines.generator_model import GeneratorConfig, GeneratorModel
from i2ibench_baselines.losses import GanLoss, gan_loss


class ConditionalGANConfig(GeneratorConfig):
    """Settings of the adversarial part.

    Attributes:
        ndf: channels of the discriminator's first layer.
        gan_loss: ``vanilla`` (cross-entropy) or ``lsgan`` (least squares).
    """

    ndf: Annotated[int, Field(ge=1)] = 64
    gan_loss: GanLoss = "vanilla"


class ConditionalGAN(GeneratorModel):
    """A generator trained against a PatchGAN that sees the source beside each image.

    The training step is that of the official code: the discriminator first, then the generator
    against the discriminator as that step has left it. A method states what it adds to the
    adversarial loss in ``reconstruction_losses``.

    Loss names and values are those that are summed and backpropagated, weights included. The
    official log prints ``D_real`` and ``D_fake`` before their factor 0.5: twice these values.
    """

    Config = ConditionalGANConfig
    config: ConditionalGANConfig
    minimum_side = MINIMUM_SIDE

    def __init__(self, config: ConditionalGANConfig) -> None:
        super().__init__(config)
        self.discriminator = PatchGAN(width=config.ndf, norm=config.norm)

    def reconstruction_losses(self, prediction: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the weighted terms that compare ``prediction`` with ``target``."""
        raise NotImplementedError

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam a network."""
        return {
            "generator": self.adam(self.generator),
            "discriminator": self.adam(self.discriminator),
        }

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the discriminator's phase, then the generator's."""
        batch = self.as_seen(batch)
        prediction = self.generator(batch.source)
        yield Phase("discriminator", lambda: self._discriminator_losses(batch, prediction.detach()))
        yield Phase("generator", lambda: self._generator_losses(batch, prediction))

    def _discriminator_losses(self, batch: PairBatch, prediction: Tensor) -> dict[str, Tensor]:
        # Two passes, predictions first: batch norm must not mix them with the targets.
        fake = self.discriminator(batch.source, prediction)
        real = self.discriminator(batch.source, batch.target)
        return {
            "D_fake": 0.5 * gan_loss(fake, False, self.config.gan_loss),
            "D_real": 0.5 * gan_loss(real, True, self.config.gan_loss),
        }

    def _generator_losses(self, batch: PairBatch, prediction: Tensor) -> dict[str, Tensor]:
        judged = self.discriminator(batch.source, prediction)
        return {
            "G_GAN": gan_loss(judged, True, self.config.gan_loss),
            **self.reconstruction_losses(prediction, batch.target),
        }
