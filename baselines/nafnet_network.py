"""The restoration network without nonlinear activations (NAFNet), at the size of its source.

Chen et al. 2022 (arXiv:2204.04676), sections 3 and 4; written from the paper's equations, with
names of our own in its ``state_dict``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NAFNetGenerator(nn.Module):
    """A U-shaped network of NAFNet blocks; what it makes is added to its source.

    A level halves the size and doubles the channels; on the way up, 2 x 2 pixels are taken from
    four channels, and what came down is added.

    Attributes:
        size_multiple: height and width of the input must be multiples of this.
        tile_overlap: None; channel attention reads the whole image.
    """

    def __init__(
        self, *, width: int, encoder: Sequence[int], middle: int, decoder: Sequence[int]
    ) -> None:
        super().__init__()
        self.size_multiple = 2 ** len(encoder)
        self.tile_overlap = None
        widths = [width * 2**level for level in range(len(encoder) + 1)]
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.encoder = nn.ModuleList(
            _blocks(channels, count) for channels, count in zip(widths, encoder, strict=False)
        )
        self.down = nn.ModuleList(
            nn.Conv2d(channels, 2 * channels, 2, stride=2) for channels in widths[:-1]
        )
        self.middle = _blocks(widths[-1], middle)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2))
            for channels in widths[:0:-1]
        )
        self.decoder = nn.ModuleList(
            _blocks(channels, count)
            for channels, count in zip(widths[-2::-1], decoder, strict=True)
        )
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, source: Tensor) -> Tensor:
        """Return the translation of ``source``, of the same height and width, unbounded."""
        features = self.first(source)
        carried = []
        for blocks, down in zip(self.encoder, self.down, strict=True):
            features = blocks(features)
            carried.append(features)
            features = down(features)
        features = self.middle(features)
        for up, blocks, skip in zip(self.up, self.decoder, reversed(carried), strict=True):
            features = blocks(up(features) + skip)
        made: Tensor = source + self.last(features)
        return made


class NAFNetBlock(nn.Module):
    """Two residual halves of simple gates (figure 3c): a spatial one and one of channels.

    y = x + beta * W3(SCA(SG(D(W1(LN(x)))))) and z = y + gamma * W5(SG(W4(LN(y)))), where W are
    1 x 1 convolutions, D is a 3 x 3 convolution of each channel alone, SG multiplies the two halves
    of the channels (eq. 8), and SCA multiplies each channel by a linear function of all their means
    (eq. 9). beta and gamma start at zero, so that a new block changes nothing.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        double = 2 * channels
        self.spatial_norm, self.channel_norm = ChannelNorm(channels), ChannelNorm(channels)
        self.widen = nn.Conv2d(channels, double, 1)
        self.depthwise = nn.Conv2d(double, double, 3, padding=1, groups=double)
        self.attention = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.feed = nn.Conv2d(channels, double, 1)
        self.gather = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return the features, of the same shape."""
        gated = simple_gate(self.depthwise(self.widen(self.spatial_norm(features))))
        attended = gated * self.attention(gated.mean((2, 3), keepdim=True))
        features = features + self.beta * self.project(attended)
        fed = simple_gate(self.feed(self.channel_norm(features)))
        return features + self.gamma * self.gather(fed)


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel, with a weight and a bias a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return ``(N, C, H, W)``, at each pixel with mean 0 and variance 1 before the weight."""
        pixels = features.permute(0, 2, 3, 1)
        normed = F.layer_norm(pixels, self.weight.shape, self.weight, self.bias, eps=1e-6)
        return normed.permute(0, 3, 1, 2)


def simple_gate(features: Tensor) -> Tensor:
    """Return the product of the two halves of the channels (arXiv:2204.04676, eq. 8)."""
    first, second = features.chunk(2, 1)
    return first * second


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(NAFNetBlock(channels) for _ in range(count)))
