"""CycleGAN: two generators, each of which undoes the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from i2ibench.models.interface import PairBatch, Phase
from i2ibench_baselines.discriminators import MINIMUM_SIDE, PatchGAN
from i2ibench_baselines.draws import Draws
from i2ibench_baselines.generator_model import GeneratorConfig, GeneratorModel
from i2ibench_baselines.generators import GeneratorKind, Norm
from i2ibench_baselines.image_pool import ImagePool
from i2ibench_baselines.losses import GanLoss, gan_loss, l1_loss

Weight = Annotated[float, Field(ge=0)]


class CycleGANConfig(GeneratorConfig):
    """Settings of CycleGAN.

    Attributes:
        ndf: channels of the first layer of both discriminators.
        gan_loss: ``lsgan`` (least squares) or ``vanilla`` (cross-entropy).
        cycle_weight: the paper's lambda.
        identity_weight: of the identity loss, as a share of ``cycle_weight``.
        pool_size: earlier predictions that each discriminator is trained against.
    """

    generator: GeneratorKind = "resnet_9blocks"
    norm: Norm = "instance"
    dropout: bool = False
    ndf: Annotated[int, Field(ge=1)] = 64
    gan_loss: GanLoss = "lsgan"
    cycle_weight: Weight = 10.0
    identity_weight: Weight = 0.5
    pool_size: Annotated[int, Field(ge=0, le=1000)] = 50


class CycleGAN(GeneratorModel):
    """CycleGAN (Zhu et al. 2017, arXiv:1703.10593): back and forth must return the image; unpaired.

    Nothing compares a prediction with its own target. The step is that of the
    official code: both generators first, then both discriminators. Of the official names,
    ``generator`` is G_A, ``inverse_generator`` G_B, and ``discriminator`` D_A, which judges
    targets.
    """

    Config = CycleGANConfig
    config: CycleGANConfig
    minimum_side = MINIMUM_SIDE

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__(config)
        self.inverse_generator = self.build_generator(inverse=True)
        self.discriminator = PatchGAN(width=config.ndf, norm=config.norm, in_channels=3)
        self.inverse_discriminator = PatchGAN(width=config.ndf, norm=config.norm, in_channels=3)
        self.pool, self.inverse_pool = ImagePool(config.pool_size), ImagePool(config.pool_size)
        self.draws = Draws()

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam for both generators and one for both discriminators."""
        discriminators = [self.discriminator, self.inverse_discriminator]
        return {
            "generators": self.adam(nn.ModuleList([self.generator, self.inverse_generator])),
            "discriminators": self.adam(nn.ModuleList(discriminators)),
        }

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the phase of the generators, then that of the discriminators."""
        batch = self.as_seen(batch)
        fake_target = self.generator(batch.source)
        cycled_source = self.inverse_generator(fake_target)
        fake_source = self.inverse_generator(batch.target)
        cycled_target = self.generator(fake_source)
        cycle, kind = self.config.cycle_weight, self.config.gan_loss
        yield Phase(
            "generators",
            lambda: {
                **self._identity_losses(batch),
                "G_A": gan_loss(self.discriminator(fake_target), True, kind),
                "G_B": gan_loss(self.inverse_discriminator(fake_source), True, kind),
                "cycle_A": cycle * l1_loss(cycled_source, batch.source),
                "cycle_B": cycle * l1_loss(cycled_target, batch.target),
            },
        )
        judged = self.pool.query(fake_target, self.draws)
        inverse_judged = self.inverse_pool.query(fake_source, self.draws)
        yield Phase(
            "discriminators",
            lambda: {
                "D_A": self._judgement(self.discriminator, batch.target, judged),
                "D_B": self._judgement(self.inverse_discriminator, batch.source, inverse_judged),
            },
        )

    def _identity_losses(self, batch: PairBatch) -> dict[str, Tensor]:
        weight = self.config.cycle_weight * self.config.identity_weight
        if weight == 0:
            return {}
        return {
            "idt_A": weight * l1_loss(self.generator(batch.target), batch.target),
            "idt_B": weight * l1_loss(self.inverse_generator(batch.source), batch.source),
        }

    def _judgement(self, discriminator: PatchGAN, real: Tensor, fake: Tensor) -> Tensor:
        kind = self.config.gan_loss
        return 0.5 * (
            gan_loss(discriminator(real), True, kind) + gan_loss(discriminator(fake), False, kind)
        )
