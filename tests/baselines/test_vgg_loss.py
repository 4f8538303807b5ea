"""The VGG loss is what the official code computes; without its weights nothing is trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from i2ibench.cli.app import run_app
from i2ibench.errors import MissingError
from i2ibench.metrics.networks.weights import entry
from i2ibench.models.interface import PairBatch, build_model
from i2ibench.training.step import train_step
from i2ibench_baselines import pix2pixhd
from i2ibench_baselines.vgg_loss import LAYER_WEIGHTS, VGGLoss

# VGG-19 (arXiv:1409.1556, table 1, E) down to relu5_1; "M" is a pool.
PLAN = [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512]
TAPS = (1, 6, 11, 20, 29)


def vgg() -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    before = 3
    for each in PLAN:
        if each == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(before, int(each), 3, padding=1), nn.ReLU()]
        before = int(each)
    return nn.Sequential(*layers).requires_grad_(False)


def test_it_is_the_weighted_distance_of_five_layers_with_its_gradient() -> None:
    network = vgg()
    prediction, target = torch.rand(2, 1, 3, 32, 48).unbind()
    expected_at = prediction.clone().requires_grad_()
    expected, a, b = torch.zeros(()), expected_at, target
    for place, layer in enumerate(network):
        a, b = layer(a), layer(b)
        if place in TAPS:
            expected = expected + LAYER_WEIGHTS[TAPS.index(place)] * (a - b).abs().mean()
    expected.backward()
    state = {f"features.{key}": value for key, value in network.state_dict().items()}
    found_at = prediction.clone().requires_grad_()
    found = VGGLoss(state, found_at)(found_at, target)
    found.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(found_at.grad, expected_at.grad, rtol=1e-4, atol=1e-8)
    assert LAYER_WEIGHTS == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)


def test_missing_weights_end_with_exit_code_4_before_anything_is_trained(drawn, tmp_path, capsys):
    root = drawn.draw("train", 2).draw("test", 1).root
    tiny = {"ngf": 2, "ndf": 2, "downsamplings": 1, "blocks": 1, "vgg_weight": 10}
    settings = [f"--set=model.{key}={value}" for key, value in tiny.items()]
    budget = ["--set=training.epochs=1", "--set=training.decay_epochs=0", "--set=images.crop=24"]
    command = ["run", "--model", "pix2pixhd", "--dataset", str(root), "--device", "cpu"]
    assert run_app([*command, *settings, *budget, "--output", str(tmp_path / "runs")]) == 4
    told = capsys.readouterr().err
    assert "weights fetch vgg19" in told and "model.vgg_weight=0" in told
    assert not [*(tmp_path / "runs").rglob("*.ckpt")]


def test_the_weight_adds_one_loss_and_nothing_to_the_checkpoint(monkeypatch) -> None:
    state = {f"features.{key}": value for key, value in vgg().state_dict().items()}
    monkeypatch.setattr(pix2pixhd, "load_vgg_loss", lambda like, setting: VGGLoss(state, like))
    settings = {"ngf": 2, "ndf": 2, "downsamplings": 1, "blocks": 1}
    with_it = build_model("pix2pixhd", {**settings, "vgg_weight": 10.0}).train()
    before = set(with_it.state_dict())
    draw = torch.Generator().manual_seed(0)
    batch = PairBatch(*(torch.rand(2, 1, 3, 32, 32, generator=draw) * 2 - 1).unbind())
    losses = train_step(with_it, with_it.optimizers(), batch)
    assert set(losses) == {"G_GAN", "G_GAN_Feat", "G_VGG", "D_real", "D_fake"}
    assert (
        set(with_it.state_dict()) == before == set(build_model("pix2pixhd", settings).state_dict())
    )


def test_the_weights_are_known_by_their_whole_hash() -> None:
    (file,) = entry("vgg19").files
    assert file.name == f"vgg19-{file.sha256[:8]}.pth"
    with pytest.raises(MissingError):
        pix2pixhd.load_vgg_loss(torch.zeros(1), "model.vgg_weight")
