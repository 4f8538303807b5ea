"""Packed convolutions are convolutions, whatever the sizes that follow one another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.errors import DataError
from i2ibench.metrics.networks import convolution
from i2ibench.metrics.networks.convolution import make_convolution
from i2ibench.metrics.networks.packed_convolution import PackedConv, can_pack

pytestmark = pytest.mark.skipif(
    not can_pack(torch.float32), reason="this build of PyTorch has no oneDNN"
)


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from([(1, 1), (3, 3), (5, 5), (1, 7), (7, 1)]),
    sizes=st.lists(st.tuples(st.integers(8, 20), st.integers(8, 20)), min_size=1, max_size=7),
    stride=st.sampled_from([1, 2]),
    relu=st.booleans(),
)
def test_equals_the_plain_convolution_for_every_size_in_turn(kernel, sizes, stride, relu):
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 8, *kernel, generator=random)
    bias = torch.randn(8, generator=random)
    border = (kernel[0] // 2, kernel[1] // 2)
    packed = PackedConv(weight, bias, stride=stride, padding=border, relu=relu)
    for size in sizes:
        x = torch.randn(1, 8, *size, generator=random)
        expected = F.conv2d(x.double(), weight.double(), bias.double(), stride, border)
        expected = expected.relu() if relu else expected
        assert (packed(x) - expected).abs().max() <= 1e-5 * expected.abs().max() + 1e-6


def test_threads_that_bring_sizes_of_their_own_do_not_disturb_one_another():
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(16, 16, 3, 3, generator=random)
    packed = PackedConv(weight, padding=(1, 1))
    images = [torch.randn(1, 16, 10 + i, 20 - i, generator=random) for i in range(8)]
    wrong: list[int] = []

    def convolve(start: int) -> None:
        for turn in range(24):
            x = images[(start + turn) % len(images)]
            if not torch.allclose(packed(x), F.conv2d(x, weight, padding=1), atol=1e-3):
                wrong.append(start)

    threads = [threading.Thread(target=convolve, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_the_operations_convolutions_go_the_usual_way(monkeypatch):
    monkeypatch.setattr(convolution, "can_pack", lambda _: False)
    random = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(4, 3, 3, 3, generator=random), torch.randn(4, generator=random)
    x = torch.randn(1, 3, 12, 12, generator=random)
    found = make_convolution(weight, bias, padding=(1, 1))(x)
    expected = F.conv2d(x, weight, bias, padding=1).relu()
    assert torch.allclose(found, expected, atol=1e-5)


def test_an_overflow_is_told_and_not_rectified_away():
    """Infinity less infinity is NaN, which a fused rectification makes a sound-looking 0."""
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(128, 128, 3, 3, generator=draw)
    made = make_convolution(weight, torch.zeros(128), padding=(1, 1))
    x = torch.randn(1, 128, 12, 12, generator=draw)
    assert torch.isfinite(made(x)).all()
    large = x * 3e37  # finite, and so is what every convolution before it has let pass
    assert torch.isfinite(large).all()
    with pytest.raises(DataError, match="activations are not finite"):
        made(large)


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
