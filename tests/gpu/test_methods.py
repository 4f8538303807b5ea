"""Every method computes on a GPU what it computes on a processor, and resumes there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from kills import checkpoints_differ

from i2ibench import registry
from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.data.pairs import ImageRef
from i2ibench.errors import Interrupted
from i2ibench.models.interface import PairBatch, TrainableModel, build_model, registered_model
from i2ibench.models.policy import InferencePolicy
from i2ibench.runtime import allow_tf32, seed_global_generators
from i2ibench.training.engine import lay_out, make_fabric, memory_layout
from i2ibench.training.loop import Training, train
from i2ibench.training.recipe import TrainingSettings, load_recipe
from i2ibench.training.step import train_step
from i2ibench.translation.inference import inference_mode
from i2ibench.translation.manifest import Manifest
from i2ibench.translation.translate import translate

TRAINABLE = [
    name for name in registry.models.names() if issubclass(registered_model(name), TrainableModel)
]
SIDE = 256


def small(name: str, **changes) -> TrainableModel:
    """A model by its recipe for two cores, without dropout, whose masks each device draws alone."""
    settings = dict(load_recipe(name, "synthetic", None, {}).model)
    if "dropout" in registered_model(name).Config.model_fields:
        settings["dropout"] = False
    seed_global_generators(0)
    model = build_model(name, {**settings, **changes})
    model.initialize(torch.Generator().manual_seed(0))
    return model


def batch(count: int, device: str) -> PairBatch:
    draw = torch.Generator().manual_seed(3)
    coarse = torch.rand(2, count, 3, 16, 16, generator=draw) * 2 - 1
    images = [torch.nn.functional.interpolate(each, size=(SIDE, SIDE)) for each in coarse]
    return PairBatch(images[0].to(device), images[1].to(device), tuple(map(str, range(count))))


def steps(name: str, where: str, precision: str, number: int = 3) -> list[dict[str, float]]:
    """Losses of the first steps of a training, all of one seed."""
    model = small(name)
    fabric = make_fabric(where, precision)
    lay_out(model.to(fabric.device), memory_layout(model, fabric.device))
    model.train()
    optimizers = model.optimizers()
    losses = []
    for step in range(number):
        seed_global_generators(step)
        made = train_step(model, optimizers, batch(max(2, model.minimum_batch), where), fabric)
        losses.append({key: float(value) for key, value in made.items()})
    return losses


@pytest.mark.parametrize("name", TRAINABLE)
def test_a_prediction_equals_that_of_the_processor(name, device):
    allow_tf32("fp32")
    made = []
    for where in ("cpu", device):
        model = small(name).to(where)
        source = batch(2, where).source
        seed_global_generators(0)
        with inference_mode(model, InferencePolicy()):
            made.append(model.translate(source).float().cpu())
    if registered_model(name).stochastic:
        # Each kind of device draws its own normal numbers: only their moments can be compared.
        assert made[0].mean() == pytest.approx(float(made[1].mean()), abs=0.2)
        return
    assert float((made[0] - made[1]).abs().max()) < 1e-3


@pytest.mark.parametrize("name", TRAINABLE)
def test_losses_equal_those_of_the_processor(name, device):
    if registered_model(name).stochastic:
        pytest.skip("its training draws on the device, where other numbers come")
    theirs, ours = (steps(name, where, "fp32") for where in ("cpu", device))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-3, abs=1e-5)
    assert ours[-1] == pytest.approx(theirs[-1], rel=0.05, abs=1e-2)


@pytest.mark.parametrize("name", TRAINABLE)
def test_bf16_trains_to_losses_near_those_of_fp32(name, device):
    exact, fast = (steps(name, device, precision) for precision in ("fp32", "bf16"))
    assert all(np.isfinite(list(losses.values())).all() for losses in fast)
    assert fast[0] == pytest.approx(exact[0], rel=0.1, abs=0.05)


def start(root: Path, folder: Path, name: str, device: str, progress=None):
    model = small(name)
    loader = TrainingLoader(
        open_dataset(str(root), "train"),
        ImageSettings(crop=max(64, model.minimum_side, model.size_multiple)),
        batch_size=max(2, model.minimum_batch),
        seed=5,
        drop_incomplete=model.drop_incomplete_batch,
        pin_memory=device.startswith("cuda"),
    )
    settings = TrainingSettings(epochs=2, decay_epochs=1, batch_size=max(2, model.minimum_batch))
    training = Training(name, "an id", settings, 5, folder)
    return train(model, loader, training, make_fabric(device, "fp32"), progress=progress)


@pytest.mark.parametrize("name", TRAINABLE)
def test_an_interrupted_training_resumes_to_the_same_bits(
    name, device, drawn, tmp_path, monkeypatch
):
    """Convolutions of a GPU may add in any order unless they are asked not to."""
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    drawn.draw("train", 8, size=SIDE)
    whole = start(drawn.root, tmp_path / "whole", name, device)
    if checkpoints_differ(whole, start(drawn.root, tmp_path / "again", name, device)):
        pytest.skip(f"two trainings of {name} differ on this device: its kernels are not fixed")

    def stop(step: int, total: int, losses: object) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        start(drawn.root, tmp_path / "cut", name, device, stop)
    assert checkpoints_differ(whole, start(drawn.root, tmp_path / "cut", name, device)) == []


def test_batches_on_a_gpu_give_the_predictions_of_single_images(device, drawn, tmp_path):
    drawn.draw("test", 19, size=64)
    pairs = open_dataset(str(drawn.root), split="test")
    manifest = Manifest(
        model="pyramid",
        checkpoint_sha256=None,
        protocol="i2i-1",
        preparation={},
        inference=InferencePolicy(),
        precision="fp32",
    )
    made = []
    for size in (1, None):
        model = small("pyramid")
        folder = tmp_path / str(size)
        translate(model, pairs, folder, manifest, device=device, batch=size)
        files = folder.glob("*.png")
        made.append({path.name: read_image(ImageRef(path)).astype(int) for path in files})
    alone, together = made
    assert alone.keys() == together.keys() and len(alone) == 19
    for name, image in alone.items():
        assert np.abs(image - together[name]).max() <= 1
