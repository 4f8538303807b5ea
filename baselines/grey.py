"""Generators of grey images among images of three channels."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from i2ibench.models.interface import PairBatch

# ITU-R 601-2 luma in 16 bits, as Pillow's conversion to "L", with which the official code reads.
_LUMA = (19595.0, 38470.0, 7471.0)
_WHOLE = 65536.0


def as_grey(images: Tensor, channels: int) -> Tensor:
    """Return images as a network of ``channels`` input channels takes them.

    RGB images ``(N, 3, H, W)`` in [-1, 1] become ``(N, 1, H, W)`` where ``channels`` is 1: the grey
    levels, 0 to 255, that Pillow makes of them. Others are returned as they are.

    The gradient is that of the luma before it is rounded: a prediction that goes through another
    generator, as a cycle or a contrastive loss lets it, would else learn nothing from there.
    """
    if channels != 1 or images.shape[1] != 3:
        return images
    luma = _luma(((images.float() + 1.0) * 127.5).round())
    grey = torch.floor(luma + 0.5) / 127.5 - 1.0
    if images.requires_grad:
        smooth = _luma(images.float())
        grey = smooth + (grey - smooth).detach()
    return grey.to(images.dtype)


def as_colour(images: Tensor) -> Tensor:
    """Return RGB images ``(N, 3, H, W)``; grey ones get three equal channels."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


def as_seen(batch: PairBatch, taken: int, made: int) -> PairBatch:
    """Return a batch as the official code loads it for a generator of so many channels.

    Sources are grey where it has ``taken`` 1, targets where it has ``made`` 1: else a discriminator
    would tell real from made by colour.
    """
    source, target = as_grey(batch.source, taken), as_grey(batch.target, made)
    return replace(batch, source=as_colour(source), target=as_colour(target))


def _luma(images: Tensor) -> Tensor:
    red, green, blue = images.split(1, dim=1)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue) / _WHOLE
