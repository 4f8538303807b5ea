"""Convolutions by oneDNN on a CPU whose weights are brought into its blocked layout once.

PyTorch does so anew at each call, and on one thread sends 1x1 kernels and small images around
oneDNN. Packing once and fusing the rectification takes a third off an Inception. The operations
are those that ``torch.compile`` emits for a frozen network on a CPU; their results are those of a
direct convolution, to rounding.
"""

from __future__ import annotations

import threading
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

# Sizes of images whose packed weights are kept; data sets seldom mix more.
_MOST_PACKS = 4


@cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether this build of PyTorch has the operations and they convolve on this processor.

    They are no public interface, so they are tried once on a small image; where they are absent,
    other than expected, or wrong, convolutions go PyTorch's usual way.
    """
    if not torch._C._has_mkldnn:
        return False
    tolerance = 1e-4 if dtype == torch.float32 else 0.3  # of values up to about 50
    draw = torch.Generator().manual_seed(0)
    try:
        with torch.inference_mode():
            shapes = ((1, 16, 9, 9), (16, 16, 3, 3), (16,))
            x, weight, bias = (torch.randn(s, generator=draw).to(dtype) for s in shapes)
            packed = PackedConv(weight, bias, padding=(1, 1), relu=True)
            expected = F.conv2d(x, weight, bias, padding=1).relu()
            return torch.allclose(packed(x), expected, atol=tolerance)
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False


class PackedConv:
    """A convolution packed once for each size of image it meets.

    Weights that are packed for another size can be laid out so differently that oneDNN unpacks them
    at every call, which was seen to cost a hundred times the convolution.

    Args:
        weight: (K, C, r, s), float32 or bfloat16.
        bias: (K,), or None.
        stride: of both directions.
        padding: zeros added at each side, (height, width).
        relu: whether to rectify the result.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        relu: bool = False,
    ) -> None:
        self._plain: Tensor | None = weight
        self._packs: dict[torch.Size, Tensor] = {}
        self._bias = bias
        self._stride, self._padding = [stride, stride], list(padding)
        self._rectify = "relu" if relu else "none"
        self._lock = threading.Lock()

    def __call__(self, x: Tensor) -> Tensor:
        """Return the convolution (N, K, h, w) of ``x`` (N, C, H, W), channels last."""
        packed = self._packs.get(x.shape)
        convolved: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x.contiguous(memory_format=torch.channels_last),
            packed if packed is not None else self._pack(x.shape),
            self._bias,
            self._padding,
            self._stride,
            [1, 1],
            1,  # group
            self._rectify,
            [],
            "",
        )
        return convolved

    def _pack(self, shape: torch.Size) -> Tensor:
        with self._lock:
            if shape in self._packs:
                return self._packs[shape]
            plain = self._plain
            if plain is None:
                plain = next(iter(self._packs.values())).to_dense()
            packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(
                plain, self._padding, self._stride, [1, 1], 1, list(shape)
            )
            self._plain = None
            if len(self._packs) >= _MOST_PACKS:
                self._packs.pop(next(iter(self._packs)))
            self._packs[shape] = packed
            return packed
