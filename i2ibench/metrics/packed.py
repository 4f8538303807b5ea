"""Convolutions by oneDNN on a CPU whose weights are brought into its blocked layout once.

PyTorch does so anew at each call, and on one thread sends 1x1 kernels and small images around
oneDNN. Packing once and fusing the rectification takes a third off an Inception. The operations
are those that ``torch.compile`` emits for a frozen network on a CPU; their results are those of a
direct convolution, to rounding.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor

# Sizes of images whose packed weights are kept; data sets seldom mix more.
_MOST_PACKS = 4


def can_pack() -> bool:
    """Whether this build of PyTorch has the operations."""
    operations = ("_convolution_pointwise", "_reorder_convolution_weight")
    built_in: bool = torch._C._has_mkldnn
    return built_in and all(hasattr(torch.ops.mkldnn, name) for name in operations)


class PackedConv:
    """A convolution packed once for each size of image it meets.

    Weights that are packed for another size can be laid out so differently that oneDNN unpacks them
    at every call, which was seen to cost a hundred times the convolution.

    Args:
        weight: (K, C, r, s), float32 or bfloat16.
        bias: (K,), or None.
        stride: of both directions.
        padding: zeros added at each side, (height, width).
        groups: the first K / groups outputs see the first C inputs, and so on.
        relu: whether to rectify the result.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        *,
        stride: int = 1,
        padding: tuple[int, int] = (0, 0),
        groups: int = 1,
        relu: bool = False,
    ) -> None:
        self._plain: Tensor | None = weight
        self._packs: dict[torch.Size, Tensor] = {}
        self._bias, self._groups = bias, groups
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
            self._groups,
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
                plain, self._padding, self._stride, [1, 1], self._groups, list(shape)
            )
            self._plain = None
            if len(self._packs) >= _MOST_PACKS:
                self._packs.pop(next(iter(self._packs)))
            self._packs[shape] = packed
            return packed
