"""The perceptual loss of pix2pixHD: distances of VGG-19 features, whose weights must be there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.errors import DataError, MissingError
from i2ibench.metrics.networks.network_loading import load_state
from i2ibench.metrics.networks.weights import locate

WEIGHTS = "vgg19"
# Weights of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 (the official code).
LAYER_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
# torchvision's places of the convolutions that lead to each of the five; a pool stands before the
# second convolution place of a later group.
_GROUPS = ((0,), (2, 5), (7, 10), (12, 14, 16, 19), (21, 23, 25, 28))
_POOLED = (5, 10, 19, 28)


class VGGLoss:
    """Mean absolute differences of VGG-19 features of two images in [-1, 1], weighted and summed.

    Wang et al. 2018 (arXiv:1711.11585), section 3.4; the official code hands the images over as
    they are, without ImageNet's mean and deviation.

    No ``nn.Module``: its half a gigabyte of fixed weights belongs into no checkpoint.
    """

    def __init__(self, weights: Mapping[str, Tensor], like: Tensor) -> None:
        self._layers = {
            place: _fixed(weights, place).to(like.device).to(memory_format=torch.channels_last)
            for group in _GROUPS
            for place in group
        }

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of ``prediction``; both images ``(N, 3, H, W)``."""
        with torch.no_grad():
            wanted = self._features(target)
        made = self._features(prediction)
        terms = [
            weight * F.l1_loss(mine.float(), other.float())
            for weight, mine, other in zip(LAYER_WEIGHTS, made, wanted, strict=True)
        ]
        return torch.stack(terms).sum()

    def _features(self, x: Tensor) -> list[Tensor]:
        found = []
        for group in _GROUPS:
            for place in group:
                x = F.relu(self._layers[place](F.max_pool2d(x, 2) if place in _POOLED else x))
            found.append(x)
        return found


def load_vgg_loss(like: Tensor, setting: str) -> VGGLoss:
    """Return the loss on the device of ``like``.

    Raises:
        MissingError: its weights are not on this machine; names ``setting``, which wants them.
    """
    try:
        (file,) = locate(WEIGHTS)
    except MissingError as error:
        raise MissingError(
            f"{error}; --set {setting}=0 trains another objective, without"
        ) from None
    return VGGLoss(load_state(file), like)


def _fixed(weights: Mapping[str, Tensor], place: int) -> nn.Conv2d:
    name = f"features.{place}"
    try:
        weight, bias = weights[f"{name}.weight"].float(), weights[f"{name}.bias"].float()
    except KeyError as error:
        raise DataError(f"not the weights of VGG-19: {error} is missing") from None
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1).requires_grad_(False)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer
