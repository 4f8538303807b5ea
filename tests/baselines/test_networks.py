"""Generators and discriminator equal the official code: keys, counts, outputs, initial bits."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from golden_files import golden
from torch import nn

from i2ibench_baselines.discriminators import PatchGAN
from i2ibench_baselines.generators import (
    ResNetGenerator,
    UNetGenerator,
    build_generator,
    initialize_weights,
)

GOLDEN_GENERATORS = [("resnet_9blocks", 8), ("unet_256", 4)]
KINDS = ["resnet_6blocks", "resnet_9blocks", "unet_128", "unet_256"]


@pytest.fixture(scope="module")
def architectures() -> dict:
    return json.loads(golden("arch_info.json").read_text())


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.from_numpy(np.load(golden("input_256.npz"))["x"])


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def official_state(name: str) -> dict[str, torch.Tensor]:
    return torch.load(golden(f"{name}_state.pth"), weights_only=True)


def without_dropout(kind: str, width: int) -> nn.Module:
    """The golden generator in training mode; its keys move when dropout layers are left out."""
    network = build_generator(kind, width, dropout=False)
    weights = official_state(f"{kind}_ngf{width}").values()
    network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
    return network.train()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dropout", [True, False])
def test_parameter_counts_are_the_official_ones(
    architectures: dict, kind: str, dropout: bool
) -> None:
    with torch.device("meta"):
        network = build_generator(kind, 64, dropout=dropout)
    for code in ("bci", "junyanz"):
        expected = architectures["params"][f"{code}/{kind}/drop{int(dropout)}/ngf64"]
        assert count(network) == expected


def test_discriminator_has_the_official_parameter_count(architectures: dict) -> None:
    with torch.device("meta"):
        assert count(PatchGAN()) == architectures["params"]["bci/patchgan/ndf64"]


def test_keys_and_shapes_are_the_official_ones_in_the_official_order(architectures: dict) -> None:
    networks = {
        "resnet_9blocks": build_generator("resnet_9blocks", 8),
        "unet_256": build_generator("unet_256", 4),
        "patchgan": PatchGAN(width=8),
    }
    for name, network in networks.items():
        found = [[key, list(value.shape)] for key, value in network.state_dict().items()]
        assert found == architectures["keys"][name]
    for kind, expected in architectures["nparam_small"].items():
        assert count(networks[kind]) == expected


def test_without_dropout_the_second_convolution_of_a_block_moves_up(architectures: dict) -> None:
    network = build_generator("resnet_9blocks", 8, dropout=False)
    first_block = [key for key in network.state_dict() if key.startswith("model.10.")]
    assert first_block == architectures["keys"]["resnet_9blocks_nodropout_first_block"]


@pytest.mark.parametrize(("kind", "width"), GOLDEN_GENERATORS)
def test_evaluation_output_equals_the_official_one(
    images: torch.Tensor, kind: str, width: int
) -> None:
    network = build_generator(kind, width)
    network.load_state_dict(official_state(f"{kind}_ngf{width}"))
    outputs = np.load(golden(f"{kind}_ngf{width}_outputs.npz"))
    with torch.no_grad():
        found = network.eval()(images).numpy()
    np.testing.assert_allclose(found[:1], outputs["y_eval_img0_full"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[..., ::4, ::4], outputs["y_eval_stride4"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("kind", "width"), GOLDEN_GENERATORS)
@pytest.mark.parametrize("batch", [1, 2])
def test_training_output_and_statistics_equal_the_official_ones(
    images: torch.Tensor, kind: str, width: int, batch: int
) -> None:
    network = without_dropout(kind, width)
    outputs = np.load(golden(f"{kind}_ngf{width}_outputs.npz"))
    with torch.no_grad():
        found = network(images[:batch]).numpy()[..., ::4, ::4]
    expected = outputs[f"y_train_nodrop_b{batch}_stride4"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    if batch == 1:
        statistics = np.load(golden(f"{kind}_ngf{width}_bn_after_one_train_fwd.npz"))
        # The statistics were saved under the keys of the generator with dropout layers.
        names = build_generator(kind, width).state_dict()
        after = dict(zip(names, network.state_dict().values(), strict=True))
        for key in statistics:
            np.testing.assert_allclose(after[key].numpy(), statistics[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "width"), GOLDEN_GENERATORS)
def test_dropout_is_active_in_training_mode_and_silent_in_evaluation(
    images: torch.Tensor, kind: str, width: int
) -> None:
    network = build_generator(kind, width)
    network.load_state_dict(official_state(f"{kind}_ngf{width}"))

    def spread() -> float:
        with torch.no_grad():
            return float((network(images[:1]) - network(images[:1])).abs().mean())

    network.train()
    assert spread() > 0.005
    network.eval()
    assert spread() == 0.0


@pytest.mark.parametrize("mode", ["eval", "train_b2"])
def test_discriminator_output_equals_the_official_one(images: torch.Tensor, mode: str) -> None:
    network = PatchGAN(width=8)
    network.load_state_dict(official_state("patchgan_ndf8"))
    network.train(mode != "eval")
    with torch.no_grad():
        found = network(images, images.flip(3)).numpy()
    expected = np.load(golden("patchgan_ndf8_outputs.npz"))[f"y_{mode}"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def official_init(module: nn.Module) -> None:
    """The official rule, drawing from the global generator."""
    name = type(module).__name__
    if "Conv" in name:
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.constant_(module.bias, 0.0)
    elif "BatchNorm2d" in name:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.constant_(module.bias, 0.0)


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("kind", ["resnet_6blocks", "unet_128", "patchgan"])
def test_initial_weights_are_the_bits_of_the_official_order(kind: str, norm: str) -> None:
    def build() -> nn.Module:
        return (
            PatchGAN(width=3, norm=norm) if kind == "patchgan" else build_generator(kind, 3, norm)
        )

    official, ours = build(), build()
    torch.manual_seed(7)
    official.apply(official_init)
    initialize_weights(ours, torch.Generator().manual_seed(7))
    for key, value in official.state_dict().items():
        assert torch.equal(value, ours.state_dict()[key]), key


def test_initial_weights_leave_the_global_generator_alone() -> None:
    network = PatchGAN(width=2)
    before = torch.get_rng_state()
    initialize_weights(network, torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_the_smallest_image_of_each_generator_keeps_its_size(norm: str) -> None:
    for network, sides in (
        (ResNetGenerator(blocks=6, width=2, norm=norm), (16, 20)),
        (UNetGenerator(downsamplings=7, width=2, norm=norm), (128, 256)),
    ):
        assert all(side % network.size_multiple == 0 for side in sides)
        with torch.no_grad():
            assert network.eval()(torch.zeros(1, 3, *sides)).shape == (1, 3, *sides)


def perturbed(network: nn.Module) -> nn.Module:
    """Weights and statistics far from their initial values, so that no path is negligible."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            scale = 1.5 / (module.weight[0].numel() ** 0.5)
            nn.init.normal_(module.weight, 0.0, scale, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            module.running_mean.normal_(0.0, 0.2, generator=generator)
    return network.double().eval()


@pytest.mark.parametrize("blocks", [6, 9])
def test_a_tile_with_the_stated_overlap_equals_the_whole_and_with_less_does_not(
    blocks: int,
) -> None:
    network = perturbed(ResNetGenerator(blocks=blocks, width=2))
    overlap = network.tile_overlap
    assert overlap == {6: 60, 9: 84}[blocks]
    side, start, keep = 2 * overlap + 48, 4, 16
    generator = torch.Generator().manual_seed(2)
    image = torch.rand(1, 3, side, side, generator=generator, dtype=torch.float64) * 2 - 1

    def error(context: int) -> float:
        """Largest deviation of a 16 px core, cut out with ``context`` pixels on each side."""
        first = start + overlap - context
        size = 2 * context + keep
        tile = network(image[..., first : first + size, first : first + size])
        core = slice(context, context + keep)
        whole = slice(start + overlap, start + overlap + keep)
        return float((tile[..., core, core] - reference[..., whole, whole]).abs().max())

    with torch.no_grad():
        reference = network(image)
        assert error(overlap) < 1e-12
        assert error(overlap - 4) > 1e-12


def test_tiles_are_never_exact_where_statistics_or_depth_span_the_image() -> None:
    assert ResNetGenerator(width=2, norm="instance").tile_overlap is None
    assert UNetGenerator(width=2).tile_overlap is None


def test_an_unknown_generator_is_named() -> None:
    with pytest.raises(ValueError, match="unknown generator 'unet_512'"):
        build_generator("unet_512")
