"""The two generators of the official code: a residual encoder-decoder and a U-Net.

Layer order, and with it every ``state_dict`` key, is that of the official code
(junyanz/pytorch-CycleGAN-and-pix2pix, bupt-ai-cz/BCI), so that its checkpoints load unchanged.
All images are ``(N, C, H, W)`` floats in [-1, 1].
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from i2ibench_baselines.instance_norm import InstanceNorm
from i2ibench_baselines.padding import ReflectionPad

GeneratorKind = Literal["resnet_6blocks", "resnet_9blocks", "unet_128", "unet_256"]
Norm = Literal["batch", "instance", "none"]

RESIDUAL_BLOCKS = {"resnet_6blocks": 6, "resnet_9blocks": 9}
UNET_DOWNSAMPLINGS = {"unet_128": 7, "unet_256": 8}


class ResNetGenerator(nn.Module):
    """Two stride-2 convolutions, residual blocks at a quarter of the size, and back up.

    Johnson et al. 2016 (arXiv:1603.08155) with the changes of CycleGAN (arXiv:1703.10593). Height
    and width must be multiples of 4.

    Attributes:
        size_multiple: height and width of the input must be multiples of this.
        tile_overlap: see ``tile_overlap_of``.
    """

    def __init__(
        self,
        *,
        blocks: int = 9,
        width: int = 64,
        norm: Norm = "batch",
        dropout: bool = True,
        in_channels: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        bias = has_bias(norm)
        inner = 4 * width
        self.size_multiple = 4
        self.tile_overlap = tile_overlap_of(blocks, norm)
        self.model = nn.Sequential(
            ReflectionPad(3),
            nn.Conv2d(in_channels, width, 7, bias=bias),
            norm_layer(norm, width),
            nn.ReLU(inplace=True),
            *_resnet_down(width, 2 * width, norm),
            *_resnet_down(2 * width, inner, norm),
            *(ResidualBlock(inner, norm, dropout) for _ in range(blocks)),
            *_resnet_up(inner, 2 * width, norm),
            *_resnet_up(2 * width, width, norm),
            ReflectionPad(3),
            nn.Conv2d(width, out_channels, 7),
            nn.Tanh(),
        )

    def forward(self, source: Tensor) -> Tensor:
        """Return the translation of ``source``, of the same height and width."""
        return self.model(source)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity; nothing is applied after the sum."""

    def __init__(self, channels: int, norm: Norm, dropout: bool) -> None:
        super().__init__()
        bias = has_bias(norm)
        self.conv_block = nn.Sequential(
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return ``features`` plus their residual."""
        return features + self.conv_block(features)


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
        # Built from the innermost level outwards, because each level contains the next.
        level: UNetLevel = InnermostLevel(8 * width, 8 * width, norm)
        for _ in range(downsamplings - 5):
            level = UNetLevel(8 * width, 8 * width, norm, level, dropout)
        for outer, inner in ((4, 8), (2, 4), (1, 2)):
            level = UNetLevel(outer * width, inner * width, norm, level)
        self.model = OutermostLevel(in_channels, out_channels, width, norm, level)

    def forward(self, source: Tensor) -> Tensor:
        """Return the translation of ``source``, of the same height and width."""
        return self.model(source)


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
) -> ResNetGenerator | UNetGenerator:
    """Build the generator that the official code calls ``kind``; ``width`` is its ``ngf``."""
    if kind in RESIDUAL_BLOCKS:
        return ResNetGenerator(
            blocks=RESIDUAL_BLOCKS[kind],
            width=width,
            norm=norm,
            dropout=dropout,
            in_channels=in_channels,
            out_channels=out_channels,
        )
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


def initialize_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw the official initial weights from ``generator``, in the order of ``network.apply``.

    Convolutions from N(0, 0.02), batch-norm weights from N(1, 0.02), all biases 0: with
    ``generator`` seeded like the global one, the same bits as the official ``init_weights``.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02, generator=generator)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def tile_overlap_of(blocks: int, norm: Norm) -> int | None:
    """Return how many pixels of context a tile needs on each side to equal the whole image.

    The radius of the receptive field: 3 for each 7x7 convolution, 1 + 2 for the two downsamplings,
    8 for a residual block (two 3x3 convolutions at a quarter of the size), 2 + 1 for the
    transposed convolutions. It holds in evaluation mode for tiles that start at multiples of 4.
    None under instance norm, whose statistics are those of the whole image.
    """
    return None if norm == "instance" else 12 + 8 * blocks


def has_bias(norm: Norm) -> bool:
    """Whether convolutions before a norm have a bias: only instance norm has none of its own."""
    return norm == "instance"


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return the official norm: batch (affine, running statistics) or instance (neither)."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return InstanceNorm(channels)
    return nn.Identity()


def _resnet_down(before: int, after: int, norm: Norm) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, stride=2, padding=1, bias=has_bias(norm)),
        norm_layer(norm, after),
        nn.ReLU(inplace=True),
    ]


def _resnet_up(before: int, after: int, norm: Norm) -> list[nn.Module]:
    return [
        nn.ConvTranspose2d(
            before, after, 3, stride=2, padding=1, output_padding=1, bias=has_bias(norm)
        ),
        norm_layer(norm, after),
        nn.ReLU(inplace=True),
    ]
