"""Whole training steps of the official code, reproduced through the public loop."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from golden_files import golden
from torch import nn

from i2ibench.models.interface import PairBatch, TrainableModel, build_model
from i2ibench.training.step import train_step

RUNS = {
    "train_pix2pix_unet256_ngf2": ("pix2pix", {"ngf": 2, "ndf": 2, "l1_weight": 25.0}),
    "train_pyramid_resnet9_ngf4": ("pyramid", {"ngf": 4, "ndf": 4}),
}


def official_start(run: str, **settings: object) -> TrainableModel:
    name, own = RUNS[run]
    model = build_model(name, {**own, "dropout": False, **settings})
    for network, letter in ((model.generator, "G"), (model.discriminator, "D")):
        stored = golden(f"{run}_{letter}_initial.pth")
        network.load_state_dict(torch.load(stored, weights_only=True))
    return model.train()


def as_printed_officially(losses: dict[str, torch.Tensor]) -> dict[str, float]:
    """The official log prints the discriminator's losses before their factor 0.5."""
    return {
        name: value.item() * (2.0 if name.startswith("D_") else 1.0)
        for name, value in losses.items()
    }


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("fused", [False, True], ids=["plain-adam", "fused-adam"])
@pytest.mark.parametrize("layout", ["contiguous_format", "channels_last"])
def test_successive_steps_have_the_official_losses(run: str, fused: bool, layout: str) -> None:
    memory = getattr(torch, layout)
    model = official_start(run, fused_adam=fused).to(memory_format=memory)
    stored = np.load(golden(f"{run}_batch.npz"))
    batch = PairBatch(
        *(torch.from_numpy(stored[side]).to(memory_format=memory) for side in ("source", "target"))
    )
    predictions: list[torch.Tensor] = []
    model.generator.register_forward_hook(lambda *call: predictions.append(call[2].detach()))
    optimizers = model.optimizers()
    steps = json.loads(golden(f"{run}.json").read_text())["steps"]

    for number, official in enumerate(steps):
        losses = as_printed_officially(train_step(model, optimizers, batch))
        expected = {key: value for key, value in official.items() if not key.startswith("fake_")}
        assert losses == pytest.approx(expected, rel=1e-5 if number == 0 else 1e-4)

    last = predictions[-1].numpy()[..., ::2, ::2]
    expected_last = np.load(golden(f"{run}_fake_last.npz"))["fake"]
    np.testing.assert_allclose(last, expected_last, rtol=0, atol=1e-4)
    assert len(predictions) == len(steps)


def textbook_step(
    model: TrainableModel, optimizers: dict[str, torch.optim.Optimizer], batch: PairBatch
) -> None:
    """The official order, spelled out: D on fake and real, D steps, D again, G steps."""
    cross_entropy = nn.BCEWithLogitsLoss()
    generator, discriminator = model.generator, model.discriminator

    def judge(candidate: torch.Tensor, real: bool) -> torch.Tensor:
        logits = discriminator(batch.source, candidate)
        return cross_entropy(logits, torch.full_like(logits, float(real)))

    fake = generator(batch.source)
    optimizers["discriminator"].zero_grad()
    loss = 0.5 * (judge(fake.detach(), False) + judge(batch.target, True))
    loss.backward()
    optimizers["discriminator"].step()
    optimizers["generator"].zero_grad()
    loss = judge(fake, True) + 100.0 * nn.functional.l1_loss(fake, batch.target)
    loss.backward()
    optimizers["generator"].step()


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_phases_equal_a_textbook_step_in_every_weight_and_statistic(norm: str) -> None:
    settings = {"generator": "resnet_6blocks", "ngf": 2, "ndf": 2, "norm": norm, "dropout": False}
    ours, textbook = build_model("pix2pix", settings), build_model("pix2pix", settings)
    generator = torch.Generator().manual_seed(3)
    batch = PairBatch(*(torch.rand(2, 2, 3, 32, 32, generator=generator) * 2 - 1).unbind())
    for model in (ours, textbook):
        model.initialize(torch.Generator().manual_seed(4))
        model.train()
    our_optimizers, other_optimizers = ours.optimizers(), textbook.optimizers()
    for _ in range(3):
        train_step(ours, our_optimizers, batch)
        textbook_step(textbook, other_optimizers, batch)
    expected = textbook.state_dict()
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=1e-5, atol=1e-6, msg=key)
