"""Instance norm whose gradients are right for one image, and which keeps channels-last tensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InstanceNorm(nn.InstanceNorm2d):
    """``nn.InstanceNorm2d`` without weights or running statistics, image by image.

    For a batch of one image, PyTorch's own (2.14 on a CPU) returns wrong gradients wherever the
    gradient that reaches it is channels-last, without a word. It also brings channels-last images
    into the standard layout first, which takes three to five times as long as the norm itself.
    Instance norm of one image is batch norm of its own statistics, which has neither fault.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False, track_running_stats=False)

    def forward(self, input: Tensor) -> Tensor:
        """Return ``(N, C, H, W)``, each channel of each image with mean 0 and variance 1."""
        if input.dim() != 4:
            return super().forward(input)
        alone = len(input) == 1 and torch.is_grad_enabled()
        on_cpu = input.device.type == "cpu"
        if alone or (on_cpu and _is_channels_last(input)):
            made = [
                F.batch_norm(image, None, None, training=True, eps=self.eps)
                for image in input.split(1)
            ]
            return made[0] if len(made) == 1 else torch.cat(made)
        return super().forward(input)


def _is_channels_last(images: Tensor) -> bool:
    in_order = images.is_contiguous(memory_format=torch.channels_last)
    return in_order and not images.is_contiguous()
