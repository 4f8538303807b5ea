"""The PatchGAN discriminators: of an image beside its source or alone, plain or antialiased."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from i2ibench.errors import UsageError
from i2ibench_baselines.antialiasing import BlurredHalving
from i2ibench_baselines.norms import Norm, has_bias, norm_layer

# Below it the last 4x4 convolution has nothing to stand on.
MINIMUM_SIDE = 24


class PatchGAN(nn.Module):
    """Judges each patch of one image, or of a source together with a target or a prediction.

    Isola et al. 2017 (arXiv:1611.07004), appendix 6.1.2; ``state_dict`` keys of the official code.

    Args:
        width: channels of the first layer, the official ``ndf``.
        norm: normalisation layers.
        in_channels: of all images that are judged together.
        layers: halvings, the official ``n_layers``; three judge patches of 70 px.
        antialias: halve by a blur instead of by strides (arXiv:2007.15651).
        spectral: divide weights by their largest singular value (arXiv:1802.05957).
    """

    def __init__(
        self,
        *,
        width: int = 64,
        norm: Norm = "batch",
        in_channels: int = 6,
        layers: int = 3,
        antialias: bool = False,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.minimum_side = minimum_side(layers)
        self._assemble(_layers(width, norm, in_channels, layers, antialias, spectral))

    def _assemble(self, layers: list[nn.Module]) -> None:
        self.model = nn.Sequential(*layers)

    def forward(self, *images: Tensor) -> Tensor:
        """Return logits, high where the patch looks real: ``(N, 1, H / 8 - 2, W / 8 - 2)``."""
        height, width = images[0].shape[-2:]
        if min(height, width) < self.minimum_side:
            raise UsageError(
                f"PatchGAN judges images of at least {self.minimum_side} px, not {width} x "
                f"{height}; raise images.crop or images.resize"
            )
        return self._judge(torch.cat(images, 1) if len(images) > 1 else images[0])

    def _judge(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return logits


class SplitPatchGAN(PatchGAN):
    """A PatchGAN whose last convolution stands apart, as in the official code of ASP."""

    def _assemble(self, layers: list[nn.Module]) -> None:
        self.enc = nn.Sequential(*layers[:-1])
        self.final_conv = layers[-1]

    def _judge(self, images: Tensor) -> Tensor:
        logits: Tensor = self.final_conv(self.enc(images))
        return logits


def minimum_side(layers: int) -> int:
    """Return the smallest side that a PatchGAN of so many halvings can judge.

    The two last convolutions take a pixel each, and instance norm needs two of them.
    """
    return MINIMUM_SIDE * 2**layers // 8


def _layers(
    width: int, norm: Norm, in_channels: int, layers: int, antialias: bool, spectral: bool
) -> list[nn.Module]:
    channels = [width * min(2**place, 8) for place in range(layers + 1)]
    made = [
        _convolution(in_channels, width, True, antialias, bias=True),
        nn.LeakyReLU(0.2, inplace=True),
        *_blur(width, antialias),
    ]
    for place, (before, after) in enumerate(pairwise(channels), start=1):
        halves = place < layers
        made += [
            _convolution(before, after, halves, antialias, bias=has_bias(norm)),
            norm_layer(norm, after),
            nn.LeakyReLU(0.2, inplace=True),
            *_blur(after, antialias and halves),
        ]
    made.append(_convolution(channels[-1], 1, False, antialias, bias=True))
    if spectral:
        made = [spectral_norm(each) if isinstance(each, nn.Conv2d) else each for each in made]
    return made


def _convolution(
    before: int, after: int, halves: bool, antialias: bool, *, bias: bool
) -> nn.Module:
    stride = 2 if halves and not antialias else 1
    return nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=bias)


def _blur(channels: int, antialias: bool) -> list[nn.Module]:
    return [BlurredHalving(channels)] if antialias else []
