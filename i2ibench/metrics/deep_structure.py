"""DISTS: structure and texture similarity of deep features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

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
    from collections.abc import Iterator

    from torch import Tensor

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CHANNELS = [3, 64, 128, 256, 512, 512]
_STABILITY = 1e-6


class DISTS(PairMetric):
    """Deep image structure and texture similarity, as a distance.

    One minus the learned mix of two SSIM-like terms of global means and of covariances of VGG-16
    features with Hann-weighted L2 pooling; tolerant of texture that is resampled. Ding et al.,
    TPAMI 2022, equations 2 to 6. At native resolution; piq first shrinks sides above 256 pixels.
    """

    name = "dists"
    trap = "Not to be trusted for a model that was trained with the same network as a loss."
    range = (0.0, math.inf)
    title = "DISTS"
    position = 150
    better = "lower"
    minimum_size = 32
    weights = ("dists",)
    _mark = NOT_LOADED
    _precision = "fp32"

    def prepare(self, context: Context) -> None:
        """Load the trunk and the channel weights."""
        import torch

        from i2ibench.metrics.networks.trunks import VGG_STAGES, Layers

        files = find_weights("dists", context)
        self._mark, self._precision = signature_mark(files), context.precision
        device, dtype = torch.device(context.device), torch_dtype(context)
        self._device, self._dtype = device, dtype

        def load() -> Layers:
            layers = Layers(load_state(files[1]), device, dtype)
            for stage in VGG_STAGES:
                for name in stage:
                    layers.load(name)
            return layers

        self._layers = loaded_once(context, self.name, load)
        channel_weights = load_state(files[0])
        alpha, beta = (channel_weights[key].double().reshape(-1) for key in ("alpha", "beta"))
        total = alpha.sum() + beta.sum()
        self._alpha = torch.split((alpha / total).to(self._device), _CHANNELS)
        self._beta = torch.split((beta / total).to(self._device), _CHANNELS)

    def signature(self) -> Signature:
        """Return ``dists|net:vgg|range:0..1|resize:none|weights:...|mean:image|v:1``."""
        signature = self._signature(("net", "vgg"), ("range", "0..1"), ("resize", "none"))
        if self._precision != "fp32":
            signature = signature.with_setting("precision", self._precision)
        return signature.with_setting("weights", self._mark).with_setting("mean", "image")

    def score_pair(self, pair: PairImages) -> float:
        """Return the distance of one pair; 0 for equal images."""
        import torch

        similarity = 0.0
        with torch.inference_mode():
            key = (self.name, self._mark, self._precision)
            targets = pair.steps_of_target(self._stages, key)
            stages = zip(self._stages(pair.prediction), targets, strict=True)
            for (x, y), alpha, beta in zip(stages, self._alpha, self._beta, strict=True):
                structure, texture = _similarities(x, y)
                similarity += float(alpha @ structure + beta @ texture)
        return 1 - similarity

    def _stages(self, image: npt.NDArray[np.uint8]) -> Iterator[Tensor]:
        import torch

        from i2ibench.metrics.networks.trunks import vgg_stages

        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].to(self._device).float() / 255
        yield pixels
        mean, deviation = (
            torch.tensor(values, device=self._device).reshape(1, 3, 1, 1)
            for values in (_MEAN, _DEVIATION)
        )
        x = ((pixels - mean) / deviation).to(self._dtype, memory_format=torch.channels_last)
        yield from vgg_stages(self._layers, x, pool=_l2_pool)


def _similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return similarity of means and of variances, float64 (C,) each."""
    a, b = (t[0].flatten(1).double() for t in (x, y))
    mean_a, mean_b = a.mean(dim=1), b.mean(dim=1)
    structure = (2 * mean_a * mean_b + _STABILITY) / (mean_a**2 + mean_b**2 + _STABILITY)
    a -= mean_a[:, None]
    b -= mean_b[:, None]
    variances = a.square().mean(dim=1) + b.square().mean(dim=1)
    covariance = (a * b).mean(dim=1)
    return structure, (2 * covariance + _STABILITY) / (variances + _STABILITY)


def _l2_pool(x: Tensor) -> Tensor:
    """Halve by the root of the Hann-weighted mean of squares: 3x3, stride 2, padding 1."""
    import torch
    import torch.nn.functional as F

    taps = torch.tensor([0.5, 1.0, 0.5], dtype=x.dtype, device=x.device)
    kernel = torch.outer(taps, taps)
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 3, 3)
    pooled = F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1])
    return (pooled + 1e-12).sqrt()
