"""What a training step draws at random, in one place, so that a recorded step can be repeated."""

from __future__ import annotations

import torch
from torch import Tensor


class Draws:
    """Draws from torch's global generator, which the training loop seeds for each step.

    A model keeps one as ``draws``; whoever repeats a step with other choices, such as those that
    another program recorded, gives the model an object with the same methods.
    """

    def positions(self, count: int, most: int, device: torch.device) -> Tensor:
        """Return ``most`` different integers below ``count``, or all of them where fewer are."""
        return torch.randperm(count, device=device)[:most]

    def flipped(self) -> bool:
        """Return whether this step mirrors its images: one in two."""
        return bool(torch.rand(()) < 0.5)

    def stored(self, count: int) -> int | None:
        """Return which of ``count`` stored images a pool gives back; in half of all cases none."""
        if torch.rand(()) < 0.5:
            return None
        return int(torch.randint(count, ()))
