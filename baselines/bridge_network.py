"""The U-Net of the diffusion models, by the library diffusers: the extra ``diffusion``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from i2ibench.errors import MissingError

_PIP = "pip install 'i2ibench[diffusion]'"
# Of the official code: channels of a group of its norm, and of an attention head.
_GROUPS, _HEAD = 32, 64


class ConditionedUNet(nn.Module):
    """A U-Net of (x_t, source) and the time t, in residual blocks with attention in the middle.

    Sides must be multiples of ``2 ** (levels - 1)``.

    Raises:
        MissingError: diffusers is not installed, or cannot be loaded.
    """

    def __init__(self, *, width: int, multipliers: Sequence[int], blocks: int) -> None:
        super().__init__()
        try:
            from diffusers.models.unets.unet_2d import UNet2DModel
        except ImportError as error:
            # One that is there but fails, as beside a package that is too old, says why.
            absent = isinstance(error, ModuleNotFoundError) and error.name == "diffusers"
            why = "" if absent else f", which cannot be loaded: {str(error).splitlines()[0]}"
            pip = _PIP if absent else f"{_PIP} --upgrade"
            raise MissingError(f"bbdm needs the package diffusers{why}; run: {pip}") from None
        widths = [width * factor for factor in multipliers]
        self.unet = UNet2DModel(
            in_channels=6,
            out_channels=3,
            block_out_channels=tuple(widths),
            layers_per_block=blocks,
            down_block_types=("DownBlock2D",) * len(widths),
            up_block_types=("UpBlock2D",) * len(widths),
            downsample_type="resnet",
            upsample_type="resnet",
            resnet_time_scale_shift="scale_shift",
            norm_num_groups=math.gcd(_GROUPS, *widths),
            attention_head_dim=min(_HEAD, widths[-1]),
        )

    def forward(self, x: Tensor, source: Tensor, t: Tensor) -> Tensor:
        """Return ``(N, 3, H, W)`` of images, their sources, and times int64 (N,)."""
        made: Tensor = self.unet(torch.cat([x, source], 1), t, return_dict=False)[0]
        return made
