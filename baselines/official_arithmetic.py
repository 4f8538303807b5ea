"""The order of additions of the official code of contrastive methods, to repeat its very digits.

A GAN enlarges a difference in the last digit some hundredfold with each step, so that a training is
repeated either to the bit or not at all. Where our layers add in another order because that is
faster, or correct what PyTorch gets wrong, the layers here do as the official code did on one
thread of a CPU. They prove that all else is the same; nobody should train with them.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench_baselines.antialiasing import BlurredDoubling
from i2ibench_baselines.instance_norm import InstanceNorm


def use_official_arithmetic(network: nn.Module) -> None:
    """Replace the layers of ``network`` whose last digits differ; none of them has weights."""
    for name, child in network.named_children():
        if isinstance(child, InstanceNorm):
            # With PyTorch's wrong gradients for one image, as the official code has them.
            setattr(network, name, nn.InstanceNorm2d(child.num_features))
        elif isinstance(child, BlurredDoubling):
            setattr(network, name, _TransposedBlur(len(child.filt)))
        else:
            use_official_arithmetic(child)


class _TransposedBlur(BlurredDoubling):
    def forward(self, features: Tensor) -> Tensor:
        padded = F.pad(features, (1, 1, 1, 1), mode="replicate")
        return F.conv_transpose2d(padded, self.filt, stride=2, padding=3, groups=len(self.filt))
