"""An exponential moving average of a network's weights, kept beside it in every checkpoint."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage(nn.Module):
    """The average of ``network`` over its training: a copy that no optimiser sees.

    As a part of the model it is saved and loaded with it, so that a continued training ends in
    equal bits. Several processes train equal weights, so each has the same average, and nothing
    needs to be averaged over them.

    Until ``start`` steps the copy follows the network; from then on it becomes ``decay`` of itself
    and the rest of the network. Both every ``every`` steps.

    Attributes:
        network: the averaged copy, to translate with.
        steps: how often ``update`` was called.
    """

    def __init__(self, network: nn.Module, *, decay: float, every: int = 1, start: int = 0) -> None:
        super().__init__()
        self._decay, self._every, self._start = decay, every, start
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.steps: torch.Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights of ``network`` after one more step of its optimiser."""
        self.steps += 1
        step = int(self.steps)
        if step % self._every:
            return
        share = 1.0 - self._decay if step >= self._start else 1.0
        for mine, other in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.lerp_(other, share)
        for mine, other in zip(self.network.buffers(), network.buffers(), strict=True):
            mine.copy_(other)
