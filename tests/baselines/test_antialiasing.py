"""Antialiased layers equal the convolutions that define them, in values and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench_baselines.antialiasing import BlurredDoubling, BlurredHalving
from i2ibench_baselines.generators import build_generator
from i2ibench_baselines.official_arithmetic import use_official_arithmetic


def doubled(features: Tensor, filt: Tensor) -> Tensor:
    padded = F.pad(features, (1, 1, 1, 1), mode="replicate")
    made = F.conv_transpose2d(padded, filt, stride=2, padding=2, groups=features.shape[1])
    return made[:, :, 1:-1, 1:-1]


def halved(features: Tensor, filt: Tensor) -> Tensor:
    padded = F.pad(features, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(padded, filt, stride=2, groups=features.shape[1])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ("layer", "defined"), [(BlurredDoubling(3), doubled), (BlurredHalving(3), halved)]
)
def test_values_and_gradients_are_those_of_the_filters(layer, defined, layout) -> None:
    drawn = torch.randn(2, 3, 7, 10, generator=torch.Generator().manual_seed(0))
    results = []
    for compute in (layer, lambda features: defined(features, layer.filt)):
        features = drawn.contiguous(memory_format=layout).requires_grad_()
        made = compute(features)
        (made * torch.linspace(-1, 1, made.numel()).view(made.shape)).sum().backward()
        results.append((made.detach(), features.grad))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=2e-6)


def test_official_arithmetic_changes_no_weight_and_no_value_but_the_last_digits() -> None:
    torch.manual_seed(0)
    network = build_generator("resnet_6blocks", 2, "instance", False, antialias=True).eval()
    image = torch.rand(1, 3, 16, 20) * 2 - 1
    with torch.no_grad():
        before, state = network(image), network.state_dict()
        use_official_arithmetic(network)
        assert network.state_dict().keys() == state.keys()
        torch.testing.assert_close(network(image), before, rtol=0, atol=1e-5)
    kinds = {type(module) for module in network.modules()}
    assert nn.InstanceNorm2d in kinds and BlurredDoubling not in kinds
