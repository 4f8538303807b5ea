"""LPIPS: distances between activations of a pretrained trunk, weighted by learned heads."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from i2ibench.errors import MissingError
from i2ibench.metrics.interface import Context, PairImages, PairMetric, Signature
from i2ibench.metrics.networks.loading import (
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
    ``lpips`` package, whose heads it reads.
    """

    name = "lpips"
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

        files = find_weights(self.weights[0], context)
        device, dtype = torch.device(context.device), torch_dtype(context)
        self._device, self._dtype = device, dtype
        self._mark, self._precision = signature_mark(files), context.precision

        def load() -> tuple[Trunk, list[Tensor]]:
            trunk = build_trunk(self.trunk, load_state(files[0]), device, dtype)
            return trunk, [head.to(device) for head in _load_heads(self.trunk)]

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
    title = "LPIPS-vgg"
    position = 140
    trunk = "vgg"
    weights = ("lpips-vgg",)


class LPIPSSqueeze(LPIPSAlex):
    """Learned perceptual image patch similarity, SqueezeNet 1.1 trunk, version 0.1.

    As ``lpips`` with the smallest trunk (2.9 MB), compared at seven layers.
    """

    name = "lpips-squeeze"
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


def _load_heads(trunk: str) -> list[Tensor]:
    """Return the weights (C,) of each layer's head from the installed ``lpips`` package."""
    import torch

    spec = importlib.util.find_spec("lpips")  # found, not imported: that would take seconds
    if spec is None or spec.origin is None:
        raise MissingError("the lpips package is not installed; run: pip install lpips")
    path = Path(spec.origin).parent / "weights" / "v0.1" / f"{trunk}.pth"
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return [state[f"lin{layer}.model.1.weight"].reshape(-1) for layer in range(len(state))]


def _input_table() -> npt.NDArray[np.float32]:
    levels = np.arange(256, dtype=np.float64)[:, None] / 127.5 - 1
    return ((levels - _SHIFT) / _SCALE).astype(np.float32)[None]


_INPUT_TABLE = _input_table()
