"""pix2pixHD: a coarse-to-fine generator, discriminators at two sizes, and feature matching."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from i2ibench.errors import UsageError
from i2ibench.models.interface import PairBatch, Phase, TrainableModel
from i2ibench_baselines.adam import AdamConfig
from i2ibench_baselines.grey import as_seen
from i2ibench_baselines.losses import GanLoss, feature_matching_loss, gan_loss
from i2ibench_baselines.official_pix2pixhd import read_pix2pixhd
from i2ibench_baselines.pix2pixhd_networks import (
    GlobalGenerator,
    LocalEnhancer,
    MultiScaleDiscriminator,
    initialize_weights,
)
from i2ibench_baselines.vgg_loss import VGGLoss, load_vgg_loss

Count = Annotated[int, Field(ge=1, le=16)]
Weight = Annotated[float, Field(ge=0)]
Judgements = list[list[Tensor]]


class Pix2PixHDConfig(AdamConfig):
    """Settings of pix2pixHD; the official names stand in brackets.

    Attributes:
        generator: ``global``, or ``local``: the enhancer around a global one of half the size. Both
            parts of ``local`` are trained together, which the official code calls
            niter_fix_global 0.
        ngf: channels of the outermost layers; of ``local`` those of the enhancer, half as many as
            of the global generator inside.
        downsamplings: of the global generator [n_downsample_global].
        blocks: residual blocks of the global generator [n_blocks_global].
        local_blocks: residual blocks of the enhancer [n_blocks_local].
        ndf: channels of the discriminator's first layer.
        scales: sizes at which images are judged [num_D].
        layers: of each discriminator [n_layers_D].
        gan_loss: ``lsgan`` (least squares), or ``vanilla`` (cross-entropy).
        feature_weight: of feature matching [lambda_feat]; 0 leaves it out.
        vgg_weight: of the distance of VGG-19 features, whose weights must be on this machine; the
            paper's is 10. 0 leaves it out.
        in_channels: 1 for a generator that is given grey sources [input_nc].
        out_channels: 1 for one that makes grey predictions [output_nc].
    """

    added_later = frozenset({"in_channels", "out_channels"})

    generator: Literal["global", "local"] = "global"
    ngf: Annotated[int, Field(ge=1)] = 64
    downsamplings: Count = 4
    blocks: Annotated[int, Field(ge=1)] = 9
    local_blocks: Annotated[int, Field(ge=1)] = 3
    ndf: Annotated[int, Field(ge=1)] = 64
    scales: Count = 2
    layers: Count = 3
    gan_loss: GanLoss = "lsgan"
    feature_weight: Weight = 10.0
    vgg_weight: Weight = 0.0
    in_channels: Literal[1, 3] = 3
    out_channels: Literal[1, 3] = 3


class Pix2PixHD(TrainableModel):
    """pix2pixHD (Wang et al. 2018, arXiv:1711.11585): GANs at two sizes + 10 VGG (weights vgg19).

    All losses are those of one forward pass: the generator steps first, then the discriminator on
    what it said of the targets and of the same prediction before. Features of the discriminators
    are matched, too. The VGG loss needs weights that must be fetched; ``vgg_weight`` 0, as in the
    recipes of drawn slides and facades, trains without.
    """

    Config = Pix2PixHDConfig
    config: Pix2PixHDConfig

    def __init__(self, config: Pix2PixHDConfig) -> None:
        super().__init__(config)
        sizes = {
            "width": config.ngf,
            "downsamplings": config.downsamplings,
            "blocks": config.blocks,
            "in_channels": config.in_channels,
            "out_channels": config.out_channels,
        }
        self.generator: GlobalGenerator | LocalEnhancer
        if config.generator == "local":
            self.generator = LocalEnhancer(**sizes, local_blocks=config.local_blocks)
        else:
            self.generator = GlobalGenerator(**sizes)
        self.discriminator = MultiScaleDiscriminator(
            width=config.ndf, scales=config.scales, layers=config.layers
        )
        self.size_multiple = self.generator.size_multiple
        # Instance norm needs two pixels: of the innermost layer, and of the smallest judged image.
        self.minimum_side = max(2 * self.size_multiple, 2**config.scales)
        self._vgg: VGGLoss | None = None

    @classmethod
    def from_external_checkpoint(cls, path: Path) -> Pix2PixHD:
        """Return a model around the official global or local generator saved in ``path``.

        Raises ``DataError`` with what the file looks like when it is something else.
        """
        settings, weights = read_pix2pixhd(path)
        model = cls(cls.Config(**settings))
        model.generator.load_state_dict(weights)
        return model.eval()

    def parameter_count(self) -> int:
        """Return the number of parameters of the generator."""
        return sum(parameter.numel() for parameter in self.generator.parameters())

    def translate(self, source: Tensor) -> Tensor:
        """Return the generator's output; smaller images are continued to what it needs."""
        height, width = source.shape[-2:]
        least = 2 * self.size_multiple
        missing = (0, max(0, least - width), 0, max(0, least - height))
        seen = F.pad(source, missing, mode="replicate") if any(missing) else source
        translation: Tensor = self.generator(seen)
        return translation[..., :height, :width]

    def initialize(self, generator: torch.Generator) -> None:
        """Draw the official initial weights, network by network."""
        for network in (self.generator, self.discriminator):
            initialize_weights(network, generator)

    def optimizers(self) -> dict[str, Optimizer]:
        """Return one Adam a network."""
        networks: dict[str, nn.Module] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
        }
        return {name: self.config.adam(network) for name, network in networks.items()}

    def training_phases(self, batch: PairBatch) -> Iterator[Phase]:
        """Yield the generator's phase, then the discriminator's on the same prediction."""
        height, width = batch.source.shape[-2:]
        if min(height, width) < self.minimum_side:
            raise UsageError(
                f"these networks of pix2pixHD train on images of at least {self.minimum_side} px, "
                f"not {width} x {height}; raise images.crop or images.resize, or lower "
                "model.downsamplings"
            )
        batch = as_seen(batch, self.config.in_channels, self.config.out_channels)
        prediction = self.generator(batch.source)
        # Judged before any phase, while the discriminator learns: both phases use what it says.
        real = self.discriminator(batch.source, batch.target)
        yield Phase("generator", lambda: self._generator_losses(batch, prediction, real))
        yield Phase("discriminator", lambda: self._discriminator_losses(batch, prediction, real))

    def _generator_losses(
        self, batch: PairBatch, prediction: Tensor, real: Judgements
    ) -> dict[str, Tensor]:
        config = self.config
        fake = self.discriminator(batch.source, prediction)
        losses = {"G_GAN": self._judged(fake, True)}
        if config.feature_weight:
            losses["G_GAN_Feat"] = config.feature_weight * feature_matching_loss(fake, real)
        if config.vgg_weight:
            if self._vgg is None:
                self._vgg = load_vgg_loss(prediction, "model.vgg_weight")
            losses["G_VGG"] = config.vgg_weight * self._vgg(prediction, batch.target)
        return losses

    def _discriminator_losses(
        self, batch: PairBatch, prediction: Tensor, real: Judgements
    ) -> dict[str, Tensor]:
        fake = self.discriminator(batch.source, prediction.detach())
        return {
            "D_real": 0.5 * self._judged(real, True),
            "D_fake": 0.5 * self._judged(fake, False),
        }

    def _judged(self, judgements: Judgements, real: bool) -> Tensor:
        """Return the adversarial loss, summed over the sizes."""
        terms = [gan_loss(made[-1], real, self.config.gan_loss) for made in judgements]
        return torch.stack(terms).sum()
