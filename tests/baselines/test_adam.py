"""The faster Adam is Adam."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from i2ibench_baselines.adam import DenseAdam


def _network(layout: torch.memory_format) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 1, 1), nn.ConvTranspose2d(1, 5, 3))
    return layers.to(memory_format=layout)


def _steps(network: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    for step in range(count):
        images = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        network(images).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_its_steps_and_states_equal_those_of_adam(layout):
    ours = _network(layout)
    theirs = copy.deepcopy(ours)
    fast = DenseAdam(ours.parameters(), lr=1e-2, betas=(0.5, 0.999), fused=True)
    plain = torch.optim.Adam(theirs.parameters(), lr=1e-2, betas=(0.5, 0.999))
    _steps(ours, fast, 5)
    _steps(theirs, plain, 5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-7)
        assert mine.stride() == other.stride()
        for name in ("exp_avg", "exp_avg_sq"):
            kept, expected = fast.state[mine][name], plain.state[other][name]
            assert kept.shape == mine.shape
            assert torch.allclose(kept, expected, rtol=1e-4, atol=1e-7)


def test_its_state_is_saved_and_continued_to_the_same_bits():
    whole = _network(torch.channels_last)
    parts = copy.deepcopy(whole)
    _steps(whole, DenseAdam(whole.parameters(), lr=1e-2, fused=True), 6)
    first = DenseAdam(parts.parameters(), lr=1e-2, fused=True)
    _steps(parts, first, 3)
    second = DenseAdam(parts.parameters(), lr=1e-2, fused=True)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for step in range(3, 6):
        images = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(step))
        second.zero_grad()
        parts(images).square().sum().backward()
        second.step()
    assert all(map(torch.equal, parts.parameters(), whole.parameters()))
