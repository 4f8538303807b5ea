"""Whole steps of the official code of CycleGAN, CUT, FastCUT and ASP, through the public loop."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from golden_files import comparable, described, skip_later_steps, tensors
from recorded_draws import RecordedDraws

from i2ibench.models.interface import PairBatch, TrainableModel, TrainingProgress, build_model
from i2ibench.training.step import train_step

# By golden file: the model, and its networks by their official letters.
RUNS: dict[str, tuple[str, dict[str, str]]] = {
    "cyclegan_resnet9_ngf4": (
        "cyclegan",
        {
            "G_A": "generator",
            "G_B": "inverse_generator",
            "D_A": "discriminator",
            "D_B": "inverse_discriminator",
        },
    ),
    "cut_resnet9_ngf8": ("cut", {"G": "generator", "D": "discriminator", "F": "heads"}),
    "fastcut_resnet9_ngf8": ("fastcut", {"G": "generator", "D": "discriminator", "F": "heads"}),
    "asp_resnet6_ngf8_spectral": (
        "asp",
        {"G": "generator", "D": "discriminator", "F": "heads"},
    ),
}


def settings_of(options: dict[str, Any], name: str) -> dict[str, Any]:
    """Return our settings of official options."""
    settings = {
        "generator": options["netG"],
        "ngf": options["ngf"],
        "ndf": options["ndf"],
        "norm": options["normG"],
        "dropout": not options["no_dropout"],
        "antialias": not options["no_antialias"],
        "spectral": options["weight_norm"] == "spectral",
        "initialization": options["init_type"],
        "gan_loss": options["gan_mode"],
        "learning_rate": options["lr"],
        "betas": (options["beta1"], options["beta2"]),
    }
    if name == "cyclegan":
        assert options["lambda_A"] == options["lambda_B"]
        return {
            **settings,
            "cycle_weight": options["lambda_A"],
            "identity_weight": options["lambda_identity"],
            "pool_size": options["pool_size"],
        }
    settings |= {
        "discriminator_layers": options["n_layers_D"],
        "nce_weight": options["lambda_NCE"],
        "nce_layers": [int(each) for each in options["nce_layers"].split(",")],
        "nce_positions": options["num_patches"],
        "nce_channels": options["netF_nc"],
        "nce_temperature": options["nce_T"],
    }
    if name == "asp":
        assert options["asp_loss_mode"] == "lambda_linear"
        return {
            **settings,
            "asp_weight": options["lambda_asp"],
            "pyramid_weight": options["lambda_gp"],
            "pyramid_weights": json.loads(options["gp_weights"])
            if isinstance(options["gp_weights"], str)
            else options["gp_weights"],
        }
    return {
        **settings,
        "identity": options["nce_idt"],
        "flip_equivariance": options["flip_equivariance"],
    }


def as_logged(losses: dict[str, torch.Tensor], name: str) -> dict[str, float]:
    """Return the values of the official log, which shows some before a factor and sums others."""
    ours = {key: value.item() for key, value in losses.items()}
    if name == "cyclegan":
        return ours
    logged = {
        "G_GAN": ours["G_GAN"],
        "D_real": 2 * ours["D_real"],
        "D_fake": 2 * ours["D_fake"],
        "G": sum(value for key, value in ours.items() if key.startswith("G_")),
        "NCE": ours["G_NCE"],
    }
    if name == "cut":
        logged |= {"NCE": 2 * ours["G_NCE"], "NCE_Y": 2 * ours["G_NCE_identity"]}
    if name == "asp":  # it adds ASP to NCE in place
        logged |= {"NCE": ours["G_NCE"] + ours["G_ASP"]}
        logged |= {"ASP": ours["G_ASP"], "GP": ours["G_pyramid"]}
    return logged


def official_start(run: str, record: dict[str, Any], **more: Any) -> TrainableModel:
    name, networks = RUNS[run]
    model = build_model(name, {**settings_of(record["options"], name), **more})
    assert isinstance(model, TrainableModel)
    for letter, attribute in networks.items():
        network = getattr(model, attribute)
        network.load_state_dict(tensors(f"{run}_{letter}_initial.pth"))
        shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
        assert shapes == record["keys"][letter]
    model.draws = RecordedDraws(record)
    return model.train()


def official_batch(run: str, record: dict[str, Any], memory: torch.memory_format) -> PairBatch:
    images, options = tensors(f"{run}_batch.npz"), record["options"]
    epoch = (record["epoch"] or 1) - 1
    return PairBatch(
        images["A"].contiguous(memory_format=memory),
        images["B"].contiguous(memory_format=memory),
        progress=TrainingProgress(epoch, options["n_epochs"], options["n_epochs_decay"]),
    )


@pytest.mark.parametrize("run", RUNS)
def test_steps_equal_the_official_ones_in_losses_and_in_the_generator_they_leave(
    run: str, one_thread: None
) -> None:
    record = described(f"{run}.json")
    exact = {} if run.startswith("cyclegan") else {"official_arithmetic": True}
    model = official_start(run, record, fused_adam=False, **exact)
    optimizers = model.optimizers()
    batch = official_batch(run, record, torch.contiguous_format)

    steps = comparable(record["losses"])
    for number, official in enumerate(steps):
        losses = as_logged(train_step(model, optimizers, batch), RUNS[run][0])
        # Where the official value is next to 0, so is ours.
        expected = pytest.approx(official, rel=1e-5 if number == 0 else 1e-3, abs=1e-7)
        assert losses == expected, f"step {number + 1}"
    skip_later_steps(steps, record["losses"])
    assert model.draws.used_up()

    after = tensors(f"{run}_after.npz")
    with torch.no_grad():
        made = model.eval().translate(after["x"])
    torch.testing.assert_close(made, after["y_eval"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("layout", ["contiguous_format", "channels_last"])
def test_the_first_losses_are_official_as_trainings_compute_them(run: str, layout: str) -> None:
    record, memory = described(f"{run}.json"), getattr(torch, layout)
    model = official_start(run, record).to(memory_format=memory)
    losses = train_step(model, model.optimizers(), official_batch(run, record, memory))
    found, official = as_logged(losses, RUNS[run][0]), dict(record["losses"][0])
    if run.startswith("asp") and layout == "channels_last":
        # Judged by a discriminator that has stepped: Adam makes whole steps of gradients that are
        # rounding alone, as of biases before a norm. Other images differ by up to 2e-3 here.
        for name in ("G_GAN", "G"):
            assert found.pop(name) == pytest.approx(official.pop(name), rel=1e-2)
    assert found == pytest.approx(official, rel=1e-5, abs=1e-7)
