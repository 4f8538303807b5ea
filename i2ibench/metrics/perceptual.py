"""LPIPS: distances between activations of a pretrained trunk, weighted by learned heads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from i2ibench.errors import DataError
from i2ibench.metrics.interface import Context, PairImages, PairMetric, Signature
from i2ibench.metrics.networks.network_loading import (
    NOT_LOADED,
    find_weights,
    load_state,
    loaded_once,
    signature_mark,
    torch_dtype,
)

if TYPE_CHECKING:
    from torch import Tensor

    from i2ibench.metrics.networks.trunks import Trunk, TrunkName
    from i2ibench.metrics.networks.weights import WeightsFile

# The input layer of LPIPS, for values in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_NORM_EPS = 1e-10
# Values of one strip of the head on a CPU; a few of these arrays fit into the cache.
_STRIP_VALUES = 1 << 16


class LPIPSAlex(PairMetric):
    """Learned perceptual image patch similarity, AlexNet trunk, version 0.1.

    The mean over positions of the weighted squared difference of channel-normalised activations,
    summed over layers; inputs in [-1, 1]. Zhang et al., CVPR 2018, equation 1. Equals the
    ``lpips`` package, whose head files it reads.
    """

    name = "lpips"
    trap = "Not to be trusted for a model that was trained with the same network as a loss."
    range = (0.0, math.inf)
    title = "LPIPS"
    digits = 4
    position = 30
    better = "lower"
    trunk: ClassVar[TrunkName] = "alex"
    minimum_size = 32
    weights = ("lpips-alex",)
    # Known after ``prepare``.
    _mark = NOT_LOADED
    _precision = "fp32"

    def prepare(self, context: Context) -> None:
        """Load trunk and heads."""
        import torch

        from i2ibench.metrics.networks.trunks import build_trunk

        [trunk_file] = find_weights(self.weights[0], context)
        [head_file] = find_weights(f"lpips-{self.trunk}-heads", context)
        device, dtype = torch.device(context.device), torch_dtype(context)
        self._device, self._dtype = device, dtype
        # The version names the heads; the signature tells only of those that are not its own.
        signed = [trunk_file] if head_file.verified else [trunk_file, head_file]
        self._mark, self._precision = signature_mark(signed), context.precision

        def load() -> tuple[Trunk, list[Tensor]]:
            trunk = build_trunk(self.trunk, load_state(trunk_file), device, dtype)
            return trunk, [head.to(device) for head in _load_heads(head_file)]

        self._trunk, self._heads = loaded_once(context, self.name, load)

    def signature(self) -> Signature:
        """Return ``lpips|net:alex|version:0.1|range:-1..1|weights:...|mean:image|v:1``."""
        signature = self._signature(("net", self.trunk), ("version", "0.1"), ("range", "-1..1"))
        if self._precision != "fp32":
            signature = signature.with_setting("precision", self._precision)
        return signature.with_setting("weights", self._mark).with_setting("mean", "image")

    def score_pair(self, pair: PairImages) -> float:
        """Return the distance of one pair; 0 for equal images."""
        import torch

        with torch.inference_mode():
            key = (self.name, self._mark, self._precision)
            targets = pair.steps_of_target(self._layers, key)
            layers = zip(self._heads, self._layers(pair.prediction), targets, strict=True)
            return sum(_layer_distance(x, y, head) for head, x, y in layers)

    def _layers(self, image: npt.NDArray[np.uint8]) -> Iterator[Tensor]:
        return self._trunk(self._input(image))

    def _input(self, image: npt.NDArray[np.uint8]) -> Tensor:
        import torch

        scaled = cv2.LUT(image, _INPUT_TABLE)
        tensor = torch.from_numpy(scaled).permute(2, 0, 1)[None]
        return tensor.to(self._device, self._dtype, memory_format=torch.channels_last)


class LPIPSVGG(LPIPSAlex):
    """Learned perceptual image patch similarity, VGG-16 trunk, version 0.1.

    As ``lpips`` with the deeper trunk that is common as a training loss; a model trained with it
    should not be judged by it.
    """

    name = "lpips-vgg"
    range = (0.0, math.inf)
    title = "LPIPS-vgg"
    position = 140
    trunk = "vgg"
    weights = ("lpips-vgg",)


class LPIPSSqueeze(LPIPSAlex):
    """Learned perceptual image patch similarity, SqueezeNet 1.1 trunk, version 0.1.

    As ``lpips`` with the smallest trunk (2.9 MB), compared at seven layers.
    """

    name = "lpips-squeeze"
    range = (0.0, math.inf)
    title = "LPIPS-squeeze"
    position = 40
    trunk = "squeeze"
    weights = ("lpips-squeeze",)


def _layer_distance(a: Tensor, b: Tensor, head: Tensor) -> float:
    """Return the mean over positions of one layer's weighted distance.

    Runs over strips of positions that stay in the cache: normalise, subtract, square and weigh all
    channels of a strip before the next one is touched.
    """
    import torch

    channels = a.shape[1]
    x = a[0].permute(1, 2, 0).reshape(-1, channels)
    y = b[0].permute(1, 2, 0).reshape(-1, channels)
    step = max(1, _STRIP_VALUES // channels) if a.device.type == "cpu" else len(x)
    total = torch.zeros((), dtype=torch.float64, device=a.device)
    for start in range(0, len(x), step):
        difference = _normalised(x[start : start + step])
        difference -= _normalised(y[start : start + step])
        total += (difference.square_() @ head).sum(dtype=torch.float64)
    return float(total) / len(x)


def _normalised(strip: Tensor) -> Tensor:
    import torch

    strip = strip.float()
    norm: Tensor = torch.linalg.vector_norm(strip, dim=1, keepdim=True)
    return strip / (norm + _NORM_EPS)


def _load_heads(file: WeightsFile) -> list[Tensor]:
    """Return the weights (C,) of each layer's head."""
    state = load_state(file)
    try:
        return [state[f"lin{layer}.model.1.weight"].reshape(-1) for layer in range(len(state))]
    except KeyError as error:
        raise DataError(f"{file.path}: no heads of LPIPS: {error} is missing") from None


def _input_table() -> npt.NDArray[np.float32]:
    levels = np.arange(256, dtype=np.float64)[:, None] / 127.5 - 1
    return ((levels - _SHIFT) / _SCALE).astype(np.float32)[None]


_INPUT_TABLE = _input_table()
