"""Contrastive losses between features at random positions, and the heads that project them.

All losses are computed in float32, whatever the precision of the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench_baselines.draws import Draws

Normalization = Literal["after", "inside"]

_EPSILON = 1e-7
_SMALLEST = 1e-37
# What stands in the official code for the similarity of a position to itself among the negatives.
_NOT_A_NEGATIVE = -10.0


class ProjectionHeads(nn.Module):
    """A perceptron of two layers for each layer of features; output of length 1.

    Park et al. 2020 (arXiv:2007.15651), section 3; ``state_dict`` keys of the official ``netF``.

    Args:
        channels: of each layer of features.
        width: channels of the projections.
        epsilon: where the official code adds 1e-7 against a division by zero: ``after`` the root
            (CUT), or ``inside``, to each channel before it is squared (ASP).
    """

    def __init__(self, channels: Sequence[int], width: int, epsilon: Normalization) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.count = len(channels)
        for place, before in enumerate(channels):
            head = nn.Sequential(nn.Linear(before, width), nn.ReLU(), nn.Linear(width, width))
            self.add_module(f"mlp_{place}", head)

    def forward(self, features: Sequence[Tensor], positions: Sequence[Tensor]) -> list[Tensor]:
        """Return the projections ``(N, P, width)`` of each layer at P positions.

        Features are ``(N, C, H, W)``; a position is ``row * W + column``, the same for all images.
        """
        return [
            self._unit(self.get_submodule(f"mlp_{place}")(taken(layer, where)))
            for place, (layer, where) in enumerate(zip(features, positions, strict=True))
        ]

    def _unit(self, projected: Tensor) -> Tensor:
        projected = projected.float()
        if self.epsilon == "inside":
            length = (projected + _EPSILON).pow(2).sum(-1, keepdim=True).pow(0.5)
            return projected / length
        # A vector of zeros, as narrow networks make, would get a gradient that is not a number.
        squared = projected.pow(2).sum(-1, keepdim=True).clamp_min(_SMALLEST)
        return projected / (squared.pow(0.5) + _EPSILON)


def taken(features: Tensor, positions: Tensor) -> Tensor:
    """Return ``(N, P, C)``, the features ``(N, C, H, W)`` at ``positions``; copies nothing else."""
    width = features.shape[-1]
    return features.permute(0, 2, 3, 1)[:, positions // width, positions % width]


def draw_positions(features: Sequence[Tensor], count: int, draws: Draws) -> list[Tensor]:
    """Draw up to ``count`` different positions in each layer of features."""
    return [draws.positions(each[0, 0].numel(), count, each.device) for each in features]


def nce_loss(
    queries: Sequence[Tensor],
    keys: Sequence[Tensor],
    temperature: float,
    supervision: float | None = None,
) -> Tensor:
    """Return the contrastive loss, the mean over layers and positions.

    PatchNCE (Park et al. 2020, arXiv:2007.15651): each query ``(N, P, C)`` should
    resemble the key at its own position more than those at the others of the same image. No
    gradient reaches the keys.

    Args:
        queries: unit vectors of each layer, of the prediction.
        keys: of the source or the target, at the same positions.
        temperature: divides the similarities.
        supervision: None for equal weights; else the share s, from 0 to 1, of the weight of a
            position that is its similarity to its own key: 1 - s + s relu(similarity), normalised
            to mean 1 (Li et al. 2023, arXiv:2303.06193).
    """
    losses = [
        _layer_loss(query, key.detach(), temperature, supervision)
        for query, key in zip(queries, keys, strict=True)
    ]
    return torch.stack(losses).mean()


def _layer_loss(
    query: Tensor, key: Tensor, temperature: float, supervision: float | None
) -> Tensor:
    # In the order of the official code, so that its steps are repeated to the bit: training
    # enlarges a difference in the last digit a hundredfold with each step.
    with torch.autocast(query.device.type, enabled=False):
        count, positions, channels = query.shape
        own = torch.bmm(query.reshape(-1, 1, channels), key.reshape(-1, channels, 1)).view(-1, 1)
        others = torch.bmm(query, key.transpose(1, 2))
        others.diagonal(dim1=1, dim2=2).fill_(_NOT_A_NEGATIVE)
        logits = torch.cat([own, others.view(-1, positions)], 1) / temperature
        first = torch.zeros(count * positions, dtype=torch.long, device=query.device)
        each = F.cross_entropy(logits, first, reduction="none")
        if supervision is None:
            return each.mean()
        similar = own.detach().flatten().relu()
        weights = 1 - supervision + supervision * similar
        return (each * (weights / weights.mean())).mean()
