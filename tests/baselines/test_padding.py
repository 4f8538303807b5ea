"""Padding of channels-last tensors equals PyTorch's, values and gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from i2ibench_baselines.padding import ReflectionPad


@settings(max_examples=60, deadline=None)
@given(
    padding=st.integers(1, 4),
    height=st.integers(5, 12),
    width=st.integers(5, 12),
    channels=st.integers(1, 5),
    layout=st.sampled_from([torch.channels_last, torch.contiguous_format]),
    dtype=st.sampled_from([torch.float64, torch.bfloat16]),
)
def test_values_and_gradients_equal_pytorch(padding, height, width, channels, layout, dtype):
    random = torch.Generator().manual_seed(0)
    images = torch.randn(2, channels, height, width, generator=random).to(dtype)
    ours, theirs = (
        images.to(memory_format=each).requires_grad_() for each in (layout, torch.contiguous_format)
    )
    ours, theirs = ours.detach().requires_grad_(), theirs.detach().clone().requires_grad_()
    found, expected = ReflectionPad(padding)(ours), nn.ReflectionPad2d(padding)(theirs)
    assert torch.equal(found, expected)
    weights = torch.randn(expected.shape, generator=random).to(dtype)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    tolerance = 1e-12 if dtype == torch.float64 else 0.2  # a few sums in eight bits
    assert torch.allclose(ours.grad, theirs.grad, atol=tolerance)


def test_the_layout_is_kept():
    images = torch.rand(1, 8, 9, 9).to(memory_format=torch.channels_last)
    assert ReflectionPad(3)(images).is_contiguous(memory_format=torch.channels_last)


def test_what_follows_may_work_in_place_as_behind_pytorchs():
    images = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    ours = images.to(memory_format=torch.channels_last).requires_grad_()
    theirs = images.clone().requires_grad_()
    torch.relu_(ReflectionPad(2)(ours)).sum().backward()
    torch.relu_(nn.ReflectionPad2d(2)(theirs)).sum().backward()
    assert torch.equal(ours.grad, theirs.grad)
    assert ours.grad.is_contiguous(memory_format=torch.channels_last)


def test_a_border_wider_than_the_image_is_refused_as_by_pytorch():
    images = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        ReflectionPad(4)(images)
