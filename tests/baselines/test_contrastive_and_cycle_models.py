"""CycleGAN, CUT, FastCUT, ASP: their settings, losses, phases, and what they do with an epoch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from i2ibench.errors import UsageError
from i2ibench.models.interface import (
    PairBatch,
    TrainableModel,
    TrainingProgress,
    build_model,
)
from i2ibench.training.step import train_step
from i2ibench_baselines.generators import build_generator, initialize_weights

FEW = {"nce_positions": 16, "nce_channels": 4, "discriminator_layers": 3}
SMALL = {
    "cyclegan": {"pool_size": 2},
    "cut": FEW,
    "fastcut": FEW,
    "asp": FEW,
    "asp-variance": FEW,
}


def small(name: str, **settings: object) -> TrainableModel:
    torch.manual_seed(0)
    given = {"generator": "resnet_6blocks", "ngf": 2, "ndf": 2, **SMALL[name], **settings}
    model = build_model(name, given)
    assert isinstance(model, TrainableModel)
    model.initialize(torch.Generator().manual_seed(0))
    return model.train()


def batch(pairs: int = 2, side: int = 32, progress: TrainingProgress | None = None) -> PairBatch:
    drawn = torch.rand(2, pairs, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return PairBatch(*drawn.unbind(), progress=progress or TrainingProgress())


def step(model: TrainableModel, given: PairBatch) -> dict[str, float]:
    torch.manual_seed(5)
    losses = train_step(model, model.optimizers(), given)
    return {name: float(value) for name, value in losses.items()}


def test_the_methods_differ_in_their_losses() -> None:
    names = {name: set(step(small(name), batch())) for name in SMALL}
    contrastive = {"D_fake", "D_real", "G_GAN", "G_NCE"}
    asp = contrastive | {"G_ASP", "G_pyramid"}
    assert names == {
        "cyclegan": {"D_A", "D_B", "G_A", "G_B", "cycle_A", "cycle_B", "idt_A", "idt_B"},
        "cut": contrastive | {"G_NCE_identity"},
        "fastcut": contrastive,
        "asp": asp,
        "asp-variance": asp | {"G_variance"},
    }
    assert "idt_A" not in step(small("cyclegan", identity_weight=0.0), batch())


def test_defaults_are_the_papers() -> None:
    cyclegan, cut, fastcut, asp = (
        build_model(name).config for name in ("cyclegan", "cut", "fastcut", "asp")
    )
    for config in (cyclegan, cut, fastcut, asp):
        assert (config.norm, config.dropout, config.gan_loss) == ("instance", False, "lsgan")
        assert (config.learning_rate, config.betas) == (2e-4, (0.5, 0.999))
        assert config.ngf == 64
    assert (cyclegan.cycle_weight, cyclegan.identity_weight, cyclegan.pool_size) == (10, 0.5, 50)
    assert (cyclegan.generator, cyclegan.antialias, cyclegan.initialization) == (
        "resnet_9blocks", False, "normal",
    )  # fmt: skip
    for config in (cut, fastcut, asp):
        assert (config.nce_layers, config.nce_positions) == ((0, 4, 8, 12, 16), 256)
        assert (config.nce_temperature, config.nce_channels) == (0.07, 256)
        assert (config.antialias, config.initialization) == (True, "xavier")
    assert (cut.nce_weight, cut.identity, cut.flip_equivariance) == (1, True, False)
    assert (fastcut.nce_weight, fastcut.identity, fastcut.flip_equivariance) == (10, False, True)
    assert (asp.generator, asp.spectral, asp.ndf) == ("resnet_6blocks", True, 32)
    assert (asp.discriminator_layers, asp.nce_weight, asp.asp_weight) == (5, 10, 10)
    assert (asp.pyramid_weight, sum(asp.pyramid_weights)) == (10, 1.484375)


def test_cyclegan_steps_its_generators_first_and_contrastive_methods_last() -> None:
    order = {
        name: [phase.optimizer for phase in small(name).training_phases(batch())] for name in SMALL
    }
    contrastive = ["discriminator", ("generator", "heads")]
    assert order == {
        "cyclegan": ["generators", "discriminators"],
        **dict.fromkeys(("cut", "fastcut", "asp", "asp-variance"), contrastive),
    }


@pytest.mark.parametrize("name", SMALL)
def test_every_network_is_trained_in_each_step(name: str) -> None:
    model = small(name)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    step(model, batch())
    assert [k for k, value in model.named_parameters() if torch.equal(value, before[k])] == []


def test_asp_weighs_by_similarity_as_the_learning_rate_falls() -> None:
    def supervised(epoch: int) -> float:
        return step(small("asp"), batch(progress=TrainingProgress(epoch, 30, 10)))["G_ASP"]

    assert supervised(0) == supervised(29) == supervised(30)
    assert supervised(35) != pytest.approx(supervised(30), rel=1e-4)
    assert [TrainingProgress(e, 30, 10).decayed for e in (29, 30, 35, 39)] == [0, 0, 0.5, 0.9]


def test_the_keys_of_the_forward_pass_are_those_of_a_pass_of_their_own() -> None:
    # The order of additions differs, so only the last digits may.
    fast, exact = (step(small("cut", official_arithmetic=each), batch()) for each in (False, True))
    assert fast == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("settings", [{"norm": "batch"}, {"dropout": True}, {"spectral": True}])
def test_keys_have_a_pass_of_their_own_where_passes_differ(settings: dict[str, object]) -> None:
    passes = []
    for given in ({}, settings):
        model = small("cut", **given)
        model.generator.model[0].register_forward_hook(lambda *_: passes[-1].append(1))
        passes.append([])
        step(model, batch())
    # Of the two images together and of the two predictions; then of each image as a key.
    assert [len(each) for each in passes] == [3, 5]


class Unchanged(nn.Module):
    """A generator that returns the image, which is also its only layer of features."""

    def encode(self, image: torch.Tensor, layers: object) -> list[torch.Tensor]:
        return [image]

    def forward_and_encode(
        self, source: torch.Tensor, layers: object
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return source, [source]


class Recorded:
    def __init__(self, flips: bool) -> None:
        self.flips = flips

    def flipped(self) -> bool:
        return self.flips

    def positions(self, count: int, most: int, device: torch.device) -> torch.Tensor:
        return torch.arange(count)[:most]


def test_mirrored_steps_compare_what_lies_at_the_same_place() -> None:
    losses, judged = [], []
    for flips in (False, True):
        model = small("fastcut", nce_layers=[0], nce_positions=64)
        model.generator, model.draws = Unchanged(), Recorded(flips)
        model.discriminator.register_forward_hook(lambda _, given, made: judged.append(given[0]))
        phases = model.training_phases(batch())
        next(phases).losses()
        losses.append(float(next(phases).losses()["G_NCE"].detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    # The discriminator sees the mirrored prediction: of the first phase, fake before real.
    assert torch.equal(judged[0].flip(3), judged[3])


def test_spectral_norm_bounds_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    network = build_generator("resnet_6blocks", 4, "instance", False, antialias=True, spectral=True)
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        for _ in range(30):
            network(image)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            largest = torch.linalg.matrix_norm(module.weight.flatten(1), 2)
            assert float(largest) == pytest.approx(1, abs=0.1)


def test_xavier_weights_are_the_bits_of_the_official_order() -> None:
    def official_init(module: nn.Module) -> None:
        if hasattr(module, "weight") and ("Conv" in type(module).__name__):
            nn.init.xavier_normal_(module.weight.data, gain=0.02)
            nn.init.constant_(module.bias.data, 0.0)

    settings = (3, "instance", False, 3, 3, True, True)
    official, ours = (build_generator("resnet_6blocks", *settings) for _ in range(2))
    torch.manual_seed(7)
    official.apply(official_init)
    initialize_weights(ours, torch.Generator().manual_seed(7), "xavier")
    for key, value in official.named_parameters():
        assert torch.equal(value, ours.get_parameter(key)), key


def test_what_cannot_be_built_is_refused_with_its_setting() -> None:
    with pytest.raises(UsageError, match="spectral"):
        build_model("pix2pix", {"spectral": True})
    with pytest.raises(UsageError, match="unet_256"):
        build_model("cut", {"generator": "unet_256"})
    with pytest.raises(UsageError, match="ascending"):
        build_model("asp", {"nce_layers": [4, 0]})
    with pytest.raises(UsageError, match="no layer 99"):
        build_model("cut", {"ngf": 2, "nce_layers": [0, 99]})
    with pytest.raises(UsageError, match="at least 96 px, not 64 x 64"):
        step(small("asp", discriminator_layers=5), batch(side=64))
    assert small("asp", discriminator_layers=5).minimum_side == 96
