"""Reflection padding that keeps channels-last tensors as they are."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn


class ReflectionPad(nn.ReflectionPad2d):
    """``nn.ReflectionPad2d``, faster on channels-last tensors on a CPU.

    PyTorch's kernel there rearranges the image, pads it, and leaves the result to be rearranged
    again: a third of a ResNet's translation in bf16, a fifth of its training step.
    """

    def __init__(self, padding: int) -> None:
        super().__init__(padding)
        self._width = padding

    def forward(self, input: Tensor) -> Tensor:
        """Return ``(N, C, H, W)`` with reflected borders, in the layout of the input."""
        channels_last = (
            input.device.type == "cpu"
            and input.dim() == 4
            and input.is_contiguous(memory_format=torch.channels_last)
            and not input.is_contiguous()
        )
        if not channels_last or self._width >= min(input.shape[2:]):
            return super().forward(input)
        # Turned out here: autograd lets nothing change a view that was made in a function of ours.
        padded = cast(Tensor, _Reflect.apply(input.permute(0, 2, 3, 1), self._width))
        return padded.permute(0, 3, 1, 2)


class _Reflect(torch.autograd.Function):
    """Copies whole pixels (N, H, W, C); the gradient of a copy is added to that of its origin."""

    @staticmethod
    def forward(ctx: Any, pixels: Tensor, p: int) -> Tensor:
        ctx.width = p
        n, height, width, channels = pixels.shape
        padded = pixels.new_empty(n, height + 2 * p, width + 2 * p, channels)
        rows = padded[:, p : p + height]
        rows[:, :, p : p + width] = pixels
        rows[:, :, :p] = pixels[:, :, 1 : p + 1].flip(2)
        rows[:, :, p + width :] = pixels[:, :, width - 1 - p : width - 1].flip(2)
        padded[:, :p] = rows[:, 1 : p + 1].flip(1)
        padded[:, p + height :] = rows[:, height - 1 - p : height - 1].flip(1)
        return padded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        p: int = ctx.width
        gradient = gradients[0]
        height, width = gradient.shape[1] - 2 * p, gradient.shape[2] - 2 * p
        near, far = slice(1, p + 1), slice(height - 1 - p, height - 1)
        above, below = gradient[:, :p].flip(1), gradient[:, p + height :].flip(1)
        # A corner is a copy of a copy: its rows are folded first, as they were made last.
        sides = []
        for columns in (slice(0, p), slice(p, p + width), slice(p + width, None)):
            part = gradient[:, p : p + height, columns].clone(memory_format=torch.contiguous_format)
            part[:, near] += above[:, :, columns]
            part[:, far] += below[:, :, columns]
            sides.append(part)
        left, pixels, right = sides
        pixels[:, :, 1 : p + 1] += left.flip(2)
        pixels[:, :, width - 1 - p : width - 1] += right.flip(2)
        return pixels, None
