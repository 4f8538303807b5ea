"""The PatchGAN discriminator of pix2pix."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from i2ibench.errors import UsageError
from i2ibench_baselines.generators import Norm, has_bias, norm_layer

# Below it the last 4x4 convolution has nothing to stand on.
MINIMUM_SIDE = 24


class PatchGAN(nn.Module):
    """Judges each 70x70 patch of a source together with a target or a prediction.

    Isola et al. 2017 (arXiv:1611.07004), appendix 6.1.2; ``state_dict`` keys of the official code.
    ``width`` is its ``ndf``.
    """

    def __init__(self, *, width: int = 64, norm: Norm = "batch", in_channels: int = 6) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(in_channels, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            *_stage(width, 2 * width, 2, norm),
            *_stage(2 * width, 4 * width, 2, norm),
            *_stage(4 * width, 8 * width, 1, norm),
            nn.Conv2d(8 * width, 1, 4, stride=1, padding=1),
        )

    def forward(self, source: Tensor, candidate: Tensor) -> Tensor:
        """Return logits ``(N, 1, H / 8 - 2, W / 8 - 2)``, high where the patch looks real."""
        height, width = source.shape[-2:]
        if min(height, width) < MINIMUM_SIDE:
            raise UsageError(
                f"PatchGAN judges images of at least {MINIMUM_SIDE} px, not {width} x {height}; "
                "raise images.crop or images.resize"
            )
        return self.model(torch.cat([source, candidate], 1))


def _stage(before: int, after: int, stride: int, norm: Norm) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=has_bias(norm)),
        norm_layer(norm, after),
        nn.LeakyReLU(0.2, inplace=True),
    ]
