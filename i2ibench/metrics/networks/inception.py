"""The InceptionV3 of FID: TensorFlow's 2015-12-05 graph with torch-fidelity's weights.

The network differs from torchvision's: average pools ignore the zero padding, the last block pools
by maximum, and there are 1008 classes. Here batch normalisation is folded into the convolutions,
and 1x1 convolutions that read the same tensor run as one; both change nothing but rounding
(about 1e-6 relative).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.errors import DataError
from i2ibench.metrics.networks.convolution import Convolution, make_convolution

FEATURES = 2048
SIZE = 299
_BATCH_NORM_EPS = 1e-3

# Convolutions without padding; all others keep the size.
_UNPADDED = {
    "Conv2d_1a_3x3",
    "Conv2d_2a_3x3",
    "Conv2d_4a_3x3",
    "Mixed_6a.branch3x3",
    "Mixed_6a.branch3x3dbl_3",
    "Mixed_7a.branch3x3_2",
    "Mixed_7a.branch7x7x3_4",
}
_STRIDED = _UNPADDED - {"Conv2d_2a_3x3", "Conv2d_4a_3x3"}


class Inception:
    """The pooled 2048 features of uint8 images resized to 299 x 299.

    Args:
        weights: torch-fidelity's state dict (``Conv2d_1a_3x3.conv.weight`` ...).
        device: where it runs.
        dtype: ``torch.float32``, or ``torch.bfloat16`` for a faster, deviating network.

    Raises:
        DataError: the state dict is not that of this network.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device, self.dtype = torch.device(device), dtype
        self._split: dict[str, list[int]] = {}
        names = [
            key.removesuffix(".conv.weight") for key in weights if key.endswith(".conv.weight")
        ]
        try:
            folded = {name: _fold(weights, name) for name in names}
            for block, heads in _HEADS.items():
                parts = [folded.pop(f"{block}.{head}") for head in heads]
                self._split[block] = [weight.shape[0] for weight, _ in parts]
                folded[f"{block}.heads"] = (
                    torch.cat([weight for weight, _ in parts]),
                    torch.cat([bias for _, bias in parts]),
                )
        except KeyError as error:
            raise DataError(f"not torch-fidelity's Inception weights: {error} is missing") from None
        self._layers = {
            name: self._convolution(name, weight, bias) for name, (weight, bias) in folded.items()
        }

    def features(self, images: Tensor) -> Tensor:
        """Return float32 (N, 2048) of float images (N, 3, 299, 299) in [0, 255]."""
        x = ((images - 128) / 128).to(self.device, self.dtype, memory_format=torch.channels_last)
        x = self._conv("Conv2d_1a_3x3", x)
        x = self._conv("Conv2d_2a_3x3", x)
        x = self._conv("Conv2d_2b_3x3", x)
        x = F.max_pool2d(x, 3, 2)
        x = self._conv("Conv2d_3b_1x1", x)
        x = self._conv("Conv2d_4a_3x3", x)
        x = F.max_pool2d(x, 3, 2)
        for block in _BLOCKS_A:
            x = self._block_a(block, x)
        x = self._block_b("Mixed_6a", x)
        for block in _BLOCKS_C:
            x = self._block_c(block, x)
        x = self._block_d("Mixed_7a", x)
        x = self._block_e("Mixed_7b", x)
        x = self._block_e(_MAXIMUM_BLOCK, x)
        return x.float().mean(dim=(2, 3))

    def _convolution(self, name: str, weight: Tensor, bias: Tensor) -> Convolution:
        kernel = (weight.shape[2], weight.shape[3])
        return make_convolution(
            weight,
            bias,
            stride=2 if name in _STRIDED else 1,
            padding=(0, 0) if name in _UNPADDED else (kernel[0] // 2, kernel[1] // 2),
            # Rectified after its average, see _pooled, but in the block that pools by maximum.
            relu=not name.endswith("branch_pool") or name == f"{_MAXIMUM_BLOCK}.branch_pool",
            device=self.device,
            dtype=self.dtype,
        )

    def _conv(self, name: str, x: Tensor) -> Tensor:
        return self._layers[name](x)

    def _heads(self, block: str, x: Tensor) -> list[Tensor]:
        """Return the 1x1 convolutions that open the branches of a block."""
        return list(torch.split(self._conv(f"{block}.heads", x), self._split[block], dim=1))

    def _pooled(self, block: str, x: Tensor) -> Tensor:
        # A 1x1 convolution commutes with an average that ignores padding; it has fewer channels.
        y = self._conv(f"{block}.branch_pool", x)
        return F.relu_(F.avg_pool2d(y, 3, 1, 1, count_include_pad=False))

    def _chain(self, block: str, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self._conv(f"{block}.{name}", x)
        return x

    def _block_a(self, block: str, x: Tensor) -> Tensor:
        one, five, triple = self._heads(block, x)
        five = self._chain(block, five, "branch5x5_2")
        triple = self._chain(block, triple, "branch3x3dbl_2", "branch3x3dbl_3")
        return torch.cat([one, five, triple, self._pooled(block, x)], dim=1)

    def _block_b(self, block: str, x: Tensor) -> Tensor:
        three = self._conv(f"{block}.branch3x3", x)
        triple = self._chain(block, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
        return torch.cat([three, triple, F.max_pool2d(x, 3, 2)], dim=1)

    def _block_c(self, block: str, x: Tensor) -> Tensor:
        one, seven, double = self._heads(block, x)
        seven = self._chain(block, seven, "branch7x7_2", "branch7x7_3")
        double = self._chain(block, double, *(f"branch7x7dbl_{i}" for i in (2, 3, 4, 5)))
        return torch.cat([one, seven, double, self._pooled(block, x)], dim=1)

    def _block_d(self, block: str, x: Tensor) -> Tensor:
        three, seven = self._heads(block, x)
        three = self._chain(block, three, "branch3x3_2")
        seven = self._chain(block, seven, *(f"branch7x7x3_{i}" for i in (2, 3, 4)))
        return torch.cat([three, seven, F.max_pool2d(x, 3, 2)], dim=1)

    def _block_e(self, block: str, x: Tensor) -> Tensor:
        one, three, triple = self._heads(block, x)
        triple = self._conv(f"{block}.branch3x3dbl_2", triple)
        if block == _MAXIMUM_BLOCK:
            pooled = self._conv(f"{block}.branch_pool", F.max_pool2d(x, 3, 1, 1))
        else:
            pooled = self._pooled(block, x)
        branches = [
            one,
            self._conv(f"{block}.branch3x3_2a", three),
            self._conv(f"{block}.branch3x3_2b", three),
            self._conv(f"{block}.branch3x3dbl_3a", triple),
            self._conv(f"{block}.branch3x3dbl_3b", triple),
            pooled,
        ]
        return torch.cat(branches, dim=1)


_MAXIMUM_BLOCK = "Mixed_7c"
_BLOCKS_A = ("Mixed_5b", "Mixed_5c", "Mixed_5d")
_BLOCKS_C = ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e")
# The 1x1 convolutions that read a block's input, in the order of its branches.
_HEADS = {
    **dict.fromkeys(_BLOCKS_A, ("branch1x1", "branch5x5_1", "branch3x3dbl_1")),
    **dict.fromkeys(_BLOCKS_C, ("branch1x1", "branch7x7_1", "branch7x7dbl_1")),
    "Mixed_7a": ("branch3x3_1", "branch7x7x3_1"),
    **dict.fromkeys(("Mixed_7b", "Mixed_7c"), ("branch1x1", "branch3x3_1", "branch3x3dbl_1")),
}


def _fold(weights: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution with its batch normalisation folded in."""
    norm = {key: weights[f"{name}.bn.{key}"].double() for key in ("weight", "bias")}
    mean = weights[f"{name}.bn.running_mean"].double()
    variance = weights[f"{name}.bn.running_var"].double()
    scale = norm["weight"] / torch.sqrt(variance + _BATCH_NORM_EPS)
    weight = weights[f"{name}.conv.weight"].double() * scale[:, None, None, None]
    return weight.float(), (norm["bias"] - mean * scale).float()
