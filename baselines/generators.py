"""The two generators of the official code: a residual encoder-decoder and a U-Net.

Layer order, and with it every ``state_dict`` key, is that of the official code
(junyanz/pytorch-CycleGAN-and-pix2pix, bupt-ai-cz/BCI), so that its checkpoints load unchanged.
All images are ``(N, C, H, W)`` floats in [-1, 1].
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from i2ibench_baselines.grey import as_colour, as_grey
from i2ibench_baselines.norms import Norm as Norm
from i2ibench_baselines.norms import has_bias, norm_layer
from i2ibench_baselines.resnet import ResidualBlock as ResidualBlock
from i2ibench_baselines.resnet import ResNetGenerator as ResNetGenerator

GeneratorKind = Literal["resnet_6blocks", "resnet_9blocks", "unet_128", "unet_256"]
ResNetKind = Literal["resnet_6blocks", "resnet_9blocks"]
Initialization = Literal["normal", "xavier"]

RESIDUAL_BLOCKS = {"resnet_6blocks": 6, "resnet_9blocks": 9}
UNET_DOWNSAMPLINGS = {"unet_128": 7, "unet_256": 8}


class UNetGenerator(nn.Module):
    """Encoder and decoder with a skip connection at every size (pix2pix, arXiv:1611.07004).

    Height and width must be multiples of ``2 ** downsamplings``.

    Attributes:
        size_multiple: height and width of the input must be multiples of this.
        tile_overlap: None; the bottleneck sees the whole image, so tiles cannot be exact.
    """

    def __init__(
        self,
        *,
        downsamplings: int = 8,
        width: int = 64,
        norm: Norm = "batch",
        dropout: bool = True,
        in_channels: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.size_multiple = 2**downsamplings
        self.tile_overlap = None
        self.in_channels = in_channels
        # Built from the innermost level outwards, because each level contains the next.
        level: UNetLevel = InnermostLevel(8 * width, 8 * width, norm)
        for _ in range(downsamplings - 5):
            level = UNetLevel(8 * width, 8 * width, norm, level, dropout)
        for outer, inner in ((4, 8), (2, 4), (1, 2)):
            level = UNetLevel(outer * width, inner * width, norm, level)
        self.model = OutermostLevel(in_channels, out_channels, width, norm, level)

    def forward(self, source: Tensor) -> Tensor:
        """Return the translation of ``source``, of the same height and width."""
        return as_colour(self.model(as_grey(source, self.in_channels)))


class UNetLevel(nn.Module):
    """One halving and doubling of the size, with its input carried across beside its output.

    ``model[0]`` activates the input; the skip connection carries the *activated* features. That is
    not what the paper's figure suggests, but what the official in-place activation does.
    """

    def __init__(
        self, outer: int, inner: int, norm: Norm, submodule: nn.Module, dropout: bool = False
    ) -> None:
        super().__init__()
        bias = has_bias(norm)
        self.model = nn.Sequential(
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias),
            norm_layer(norm, inner),
            submodule,
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * inner, outer, 4, stride=2, padding=1, bias=bias),
            norm_layer(norm, outer),
            *([nn.Dropout(0.5)] if dropout else []),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the activated ``features`` and, behind them, what the deeper levels made."""
        activated = self.model[0](features)
        deeper = activated
        for layer in self.model[1:]:
            deeper = layer(deeper)
        return torch.cat([activated, deeper], 1)


class InnermostLevel(UNetLevel):
    """The bottleneck: no level inside it and no norm after its convolution."""

    def __init__(self, outer: int, inner: int, norm: Norm) -> None:
        nn.Module.__init__(self)
        bias = has_bias(norm)
        self.model = nn.Sequential(
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1, bias=bias),
            norm_layer(norm, outer),
        )


class OutermostLevel(nn.Module):
    """From image to features and from features to image; no skip connection, no norm."""

    def __init__(
        self, in_channels: int, out_channels: int, width: int, norm: Norm, submodule: nn.Module
    ) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(in_channels, width, 4, stride=2, padding=1, bias=has_bias(norm)),
            submodule,
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * width, out_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, source: Tensor) -> Tensor:
        """Return the image made by all levels."""
        return self.model(source)


def build_generator(
    kind: GeneratorKind,
    width: int = 64,
    norm: Norm = "batch",
    dropout: bool = True,
    in_channels: int = 3,
    out_channels: int = 3,
    antialias: bool = False,
    spectral: bool = False,
) -> ResNetGenerator | UNetGenerator:
    """Build the generator that the official code calls ``kind``; ``width`` is its ``ngf``.

    Raises:
        ValueError: an unknown kind, or a U-Net that should be antialiased or spectral.
    """
    if kind in RESIDUAL_BLOCKS:
        return ResNetGenerator(
            blocks=RESIDUAL_BLOCKS[kind],
            width=width,
            norm=norm,
            dropout=dropout,
            in_channels=in_channels,
            out_channels=out_channels,
            antialias=antialias,
            spectral=spectral,
        )
    if antialias or spectral:
        raise ValueError(f"only the ResNets are antialiased or spectral, not {kind}")
    if kind in UNET_DOWNSAMPLINGS:
        return UNetGenerator(
            downsamplings=UNET_DOWNSAMPLINGS[kind],
            width=width,
            norm=norm,
            dropout=dropout,
            in_channels=in_channels,
            out_channels=out_channels,
        )
    raise ValueError(f"unknown generator '{kind}'; known: {', '.join(get_args(GeneratorKind))}")


def initialize_weights(
    network: nn.Module, generator: torch.Generator, kind: Initialization = "normal"
) -> None:
    """Draw the official initial weights from ``generator``, in the order of ``network.apply``.

    Weights of convolutions and linear layers from N(0, 0.02), or by ``xavier`` from a normal
    distribution with gain 0.02; batch-norm weights from N(1, 0.02), all biases 0: with
    ``generator`` seeded like the global one, the same bits as the official ``init_weights``.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            # Under spectral norm ``weight`` is only what the last forward pass made of it.
            weight = getattr(module, "weight_orig", module.weight)
            if kind == "xavier":
                nn.init.xavier_normal_(weight, 0.02, generator=generator)
            else:
                nn.init.normal_(weight, 0.0, 0.02, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02, generator=generator)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
