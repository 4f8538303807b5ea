"""The residual generator of the official code, in its plain, antialiased and spectral forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from i2ibench.errors import UsageError
from i2ibench_baselines.antialiasing import BlurredDoubling, BlurredHalving
from i2ibench_baselines.grey import as_colour, as_grey
from i2ibench_baselines.norms import Norm, has_bias, norm_layer
from i2ibench_baselines.padding import ReflectionPad

Wrap = Callable[[nn.Module], nn.Module]


class ResNetGenerator(nn.Module):
    """Two halvings, residual blocks at a quarter of the size, and back up.

    Johnson et al. 2016 (arXiv:1603.08155) with the changes of CycleGAN (arXiv:1703.10593). Height
    and width must be multiples of 4. ``antialias`` replaces strided convolutions by plain ones with
    a blur (arXiv:2007.15651); ``spectral`` divides each convolution's weight by its largest
    singular value (Miyato et al. 2018, arXiv:1802.05957).

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
        antialias: bool = False,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        bias = has_bias(norm)
        inner = 4 * width
        wrap: Wrap = spectral_norm if spectral else _unchanged
        down = _blurred_down if antialias else _strided_down
        up = _blurred_up if antialias else _strided_up
        self.size_multiple = 4
        self.tile_overlap = tile_overlap_of(blocks, norm, antialias)
        self.in_channels = in_channels
        self.model = nn.Sequential(
            ReflectionPad(3),
            wrap(nn.Conv2d(in_channels, width, 7, bias=bias)),
            norm_layer(norm, width),
            nn.ReLU(inplace=True),
            *down(width, 2 * width, norm, wrap),
            *down(2 * width, inner, norm, wrap),
            *(ResidualBlock(inner, norm, dropout, wrap) for _ in range(blocks)),
            *up(inner, 2 * width, norm, wrap),
            *up(2 * width, width, norm, wrap),
            ReflectionPad(3),
            wrap(nn.Conv2d(width, out_channels, 7)),
            nn.Tanh(),
        )

    def forward(self, source: Tensor) -> Tensor:
        """Return the translation of ``source``, of the same height and width."""
        return as_colour(self.model(as_grey(source, self.in_channels)))

    def encode(self, image: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Return the features after each of ``layers``, by their place in ``model``, ascending.

        Place 0 is the padded image. Nothing behind the last of the layers is computed.
        """
        features = as_grey(image, self.in_channels)
        return self._collect(features, layers, self.model[: max(layers) + 1])[1]

    def forward_and_encode(
        self, source: Tensor, layers: Sequence[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return what ``forward`` and ``encode`` do, in one pass."""
        features = as_grey(source, self.in_channels)
        translation, collected = self._collect(features, layers, self.model)
        return as_colour(translation), collected

    def channels_after(self, layers: Sequence[int]) -> list[int]:
        """Return how many channels ``encode`` returns after each of ``layers``.

        Raises:
            UsageError: there is no such layer.
        """
        if max(layers) >= len(self.model):
            raise UsageError(f"the generator has no layer {max(layers)}, but {len(self.model)}")
        channels, found = self.in_channels, []
        for place, layer in enumerate(self.model):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                channels = layer.out_channels
            if place in layers:
                found.append(channels)
        return found

    def _collect(
        self, features: Tensor, layers: Sequence[int], model: nn.Sequential
    ) -> tuple[Tensor, list[Tensor]]:
        collected = []
        for place, layer in enumerate(model):
            features = layer(features)
            if place in layers:
                collected.append(features)
        return features, collected


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity; nothing is applied after the sum."""

    def __init__(self, channels: int, norm: Norm, dropout: bool, wrap: Wrap | None = None) -> None:
        super().__init__()
        bias = has_bias(norm)
        wrap = wrap or _unchanged
        self.conv_block = nn.Sequential(
            ReflectionPad(1),
            wrap(nn.Conv2d(channels, channels, 3, bias=bias)),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            ReflectionPad(1),
            wrap(nn.Conv2d(channels, channels, 3, bias=bias)),
            norm_layer(norm, channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return ``features`` plus their residual."""
        return features + self.conv_block(features)


def tile_overlap_of(blocks: int, norm: Norm, antialias: bool = False) -> int | None:
    """Return how many pixels of context a tile needs on each side to equal the whole image.

    The radius of the receptive field: 3 for each 7x7 convolution, 1 + 2 for the two downsamplings,
    8 for a residual block (two 3x3 convolutions at a quarter of the size), 2 + 1 for the
    transposed convolutions. Antialiased layers reach 3 + 6 pixels further. It holds in evaluation
    mode for tiles that start at multiples of 4. None under instance norm, whose statistics are
    those of the whole image.
    """
    return None if norm == "instance" else 12 + 8 * blocks + (12 if antialias else 0)


def _unchanged(layer: nn.Module) -> nn.Module:
    return layer


def _strided_down(before: int, after: int, norm: Norm, wrap: Wrap) -> list[nn.Module]:
    return [
        wrap(nn.Conv2d(before, after, 3, stride=2, padding=1, bias=has_bias(norm))),
        norm_layer(norm, after),
        nn.ReLU(inplace=True),
    ]


def _blurred_down(before: int, after: int, norm: Norm, wrap: Wrap) -> list[nn.Module]:
    return [
        wrap(nn.Conv2d(before, after, 3, padding=1, bias=has_bias(norm))),
        norm_layer(norm, after),
        nn.ReLU(inplace=True),
        BlurredHalving(after),
    ]


def _strided_up(before: int, after: int, norm: Norm, wrap: Wrap) -> list[nn.Module]:
    convolution = nn.ConvTranspose2d(
        before, after, 3, stride=2, padding=1, output_padding=1, bias=has_bias(norm)
    )
    return [wrap(convolution), norm_layer(norm, after), nn.ReLU(inplace=True)]


def _blurred_up(before: int, after: int, norm: Norm, wrap: Wrap) -> list[nn.Module]:
    return [
        BlurredDoubling(before),
        wrap(nn.Conv2d(before, after, 3, padding=1, bias=has_bias(norm))),
        norm_layer(norm, after),
        nn.ReLU(inplace=True),
    ]
