"""The convolutional trunks of AlexNet, VGG-16 and SqueezeNet 1.1 as layers of activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.errors import DataError
from i2ibench.metrics.networks.convolution import Convolution, make_convolution

Trunk = Callable[[Tensor], Iterator[Tensor]]
TrunkName = Literal["alex", "vgg", "squeeze"]


class Layers:
    """Convolutions of a torchvision state dict by their index in ``features``.

    Keys may carry the prefix ``features.`` or not; a classifier is never read.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], device: torch.device | str, dtype: torch.dtype
    ) -> None:
        prefix = "features." if any(key.startswith("features.") for key in weights) else ""
        self._weights, self._prefix = weights, prefix
        self._device, self._dtype = device, dtype
        self._ready: dict[str, Convolution] = {}

    def load(self, name: str, stride: int = 1, padding: int | None = None) -> None:
        """Bring one convolution to the device, by default one that keeps the size.

        Raises:
            DataError: it is missing.
        """
        try:
            weight = self._weights[f"{self._prefix}{name}.weight"]
            bias = self._weights[f"{self._prefix}{name}.bias"]
        except KeyError as error:
            raise DataError(f"not the weights of this trunk: {error} is missing") from None
        border = weight.shape[2] // 2 if padding is None else padding
        self._ready[name] = make_convolution(
            weight,
            bias,
            stride=stride,
            padding=(border, border),
            device=self._device,
            dtype=self._dtype,
        )

    def conv(self, x: Tensor, name: str) -> Tensor:
        """Return the rectified convolution ``name`` of ``x``."""
        return self._ready[name](x)


def build_trunk(
    name: TrunkName,
    weights: Mapping[str, Tensor],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Trunk:
    """Return the trunk whose call yields the activations that LPIPS compares, one by one.

    Activations are yielded as soon as they are there, so that a caller need not hold them all.
    """
    layers = Layers(weights, device, dtype)
    first, *others = _CONVOLUTIONS[name]
    layers.load(first, **_FIRST_LAYER.get(name, {}))
    for layer in others:
        layers.load(layer)
    forward = {"alex": _alex, "vgg": vgg_stages, "squeeze": _squeeze}[name]
    return lambda x: forward(layers, x)


def _alex(layers: Layers, x: Tensor) -> Iterator[Tensor]:
    x = layers.conv(x, "0")
    yield x
    x = layers.conv(F.max_pool2d(x, 3, 2), "3")
    yield x
    x = layers.conv(F.max_pool2d(x, 3, 2), "6")
    yield x
    x = layers.conv(x, "8")
    yield x
    yield layers.conv(x, "10")


def vgg_stages(
    layers: Layers, x: Tensor, pool: Callable[[Tensor], Tensor] | None = None
) -> Iterator[Tensor]:
    """Yield relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3; ``pool`` halves between stages."""
    for stage, convolutions in enumerate(VGG_STAGES):
        if stage:
            x = pool(x) if pool is not None else F.max_pool2d(x, 2, 2)
        for name in convolutions:
            x = layers.conv(x, name)
        yield x


def _squeeze(layers: Layers, x: Tensor) -> Iterator[Tensor]:
    x = layers.conv(x, "0")
    yield x
    x = _fire(layers, _fire(layers, _pool(x), "3"), "4")
    yield x
    x = _fire(layers, _fire(layers, _pool(x), "6"), "7")
    yield x
    x = _fire(layers, _pool(x), "9")
    yield x
    for name in ("10", "11", "12"):
        x = _fire(layers, x, name)
        yield x


def _fire(layers: Layers, x: Tensor, name: str) -> Tensor:
    x = layers.conv(x, f"{name}.squeeze")
    wide = layers.conv(x, f"{name}.expand3x3")
    return torch.cat([layers.conv(x, f"{name}.expand1x1"), wide], dim=1)


def _pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


VGG_STAGES = (
    ("0", "2"),
    ("5", "7"),
    ("10", "12", "14"),
    ("17", "19", "21"),
    ("24", "26", "28"),
)
_FIRES = ("3", "4", "6", "7", "9", "10", "11", "12")
_CONVOLUTIONS: dict[TrunkName, tuple[str, ...]] = {
    "alex": ("0", "3", "6", "8", "10"),
    "vgg": tuple(name for stage in VGG_STAGES for name in stage),
    "squeeze": (
        "0",
        *(f"{fire}.{part}" for fire in _FIRES for part in ("squeeze", "expand1x1", "expand3x3")),
    ),
}
# Stride and padding of first layers; all others keep the size of what they read.
_FIRST_LAYER: dict[TrunkName, dict[str, int]] = {
    "alex": {"stride": 4, "padding": 2},
    "squeeze": {"stride": 2, "padding": 0},
}
