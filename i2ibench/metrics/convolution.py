"""Rectified convolutions of fixed weights: what every feature network here is made of.

PyTorch brings the weights into oneDNN's blocked layout anew at each call, and on one thread sends
1x1 kernels and small images around oneDNN. Packing the weights once and fusing the rectification
costs an Inception a third of its time less (benchmarks/evaluation.py); the operations are those
that ``torch.compile`` emits for a frozen network on a CPU. Their results are a direct
convolution's, to rounding.
"""

from __future__ import annotations

import threading
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.metrics.winograd import WinogradConv, pays_off


class Convolution(Protocol):
    """Maps (1, C, H, W) to (1, K, h, w), channels last."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return the convolution of ``x``, with bias and, where asked for, rectification."""


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
    """
    device = torch.device(device)
    if device.type == "cpu" and dtype == torch.float32 and relu and stride == 1:
        halves = (weight.shape[2] // 2, weight.shape[3] // 2)
        if padding == halves and pays_off(weight):
            return WinogradConv(weight, bias, padding=halves[0])
    if device.type == "cpu" and _can_pack():
        return _Packed(weight.to(dtype), bias.to(dtype), stride, padding, relu)
    return _Plain(weight.to(device, dtype), bias.to(device, dtype), stride, padding, relu)


class _Plain:
    def __init__(
        self, weight: Tensor, bias: Tensor, stride: int, padding: tuple[int, int], relu: bool
    ) -> None:
        self._weight = weight.contiguous(memory_format=torch.channels_last)
        self._bias, self._stride, self._padding, self._relu = bias, stride, padding, relu

    def __call__(self, x: Tensor) -> Tensor:
        y = F.conv2d(x, self._weight, self._bias, self._stride, self._padding)
        return F.relu_(y) if self._relu else y


class _Packed:
    """Packed for the first image's size; images of other sizes are right, and a little slower."""

    def __init__(
        self, weight: Tensor, bias: Tensor, stride: int, padding: tuple[int, int], relu: bool
    ) -> None:
        self._plain: Tensor | None = weight
        self._packed: Tensor | None = None
        self._bias, self._stride, self._padding = bias, [stride, stride], list(padding)
        self._rectify = "relu" if relu else "none"
        self._lock = threading.Lock()

    def __call__(self, x: Tensor) -> Tensor:
        packed = self._packed if self._packed is not None else self._pack(x.shape)
        x = x.contiguous(memory_format=torch.channels_last)
        convolved: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, packed, self._bias, self._padding, self._stride, [1, 1], 1, self._rectify, [], ""
        )
        return convolved

    def _pack(self, shape: torch.Size) -> Tensor:
        with self._lock:
            if self._packed is None:
                self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                    self._plain, self._padding, self._stride, [1, 1], 1, list(shape)
                )
                self._plain = None
            return self._packed


def _can_pack() -> bool:
    operations = ("_convolution_pointwise", "_reorder_convolution_weight")
    built_in: bool = torch._C._has_mkldnn
    return built_in and all(hasattr(torch.ops.mkldnn, name) for name in operations)
