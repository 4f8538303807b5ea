"""A pool of earlier predictions, against which a discriminator is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from i2ibench_baselines.draws import Draws


class ImagePool(nn.Module):
    """Keeps predictions of earlier steps (Shrivastava et al. 2017, arXiv:1612.07828).

    Until it is full, each new image is stored and given back. From then on an image is, in half of
    all cases, given back as it came; else it takes the place of a stored one, which is given back.

    The images are buffers, so that they stand in the checkpoint and a training continues as if it
    had not been stopped. They are as many, and as large, as the training has brought so far, in
    float32: a pool of 50 images of 1024 px takes 630 MB, in memory and in each checkpoint.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        # Tells where the model is; the images come with the training or with a checkpoint.
        self.register_buffer("_anchor", torch.empty(0), persistent=False)

    def query(self, images: Tensor, draws: Draws) -> Tensor:
        """Return as many images as are given, ``(N, C, H, W)``, without gradients."""
        if self.size == 0:
            return images.detach()
        return torch.cat([self._exchanged(image, draws) for image in images.detach().split(1)])

    def __len__(self) -> int:
        """Return how many images are stored."""
        return len(self._buffers) - 1

    def _exchanged(self, image: Tensor, draws: Draws) -> Tensor:
        place: int | None = len(self)
        if len(self) >= self.size:
            place = draws.stored(self.size)
        if place is None:
            return image
        former = self._buffers.get(str(place), image)
        self.register_buffer(str(place), image.float().clone())
        return image if former is None else former.to(image.dtype)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *others: Any
    ) -> None:
        """Make a buffer for each stored image, because only the file knows how many there are."""
        anchor = self._buffers["_anchor"]
        self._buffers.clear()
        self.register_buffer("_anchor", anchor, persistent=False)
        for place in range(self.size):
            stored = state_dict.get(f"{prefix}{place}")
            if stored is None:
                break
            self.register_buffer(str(place), torch.empty_like(stored, device=anchor.device))
        super()._load_from_state_dict(state_dict, prefix, *others)
