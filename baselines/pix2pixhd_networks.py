"""The networks of pix2pixHD: two generators and a discriminator that judges at several sizes.

Wang et al. 2018 (arXiv:1711.11585), section 3 and appendix; ``state_dict`` keys are those of the
official code (NVIDIA/pix2pixHD), so that its checkpoints load unchanged. Every convolution has a
bias, every norm is instance norm without weights. All images are ``(N, C, H, W)`` in [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from i2ibench_baselines.generators import ResidualBlock
from i2ibench_baselines.grey import as_colour, as_grey
from i2ibench_baselines.instance_norm import InstanceNorm
from i2ibench_baselines.padding import ReflectionPad

# Convolutions of the discriminator grow no wider than this.
_WIDEST = 512


class GlobalGenerator(nn.Module):
    """Stride-2 convolutions, residual blocks at the smallest size, and back up.

    Attributes:
        size_multiple: height and width of the input must be multiples of this.
        tile_overlap: None; instance norm reads the whole image.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        downsamplings: int = 4,
        blocks: int = 9,
        in_channels: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.size_multiple = 2**downsamplings
        self.tile_overlap = None
        self.in_channels = in_channels
        widths = [width * 2**level for level in range(downsamplings + 1)]
        self.model = nn.Sequential(
            *_from_image(in_channels, width),
            *(layer for each in widths[:-1] for layer in _down(each)),
            *(ResidualBlock(widths[-1], "instance", dropout=False) for _ in range(blocks)),
            *(layer for each in widths[:0:-1] for layer in _up(each)),
            *_to_image(width, out_channels),
        )

    def forward(self, source: Tensor) -> Tensor:
        """Return the translation of ``source``, of the same height and width."""
        return as_colour(self.model(as_grey(source, self.in_channels)))


class LocalEnhancer(nn.Module):
    """A narrow generator at the full size, into which a global one of half the size is added.

    ``width`` is that of the narrow one (the official ``ngf``); the global one is twice as wide and
    ends before its last convolution.

    Attributes:
        size_multiple: height and width of the input must be multiples of this.
        tile_overlap: None; instance norm reads the whole image.
    """

    def __init__(
        self,
        *,
        width: int = 32,
        downsamplings: int = 4,
        blocks: int = 9,
        local_blocks: int = 3,
        in_channels: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.size_multiple = 2 ** (downsamplings + 1)
        self.tile_overlap = None
        self.in_channels = in_channels
        whole = GlobalGenerator(
            width=2 * width, downsamplings=downsamplings, blocks=blocks, in_channels=in_channels
        )
        self.model = whole.model[: -len(_to_image(1, 1))]
        self.model1_1 = nn.Sequential(*_from_image(in_channels, width), *_down(width))
        self.model1_2 = nn.Sequential(
            *(ResidualBlock(2 * width, "instance", dropout=False) for _ in range(local_blocks)),
            *_up(2 * width),
            *_to_image(width, out_channels),
        )
        self.halved = _halving()

    def forward(self, source: Tensor) -> Tensor:
        """Return the translation of ``source``, of the same height and width."""
        seen = as_grey(source, self.in_channels)
        coarse = self.model(self.halved(seen))
        return as_colour(self.model1_2(self.model1_1(seen) + coarse))


class MultiScaleDiscriminator(nn.Module):
    """Several PatchGANs of equal layers; each but the first sees a halved image.

    Layer ``j`` of the discriminator of the smallest size is ``scale0_layer<j>``, as in the
    official code.
    """

    def __init__(
        self, *, width: int = 64, scales: int = 2, layers: int = 3, in_channels: int = 6
    ) -> None:
        super().__init__()
        self.scales, self.layers = scales, layers + 2
        for scale in range(scales):
            for number, layer in enumerate(_patch_layers(width, layers, in_channels)):
                self.add_module(f"scale{scale}_layer{number}", layer)
        self.halved = _halving()

    def forward(self, source: Tensor, candidate: Tensor) -> list[list[Tensor]]:
        """Return what each layer makes, for each size from the full one downwards.

        The last of a size are its logits, high where a patch looks real.
        """
        seen = torch.cat([source, candidate], 1)
        found = []
        for scale in reversed(range(self.scales)):
            made = []
            features = seen
            for number in range(self.layers):
                features = self.get_submodule(f"scale{scale}_layer{number}")(features)
                made.append(features)
            found.append(made)
            if scale:
                seen = self.halved(seen)
        return found


def initialize_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw initial weights from ``generator``: N(0, 0.02), as the official code.

    Biases keep the distribution of PyTorch's constructor there, uniform within 1 / sqrt(inputs of
    an output).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02, generator=generator)
            if module.bias is not None:
                inputs = module.weight[0].numel()
                nn.init.uniform_(module.bias, -(inputs**-0.5), inputs**-0.5, generator=generator)


def _patch_layers(width: int, layers: int, in_channels: int) -> list[nn.Sequential]:
    made = [nn.Sequential(_judging(in_channels, width, 2), nn.LeakyReLU(0.2, inplace=True))]
    for number in range(1, layers + 1):
        after = min(2 * width, _WIDEST)
        made.append(
            nn.Sequential(
                _judging(width, after, 2 if number < layers else 1),
                InstanceNorm(after),
                nn.LeakyReLU(0.2, inplace=True),
            )
        )
        width = after
    return [*made, nn.Sequential(_judging(width, 1, 1))]


def _judging(before: int, after: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=stride, padding=2)


def _halving() -> nn.AvgPool2d:
    return nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)


def _from_image(channels: int, width: int) -> list[nn.Module]:
    layers = [ReflectionPad(3), nn.Conv2d(channels, width, 7), InstanceNorm(width)]
    return [*layers, nn.ReLU(inplace=True)]


def _down(width: int) -> list[nn.Module]:
    return [
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        InstanceNorm(2 * width),
        nn.ReLU(inplace=True),
    ]


def _up(width: int) -> list[nn.Module]:
    return [
        nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1),
        InstanceNorm(width // 2),
        nn.ReLU(inplace=True),
    ]


def _to_image(width: int, channels: int) -> list[nn.Module]:
    return [ReflectionPad(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
