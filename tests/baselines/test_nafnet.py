"""NAFNet is its paper's: the block's equations in numpy, the count of parameters by formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from i2ibench.errors import UsageError
from i2ibench.models.interface import PairBatch, build_model
from i2ibench.training.step import train_step
from i2ibench_baselines.nafnet_network import ChannelNorm, NAFNetBlock

Array = NDArray[np.float64]
TINY = {"width": 4, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}


def drawn_block(channels: int) -> NAFNetBlock:
    """A block whose every weight differs from its start."""
    block, draw = NAFNetBlock(channels).double(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64))
    return block


def by_equations(block: NAFNetBlock, x: Array) -> Array:
    """The block at one image (C, H, W), written from the paper's equations."""
    weights = {key: value.detach().numpy() for key, value in block.state_dict().items()}

    def pointwise(name: str, image: Array) -> Array:
        matrix = weights[f"{name}.weight"][:, :, 0, 0]
        return np.einsum("oc,chw->ohw", matrix, image) + weights[f"{name}.bias"][:, None, None]

    def norm(name: str, image: Array) -> Array:
        centred = image - image.mean(0)
        scaled = centred / np.sqrt((centred**2).mean(0) + 1e-6)
        return (
            scaled * weights[f"{name}.weight"][:, None, None]
            + weights[f"{name}.bias"][:, None, None]
        )

    def gate(image: Array) -> Array:
        half = len(image) // 2
        return image[:half] * image[half:]

    def depthwise(image: Array) -> Array:
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
        kernel, (_, height, width) = weights["depthwise.weight"][:, 0], image.shape
        made = np.zeros_like(image)
        for row in range(3):
            for column in range(3):
                shifted = padded[:, row : row + height, column : column + width]
                made += kernel[:, row, column, None, None] * shifted
        return made + weights["depthwise.bias"][:, None, None]

    gated = gate(depthwise(pointwise("widen", norm("spatial_norm", x))))
    attention = pointwise("attention", gated.mean((1, 2), keepdims=True))
    y = x + weights["beta"][0] * pointwise("project", gated * attention)
    fed = gate(pointwise("feed", norm("channel_norm", y)))
    return y + weights["gamma"][0] * pointwise("gather", fed)


def test_a_block_computes_the_papers_equations() -> None:
    block = drawn_block(6)
    images = torch.randn(2, 6, 5, 7, dtype=torch.float64)
    with torch.no_grad():
        made = block(images).numpy()
    for found, image in zip(made, images.numpy(), strict=True):
        np.testing.assert_allclose(found, by_equations(block, image), rtol=1e-9, atol=1e-9)


def test_the_norm_keeps_channels_last() -> None:
    images = torch.randn(2, 6, 5, 7).contiguous(memory_format=torch.channels_last)
    assert ChannelNorm(6)(images).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "settings",
    [TINY, {"width": 8, "encoder": (1, 0, 2), "middle": 3, "decoder": (0, 2, 1)}, {}],
    ids=["tiny", "uneven", "default"],
)
def test_the_number_of_parameters_follows_from_width_and_blocks(settings) -> None:
    model = build_model("nafnet", settings)
    config = model.config

    def block(c: int) -> int:
        pointwise = (2 * c * c + 2 * c) * 2 + (c * c + c) * 3
        return pointwise + (2 * c * 9 + 2 * c) + 2 * 2 * c + 2 * c

    levels = [config.width * 2**level for level in range(len(config.encoder))]
    deepest = 2 * levels[-1]
    expected = 27 * config.width + config.width + 27 * config.width + 3
    expected += sum(
        (down + up) * block(c)
        for c, down, up in zip(levels, config.encoder, config.decoder[::-1], strict=True)
    )
    expected += config.middle * block(deepest)
    expected += sum(4 * c * 2 * c + 2 * c for c in levels)  # halving
    expected += sum(2 * c * 4 * c for c in levels)  # doubling, without bias
    assert model.parameter_count() == expected
    assert model.size_multiple == 2 ** len(levels)


def test_a_new_network_is_a_function_of_its_first_and_last_layers_alone() -> None:
    model, image = build_model("nafnet", TINY), torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        before = model.generator(image)
        for block in (*model.generator.encoder, model.generator.middle, *model.generator.decoder):
            block[0].project.weight.add_(1.0)
        assert torch.equal(model.generator(image), before)
        assert model.eval().translate(image * 3).abs().max() <= 1.0


def test_a_simple_translation_is_learnt_by_l1_alone() -> None:
    model = build_model("nafnet", {**TINY, "learning_rate": 5e-3})
    model.initialize(torch.Generator().manual_seed(0))
    source = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1
    batch = PairBatch(source, 0.5 - 0.5 * source.mean(1, keepdim=True).expand_as(source))
    optimizers = model.train().optimizers()
    losses = [train_step(model, optimizers, batch) for _ in range(40)]
    assert set(losses[0]) == {"G_L1"}
    assert losses[-1]["G_L1"] < 0.5 * losses[0]["G_L1"]


def test_levels_that_do_not_match_are_named() -> None:
    with pytest.raises(UsageError, match="as many levels"):
        build_model("nafnet", {"encoder": (1, 1)})
