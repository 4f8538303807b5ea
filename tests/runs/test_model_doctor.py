"""`doctor --model` and `check_model` try what a run would reach after hours, or never show."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from torch import nn

from i2ibench import ModelConfig, Phase, TrainableModel, TranslationModel, registry
from i2ibench.cli.app import run_app
from i2ibench.testing import check_model

SMALL = {"generator": "resnet_6blocks", "ngf": 2}
CONTRASTIVE = {"ndf": 2, "discriminator_layers": 3, "nce_positions": 16, "nce_channels": 4}


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))


class Net(TrainableModel):
    """A convolution."""

    Config = ModelConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = nn.Conv2d(3, 3, 3, padding=1)
        self.steps = 0

    def translate(self, source):
        return torch.tanh(self.layer(source))

    def optimizers(self):
        return {"net": torch.optim.Adam(self.parameters(), lr=1e-3)}

    def training_phases(self, batch):
        self.steps += 1
        yield Phase("net", lambda: {"loss": self.weight() * self.distance(batch)})

    def weight(self):
        return 1.0

    def distance(self, batch):
        return (self.translate(batch.source) - batch.target).square().mean()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("pix2pix", {**SMALL, "ndf": 2}),
        ("pyramid", {**SMALL, "ndf": 2}),
        ("varpyramid", {**SMALL, "ndf": 2}),
        ("l1-unet", SMALL),
        ("pix2pixhd", {"ngf": 2, "ndf": 2, "downsamplings": 2, "blocks": 1}),
        (
            "bbdm",
            {
                "width": 4,
                "multipliers": (1, 2),
                "blocks": 1,
                "sampling_steps": 4,
                "average_every": 1,
                "average_start": 2,
                "learning_rate": 1e-3,
            },
        ),
        ("nafnet", {"width": 4, "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}),
        ("cyclegan", {**SMALL, "ndf": 2, "pool_size": 2}),
        ("cut", {**SMALL, **CONTRASTIVE}),
        ("fastcut", {**SMALL, **CONTRASTIVE}),
        ("asp", {**SMALL, **CONTRASTIVE}),
        ("asp-variance", {**SMALL, **CONTRASTIVE}),
        ("reinhard", {}),
        ("macenko", {}),
        ("mean-colour", {}),
        ("blurred-target", {}),
    ],
)
def test_shipped_methods_keep_the_contract(name, settings):
    before = states()
    check_model(name, settings)
    assert states() == before


def states():
    numpy = np.random.get_state()[1]  # noqa: NPY002
    return random.getstate(), numpy.tolist(), torch.get_rng_state().tolist()


class Growing(Net):
    def weight(self):
        return 1.0 * self.steps**2


class Standing(Net):
    def optimizers(self):
        return {"net": torch.optim.Adam(self.parameters(), lr=1e-7)}


class EvenSides(Net):
    def translate(self, source):
        halved = nn.functional.interpolate(source, scale_factor=0.5)
        return torch.tanh(self.layer(nn.functional.interpolate(halved, scale_factor=2.0)))


class AcrossTheBatch(Net):
    def translate(self, source):
        return torch.tanh(self.layer(source - source.mean((0, 2, 3), keepdim=True)))


class Dice(TranslationModel):
    def translate(self, source):
        return source * torch.rand(())


class Plain(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 1), nn.ReLU(), nn.Conv2d(width, 3, 1))

    def forward(self, source):
        return self.layers(source)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Net, None),
        (Plain, None),
        (Growing, ["resume", "Growing.training_phases", "layer."]),
        (EvenSides, ["EvenSides.translate (test_model_doctor.py", "size_multiple"]),
        (Dice, ["stochastic = True", "Dice.translate"]),
    ],
)
def test_check_model_raises_a_line_for_each_fault(kind, words):
    if words is None:
        check_model(kind)
        return
    with pytest.raises(AssertionError) as error:
        check_model(kind)
    assert all(word in str(error.value) for word in words), error.value


@pytest.mark.parametrize(
    ("kind", "check", "words"),
    [
        (Standing, "learning", "lower no loss"),
        (AcrossTheBatch, "batch sizes", "that others stand beside"),
    ],
)
def test_what_may_be_meant_is_a_note_and_no_fault(capsys, kind, check, words):
    registry.models.register("noted", kind)
    assert run_app(["doctor", "--model", "noted", "--json", "--device", "cpu"]) == 0
    [note] = [each for each in json.loads(capsys.readouterr().out) if each["state"] == "note"]
    assert (note["subject"], words in note["detail"]) == (check, True)


def test_a_fault_ends_the_command_with_one_line_after_the_table(capsys):
    registry.models.register("even", EvenSides)
    assert run_app(["doctor", "--model", "even", "--device", "cpu"]) == 1
    out, err = capsys.readouterr()
    assert "fault" in out and err.count("error:") == 1 and "Traceback" not in err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--model", "pix2pix", "--dataset", "synthetic"], "leave --dataset out"),
        (["--model", "pix2pix", "--set", "training.epochs=1"], "model.KEY"),
        (["--model", "pix2pix", "--set", "model.ngff=1"], "did you mean ngf"),
        (["--model", "pix2pxi"], "did you mean pix2pix"),
        (["--set", "model.ngf=1"], "name it with --model"),
    ],
)
def test_a_line_that_asks_for_nothing_that_is_there_is_wrong_usage(capsys, line, words):
    assert run_app(["doctor", *line]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
