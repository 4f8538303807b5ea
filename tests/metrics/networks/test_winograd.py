"""Winograd convolution is the direct one up to the rounding of float32."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.errors import DataError
from i2ibench.metrics.networks.convolution import make_convolution
from i2ibench.metrics.networks.winograd import WinogradConv, _transforms


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([3, 5]),
    height=st.integers(1, 23),
    width=st.integers(1, 23),
    padded=st.booleans(),
    seed=st.integers(0, 999),
)
def test_equals_direct_convolution_in_float64(kernel, height, width, padded, seed):
    padding = kernel // 2 if padded else 0
    height, width = height + kernel, width + kernel
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(1, 9, height, width, generator=random).relu()
    weight = torch.randn(11, 9, kernel, kernel, generator=random)
    bias = torch.randn(11, generator=random)
    exact = F.relu(F.conv2d(x.double(), weight.double(), bias.double(), padding=padding))
    found = WinogradConv(weight, bias, padding)(x.to(memory_format=torch.channels_last))
    assert found.shape == exact.shape
    assert (found - exact).abs().max() <= 2e-5 * exact.abs().max() + 1e-6


@pytest.mark.parametrize("kernel", [3, 5])
def test_transforms_convolve_exactly_in_one_dimension(kernel):
    to_output, to_filter, to_input = _transforms(kernel)
    random = torch.Generator().manual_seed(0)
    signal = torch.randn(6, generator=random, dtype=torch.float64)
    taps = torch.randn(kernel, generator=random, dtype=torch.float64)
    expected = F.conv1d(signal[None, None], taps[None, None])[0, 0]
    found = to_output @ ((to_filter @ taps) * (to_input @ signal))
    assert torch.allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("place", ["weight", "bias"])
def test_weights_that_are_no_numbers_are_refused(place):
    weights = {"weight": torch.ones(4, 3, 3, 3), "bias": torch.zeros(4)}
    weights[place].view(-1)[0] = float("nan")
    with pytest.raises(DataError, match="not all finite"):
        make_convolution(**weights)


def test_bf16_runs_where_the_processor_has_no_instructions_for_it():
    code = """
import torch
from i2ibench.metrics.networks.convolution import make_convolution
convolve = make_convolution(torch.ones(4, 3, 3, 3), torch.zeros(4), dtype=torch.bfloat16)
print(convolve(torch.ones(1, 3, 5, 5, dtype=torch.bfloat16)).mean().item())
"""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert float(done.stdout) == 27.0
