"""What the models promise beyond their mathematics: names, settings, losses, size rules."""

from __future__ import annotations

import pytest
import torch

from i2ibench.errors import UsageError
from i2ibench.models.interface import PairBatch, TrainableModel, build_model
from i2ibench.training.step import train_step

SMALL: dict[str, object] = {"ngf": 2}
TRAINED = ["pix2pix", "pyramid", "varpyramid", "l1-unet"]


def small(name: str, **settings: object) -> TrainableModel:
    discriminator = {} if name == "l1-unet" else {"ndf": 4}
    model = build_model(name, {**SMALL, **discriminator, "generator": "resnet_6blocks", **settings})
    assert isinstance(model, TrainableModel)
    model.initialize(torch.Generator().manual_seed(0))
    return model.train()


def random_batch(pairs: int = 2, side: int = 32) -> PairBatch:
    generator = torch.Generator().manual_seed(1)
    return PairBatch(*(torch.rand(2, pairs, 3, side, side, generator=generator) * 2 - 1).unbind())


def test_the_methods_differ_in_their_losses_alone() -> None:
    names = {
        name: set(train_step(model := small(name), model.optimizers(), random_batch()))
        for name in TRAINED
    }
    adversarial = {"D_fake", "D_real", "G_GAN"}
    scales = {"G_L1", "G_L2", "G_L3", "G_L4"}
    assert names == {
        "pix2pix": adversarial | {"G_L1"},
        "pyramid": adversarial | scales,
        "varpyramid": adversarial | scales | {"G_variance"},
        "l1-unet": {"G_L1"},
    }


def test_defaults_are_the_papers() -> None:
    pix2pix, pyramid = build_model("pix2pix").config, build_model("pyramid").config
    assert (pix2pix.generator, pix2pix.ngf, pix2pix.ndf) == ("unet_256", 64, 64)
    assert (pix2pix.norm, pix2pix.dropout, pix2pix.gan_loss) == ("batch", True, "vanilla")
    assert (pix2pix.l1_weight, pix2pix.learning_rate) == (100.0, 2e-4)
    assert pix2pix.betas == (0.5, 0.999)
    assert pyramid.generator == "resnet_9blocks"
    assert pyramid.pyramid_weights == (25.0, 25.0, 25.0, 25.0)


def test_only_the_variance_penalty_restricts_the_batch() -> None:
    minimum = {name: small(name).minimum_batch for name in TRAINED}
    assert minimum == {"pix2pix": 1, "pyramid": 1, "varpyramid": 2, "l1-unet": 1}
    assert [name for name in TRAINED if small(name).drop_incomplete_batch] == ["varpyramid"]


@pytest.mark.parametrize(
    ("generator", "multiple", "overlap"),
    [
        ("resnet_9blocks", 4, 84),
        ("resnet_6blocks", 4, 60),
        ("unet_128", 128, None),
        ("unet_256", 256, None),
    ],
)
def test_size_rule_and_tile_overlap_are_those_of_the_generator(
    generator: str, multiple: int, overlap: int | None
) -> None:
    model = build_model("pyramid", {**SMALL, "ndf": 2, "generator": generator})
    assert (model.size_multiple, model.tile_overlap) == (multiple, overlap)


def test_parameters_that_only_train_are_not_counted() -> None:
    model = build_model("pix2pix", {**SMALL, "ndf": 2})
    expected = sum(parameter.numel() for parameter in model.generator.parameters())
    assert model.parameter_count() == expected


@pytest.mark.parametrize("name", TRAINED)
def test_equal_seeds_give_equal_models_and_others_do_not(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        model = small(name)
        model.initialize(torch.Generator().manual_seed(seed))
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize("name", TRAINED)
def test_a_simple_translation_is_learnt(name: str) -> None:
    model = small(name, ngf=4, dropout=False, learning_rate=5e-3)
    source = random_batch(side=24).source
    batch = PairBatch(source, 0.5 - 0.5 * source.mean(1, keepdim=True).expand_as(source))
    optimizers = model.optimizers()
    first = train_step(model, optimizers, batch)["G_L1"]
    for _ in range(20):
        last = train_step(model, optimizers, batch)["G_L1"]
    assert last < 0.5 * first


def test_a_penalty_without_weight_is_the_pyramid() -> None:
    plain, penalized = small("pyramid"), small("varpyramid", variance_weight=0.0)
    for model in (plain, penalized):
        torch.manual_seed(5)
        train_step(model, model.optimizers(), random_batch())
    for expected, found in zip(plain.parameters(), penalized.parameters(), strict=True):
        assert torch.equal(expected, found)


def test_images_below_the_discriminators_smallest_are_named() -> None:
    model = small("pix2pix")
    with pytest.raises(UsageError, match="at least 24 px, not 32 x 16"):
        train_step(model, model.optimizers(), PairBatch(*torch.zeros(2, 2, 3, 16, 32)))


def test_least_squares_replaces_the_cross_entropy() -> None:
    model, batch = small("pix2pix", gan_loss="lsgan"), random_batch()
    with torch.no_grad():
        distance = (model.discriminator(batch.source, batch.target) - 1.0).square().mean()
    losses = train_step(model, model.optimizers(), batch)
    assert losses["D_real"].item() == pytest.approx(0.5 * distance.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ngff": 2}, "did you mean ngf"),
        ({"ngf": 0}, "ngf"),
        ({"generator": "unet_512"}, "generator"),
        ({"betas": (0.5, 1.0)}, "betas"),
        ({"variance_weight": -1}, "variance_weight"),
    ],
)
def test_bad_settings_are_one_line(settings: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        build_model("varpyramid", settings)
    assert "\n" not in str(caught.value)
