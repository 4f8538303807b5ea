"""Methods with a state of their own are killed and end in equal bits: one of each family."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kills import checkpoints_differ

from i2ibench.data.dataset import open_dataset
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.models.interface import build_model
from i2ibench.runtime import seed_global_generators
from i2ibench.training.checkpoint import load_checkpoint
from i2ibench.training.engine import make_fabric
from i2ibench.training.loop import Training, train
from i2ibench.training.recipe import TrainingSettings

SMALL = {"generator": "resnet_6blocks", "ngf": 2, "ndf": 2}
METHODS = {
    # Full before the kill, so that stored images are given back after it.
    "cyclegan": {**SMALL, "pool_size": 2},
    "asp": {**SMALL, "discriminator_layers": 3, "nce_positions": 16, "nce_channels": 4},
    "pix2pixhd": {"ngf": 2, "ndf": 2, "downsamplings": 1, "blocks": 1},
    # The average begins before the kill, and is taken between two updates.
    "bbdm": {
        "width": 4, "multipliers": (1, 2), "blocks": 1, "average_every": 2, "average_start": 2
    },
}  # fmt: skip
# Of each family what its checkpoint must hold beside weights.
KEPT = {"cyclegan": "pool.1", "asp": "generator.model.1.weight_u"}


def start(model: str, root: Path, folder: Path, progress=None):
    images = ImageSettings(crop=24, flip=True)
    loader = TrainingLoader(open_dataset(str(root), "train"), images, batch_size=1, seed=5)
    settings = TrainingSettings(epochs=1, decay_epochs=1, batch_size=1)
    training = Training(model, "an id", settings, 5, folder)
    seed_global_generators(1)
    built = build_model(model, METHODS[model])
    return train(built, loader, training, make_fabric("cpu", "fp32"), progress=progress)


@pytest.mark.parametrize("model", METHODS)
def test_kill_9_and_the_same_command_end_in_equal_bits(model, drawn, tmp_path) -> None:
    if model == "bbdm":
        pytest.importorskip("diffusers", reason="the extra diffusion is not installed")
    drawn.draw("train", 4)
    whole = start(model, drawn.root, tmp_path / "whole")
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
from pathlib import Path
import i2ibench.training.loop as loop
loop._CHECKPOINT_SECONDS = -1.0
import test_baselines_resume
def kill(step, total, losses):
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
folder = Path({str(tmp_path / "cut")!r})
test_baselines_resume.start({model!r}, Path({str(drawn.root)!r}), folder, progress=kill)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    killed = load_checkpoint(tmp_path / "cut/checkpoints/last.ckpt")
    assert killed.step == 4 and KEPT.get(model, next(iter(killed.weights))) in killed.weights
    resumed = start(model, drawn.root, tmp_path / "cut")
    assert whole.step == resumed.step == 8
    assert checkpoints_differ(whole, resumed) == []
