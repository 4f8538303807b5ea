"""Generators of grey images among images of three channels."""

from __future__ import annotations

import torch
from torch import Tensor

# ITU-R 601-2 luma in 16 bits, as Pillow's conversion to "L", with which the official code reads.
_LUMA = (19595.0, 38470.0, 7471.0)
_HALF, _WHOLE = 32768.0, 65536.0


def as_grey(images: Tensor, channels: int) -> Tensor:
    """Return images as a network of ``channels`` input channels takes them.

    RGB images ``(N, 3, H, W)`` in [-1, 1] become ``(N, 1, H, W)`` where ``channels`` is 1: the grey
    levels, 0 to 255, that Pillow makes of them. Others are returned as they are.
    """
    if channels != 1 or images.shape[1] != 3:
        return images
    red, green, blue = ((images.float() + 1.0) * 127.5).round_().split(1, dim=1)
    luma = torch.floor((_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue + _HALF) / _WHOLE)
    return (luma / 127.5 - 1.0).to(images.dtype)


def as_colour(images: Tensor) -> Tensor:
    """Return RGB images ``(N, 3, H, W)``; grey ones get three equal channels."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
