"""Large images in tiles: exact where the network's receptive field allows it, blended elsewhere.

Tiles overlap by twice the ``context`` that a prediction depends on. With a finite context the
seam lies in the middle of each overlap and the tiles equal the whole image; without one the tiles
are blended linearly, an approximation that the manifest states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from i2ibench.errors import UsageError
from i2ibench.models.interface import InferencePolicy, TranslationModel

TranslateTile = Callable[[Tensor], Tensor]

# Larger images are cut into tiles of this side where that is exact: a ResNet-9 of 64 channels
# then needs about 2 GB instead of 60 GB at 8192 x 8192.
_WHOLE_PIXELS = 2048 * 2048
_TILE = 1024


@dataclass(frozen=True, slots=True)
class Tiling:
    """How an image is cut.

    Attributes:
        tile: side of a tile in pixels.
        context: pixels on each side of a tile that its neighbours cover too.
        exact: whether predictions depend on no more than ``context`` pixels around them.
    """

    tile: int
    context: int
    exact: bool

    def __post_init__(self) -> None:
        if self.tile <= 2 * self.context:
            raise UsageError(
                f"tiles of {self.tile} px leave nothing between their margins of {self.context}; "
                f"use tiles larger than {2 * self.context}"
            )


@dataclass(frozen=True, slots=True)
class _Span:
    """One tile along one axis: pixels ``start`` to ``stop``, and the weight of each."""

    start: int
    stop: int
    weights: Tensor


def choose_tiling(
    model: TranslationModel, policy: InferencePolicy, height: int, width: int, tile: int | None
) -> Tiling | None:
    """Return how an image is cut, or None to translate it whole.

    Without a wish of the user, large images are cut where tiles are exact. A wished tile is
    blended where they are not, and refused where normalisation reads the whole image.
    """
    context = model.tile_overlap
    if tile == 0 or (tile is None and (context is None or height * width <= _WHOLE_PIXELS)):
        return None
    if policy.normalization == "batch":
        raise UsageError(
            f"an image of {width} x {height} cannot be tiled with batch statistics, which differ "
            "from tile to tile; use a protocol with running statistics, or --tile 0"
        )
    side = tile or _TILE
    return Tiling(side, side // 4 if context is None else context, context is not None)


def translate_tiled(
    translate: TranslateTile, images: Tensor, tiling: Tiling, multiple: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield finished strips ``(first row, (N, 3, rows, W))`` of the translation of ``images``.

    Memory is that of one row of tiles, whatever the height.

    Args:
        translate: the network on one tile ``(N, 3, h, w)``.
        images: ``(N, 3, H, W)``; both sides multiples of ``multiple``.
        tiling: how to cut.
        multiple: the network's size rule; tiles start on multiples of it, because strided
            convolutions see another grid elsewhere.
    """
    count, _, height, width = images.shape
    columns = _spans(width, tiling, multiple)
    rows = _spans(height, tiling, multiple)
    strip = torch.zeros(count, 3, 0, width)
    done = 0
    for number, row in enumerate(rows):
        grown = torch.zeros(count, 3, row.stop - done, width)
        grown[:, :, : strip.shape[2]] = strip
        strip = grown
        for column in columns:
            tile = images[:, :, row.start : row.stop, column.start : column.stop]
            made = translate(tile).float().cpu()
            weighted = made * row.weights[:, None] * column.weights
            strip[:, :, row.start - done :, column.start : column.stop] += weighted
        finished = rows[number + 1].start if number + 1 < len(rows) else height
        yield done, strip[:, :, : finished - done]
        strip = strip[:, :, finished - done :]
        done = finished


def _spans(length: int, tiling: Tiling, multiple: int) -> list[_Span]:
    """Cut one axis; the weights of all spans sum to one at every pixel."""
    tile = tiling.tile - tiling.tile % multiple
    margin = tiling.context + -tiling.context % multiple
    if length <= tile:
        return [_Span(0, length, torch.ones(length))]
    starts = [*range(0, length - tile, tile - 2 * margin), length - tile]
    # How far each tile knows its surroundings at each pixel; the image's border is no limit.
    known = torch.full((len(starts), length), -1.0)
    position = torch.arange(tile) + 0.5
    for index, start in enumerate(starts):
        to_left = position if start > 0 else torch.full((tile,), float(length))
        to_right = tile - position if start + tile < length else torch.full((tile,), float(length))
        known[index, start : start + tile] = torch.minimum(to_left, to_right)
    if tiling.exact:
        weights = torch.zeros_like(known).scatter_(0, known.argmax(0, keepdim=True), 1.0)
    else:
        weights = known.clamp(0, max(1, 2 * margin))
        weights /= weights.sum(0)
    return [
        _Span(start, start + tile, weights[index, start : start + tile])
        for index, start in enumerate(starts)
    ]
