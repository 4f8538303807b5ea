"""Convolutions of fixed weights, which every feature network here is made of."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.errors import DataError
from i2ibench.metrics.networks.packed_convolution import PackedConv, can_pack

# Maps (1, C, H, W) to (1, K, h, w), channels last.
Convolution = Callable[[Tensor], Tensor]


def make_convolution(
    weight: Tensor,
    bias: Tensor,
    *,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    relu: bool = True,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Convolution:
    """Return the fastest exact way to convolve with these weights on this device.

    Args:
        weight: float32 (K, C, r, s).
        bias: float32 (K,).
        stride: of both directions.
        padding: zeros added at each side, (height, width).
        relu: whether to rectify the result.
        device: where it runs.
        dtype: ``torch.float32``, or ``torch.bfloat16`` for a faster, deviating network.

    Raises:
        DataError: the weights are not all finite.
    """
    if not all(bool(torch.isfinite(each).all()) for each in (weight, bias)):
        raise DataError("a network's weights are not all finite; fetch them again")
    device = torch.device(device)
    if device.type != "cpu" or not can_pack(dtype):
        return _plain(weight.to(device, dtype), bias.to(device, dtype), stride, padding, relu)
    weight, bias = weight.to(dtype), bias.to(dtype)
    return _Finite(PackedConv(weight, bias, stride=stride, padding=padding, relu=relu))


class _Finite:
    """A convolution that refuses to overflow.

    oneDNN rectifies NaN to 0: after an infinite value all others would look sound. PyTorch's own
    rectification, which GPUs use, keeps NaN to the end. Looking for the peak takes 1 % of the time.
    """

    def __init__(self, convolve: Convolution) -> None:
        self._convolve = convolve

    def __call__(self, x: Tensor) -> Tensor:
        """Return the convolution of ``x``; ``DataError`` where it is infinite or NaN."""
        found = self._convolve(x)
        if not math.isfinite(float(found.amax())):
            raise DataError("a network's activations are not finite; fetch its weights again")
        return found


def _plain(
    weight: Tensor, bias: Tensor, stride: int, padding: tuple[int, int], relu: bool
) -> Convolution:
    weight = weight.contiguous(memory_format=torch.channels_last)

    def convolve(x: Tensor) -> Tensor:
        y = F.conv2d(x, weight, bias, stride, padding)
        return F.relu_(y) if relu else y

    return convolve
