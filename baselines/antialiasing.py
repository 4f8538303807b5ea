"""Halving and doubling of features with a blur, so that nothing is aliased.

Zhang 2019 (arXiv:1904.11486), in the form of the official code of contrastive unpaired translation
(arXiv:2007.15651). Each layer keeps its filter as a buffer ``filt``, as the official layers do, so
that their checkpoints load unchanged; ``official.py`` refuses a file with another filter.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench_baselines.padding import ReflectionPad


class BlurredHalving(nn.Module):
    """Blurs by [1 2 1] on both axes and keeps every second pixel; the borders are reflected.

    Features ``(N, C, H, W)`` become ``(N, C, ceil(H / 2), ceil(W / 2))``; sides of at least 2.
    """

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pad = ReflectionPad(1)
        self.register_buffer("filt", _outer([1.0, 2.0, 1.0], 1 / 16).repeat(channels, 1, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return the features at half the size."""
        return F.conv2d(self.pad(features), self.filt, stride=2, groups=len(self.filt))


class BlurredDoubling(nn.Module):
    """Doubles the size by the transposed [1 3 3 1] filter on both axes; the borders are repeated.

    A transposed convolution of that filter takes a quarter of one neighbour and three of the other
    for each new pixel. This is bilinear interpolation at pixel centres, many times faster on a
    processor and equal to rounding.
    """

    filt: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        filt = _outer([1.0, 3.0, 3.0, 1.0], 4 / 64).repeat(channels, 1, 1, 1)
        self.register_buffer("filt", filt)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features at twice the size."""
        return F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


def _outer(taps: list[float], scale: float) -> Tensor:
    line = torch.tensor(taps)
    return torch.outer(line, line)[None, None] * scale
