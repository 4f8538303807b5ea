"""Plain regression: a generator without an adversary, the yardstick every GAN must beat."""

from __future__ import annotations

from collections.abc import Iterator

from torch.optim import Optimizer

from i2ibench.models.interface import PairBatch, Phase
from i2ibench_baselines.generator_model import GeneratorConfig, GeneratorModel
from i2ibench_baselines.generators import GeneratorKind
from i2ibench_baselines.losses import l1_loss


class L1UNetConfig(GeneratorConfig):
    """Settings of the regression: no dropout, which would only add noise to a mean estimate."""

    generator: GeneratorKind = "unet_256"
    dropout: bool = False


class L1UNet(GeneratorModel):
    """U-Net (Ronneberger et al. 2015, arXiv:1505.04597) on L1 alone: blurred, yet high in PSNR."""

    Config = L1UNetConfig
    config: L1UNetConfig

    def optimizers(self) -> dict[str, Optimizer]:
        """Return the generator's Adam."""
        return {"generator": self.adam(self.generator)}

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the one phase."""
        batch = self.as_seen(batch)
        prediction = self.generator(batch.source)
        yield Phase("generator", lambda: {"G_L1": l1_loss(prediction, batch.target)})
