"""Our instance norm has the values and gradients of the definition, in every layout and batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from i2ibench_baselines.generators import norm_layer
from i2ibench_baselines.instance_norm import InstanceNorm


def by_definition(images: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    images = images.double().requires_grad_()
    mean = images.mean((2, 3), keepdim=True)
    variance = (images - mean).square().mean((2, 3), keepdim=True)
    made = (images - mean) / (variance + 1e-5).sqrt()
    made.backward(gradient.double())
    assert images.grad is not None
    return made.detach().float(), images.grad.float()


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("gradients", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_the_definition(images, layout, gradients) -> None:
    draw = torch.Generator().manual_seed(images)
    drawn = torch.randn(images, 6, 9, 5, generator=draw) * 3 + 1
    gradient = torch.randn(drawn.shape, generator=draw)
    expected, expected_gradient = by_definition(drawn, gradient)
    given = drawn.contiguous(memory_format=layout).requires_grad_()
    made = InstanceNorm(6)(given)
    made.backward(gradient.contiguous(memory_format=gradients))
    torch.testing.assert_close(made.detach().contiguous(), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(given.grad.contiguous(), expected_gradient, rtol=0, atol=1e-5)
    assert made.is_contiguous(memory_format=layout)


def test_it_stands_where_the_official_one_does_and_has_no_state() -> None:
    layer = norm_layer("instance", 4)
    assert isinstance(layer, InstanceNorm | nn.InstanceNorm2d)
    assert not layer.state_dict()
