"""Training survives every interruption without changing a bit of its outcome."""

from __future__ import annotations

import copy
import csv
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kills import checkpoints_differ

from i2ibench import runtime
from i2ibench.data.dataset import open_dataset
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.errors import DataError, Interrupted, UsageError
from i2ibench.models.interface import build_model
from i2ibench.training import engine
from i2ibench.training.checkpoint import load_checkpoint
from i2ibench.training.engine import make_fabric
from i2ibench.training.loop import Training, train
from i2ibench.training.loss_readout import TrainingDiverged
from i2ibench.training.recipe import TrainingSettings

SMALL = {"generator": "resnet_6blocks", "ngf": 2, "ndf": 2}


class Crash(BaseException):
    """Stands for a power cut: nothing may catch it and tidy up."""


def start(root: Path, folder: Path, *, progress=None, model="varpyramid", epochs=3, **config):
    built = build_model(model, {**SMALL, **config})
    loader = TrainingLoader(
        open_dataset(str(root), "train"),
        ImageSettings(crop=24),
        batch_size=2,
        seed=5,
        drop_incomplete=built.drop_incomplete_batch,
    )
    settings = TrainingSettings(epochs=epochs - 1, decay_epochs=1, batch_size=2)
    training = Training(model, "an id", settings, 5, folder)
    return train(built, loader, training, make_fabric("cpu", "fp32"), progress=progress)


def steps_of(folder: Path) -> list[int]:
    with (folder / "training.csv").open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("stop_after", [1, 3, 4, 7])
def test_interrupted_training_resumes_to_the_same_bits(drawn, tmp_path, stop_after):
    drawn.draw("train", 7)
    whole = start(drawn.root, tmp_path / "whole")

    def press_ctrl_c(step, total, losses):
        if step == stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="continues"):
        start(drawn.root, tmp_path / "cut", progress=press_ctrl_c)
    assert load_checkpoint(tmp_path / "cut/checkpoints/last.ckpt").step in (
        stop_after,
        stop_after + 1,
    )
    resumed = start(drawn.root, tmp_path / "cut")
    assert checkpoints_differ(whole, resumed) == []
    assert steps_of(tmp_path / "cut") == list(range(1, 10))


def test_rows_without_a_checkpoint_are_repeated_once(drawn, tmp_path, monkeypatch):
    drawn.draw("train", 7)
    whole = start(drawn.root, tmp_path / "whole")
    # A checkpoint after every step, so that the crash lies between a row and its checkpoint.
    monkeypatch.setattr("i2ibench.training.loop._CHECKPOINT_SECONDS", -1.0)

    def crash(step, total, losses):
        if step == 5:
            raise Crash

    with pytest.raises(Crash):
        start(drawn.root, tmp_path / "cut", progress=crash)
    assert load_checkpoint(tmp_path / "cut/checkpoints/last.ckpt").step == 4
    with (tmp_path / "cut/training.csv").open("a") as file:
        file.write("6,2,0.00")  # a line torn by the crash
    assert checkpoints_differ(whole, start(drawn.root, tmp_path / "cut")) == []
    assert steps_of(tmp_path / "cut") == list(range(1, 10))


def test_kill_9_at_any_moment_loses_at_most_the_last_checkpoint(drawn, tmp_path):
    drawn.draw("train", 7)
    whole = start(drawn.root, tmp_path / "whole")
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
from pathlib import Path
import i2ibench.training.loop as loop
loop._CHECKPOINT_SECONDS = -1.0
import test_loop
last = int(sys.argv[1])
def kill(step, total, losses):
    if step == last:
        os.kill(os.getpid(), signal.SIGKILL)
test_loop.start(Path({str(drawn.root)!r}), Path({str(tmp_path / "cut")!r}), progress=kill)
"""
    for last in (2, 6):
        done = subprocess.run([sys.executable, "-c", code, str(last)], check=False)
        assert done.returncode == -signal.SIGKILL
    assert checkpoints_differ(whole, start(drawn.root, tmp_path / "cut")) == []
    assert steps_of(tmp_path / "cut") == list(range(1, 10))


def test_a_full_disk_leaves_the_former_checkpoint(drawn, tmp_path, monkeypatch):
    drawn.draw("train", 7)
    monkeypatch.setattr("i2ibench.training.loop._CHECKPOINT_SECONDS", -1.0)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_disk(step, total, losses):
        if step == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, unlimited[1]))

    try:
        with pytest.raises(OSError, match="File too large"):
            start(drawn.root, tmp_path / "run", progress=fill_disk)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert load_checkpoint(tmp_path / "run/checkpoints/last.ckpt").step == 2
    left = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert left == ["last.ckpt", "last.ckpt.json"]


def test_a_diverged_training_names_step_and_losses_and_keeps_its_checkpoint(
    drawn, tmp_path, monkeypatch
):
    drawn.draw("train", 7)
    monkeypatch.setattr("i2ibench.training.loop._CHECKPOINT_SECONDS", -1.0)
    with pytest.raises(TrainingDiverged, match=r"not finite.*is kept"):
        start(drawn.root, tmp_path / "run", learning_rate=1e30)
    path = tmp_path / "run/checkpoints/last.ckpt"
    if path.exists():
        weights = load_checkpoint(path).weights.values()
        assert all(torch.isfinite(each).all() for each in weights if each.is_floating_point())


def test_a_checkpoint_of_another_training_is_refused(drawn, tmp_path):
    drawn.draw("train", 7)
    start(drawn.root, tmp_path / "run")
    with pytest.raises(DataError, match="another training"):
        start(drawn.root, tmp_path / "run", epochs=4)


def test_one_seed_fixes_everything(drawn, tmp_path):
    drawn.draw("train", 6)
    torch.manual_seed(1)
    first = start(drawn.root, tmp_path / "a")
    torch.manual_seed(2)
    assert checkpoints_differ(first, start(drawn.root, tmp_path / "b")) == []


def test_the_layout_follows_the_width_where_the_processor_has_no_bf16(monkeypatch):
    narrow = build_model("pyramid", {"ngf": 16, "ndf": 16})
    wide = build_model("pyramid", {"ngf": 64, "ndf": 64})
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(engine, "cpu_has_bf16", lambda: False)
    assert engine.memory_layout(narrow, cpu) == torch.channels_last
    assert engine.memory_layout(wide, cpu) == torch.contiguous_format
    assert engine.memory_layout(wide, gpu) == torch.channels_last
    monkeypatch.setattr(engine, "cpu_has_bf16", lambda: True)
    assert engine.memory_layout(wide, cpu) == torch.channels_last
    grouped = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.GroupNorm(2, 4))
    assert engine.memory_layout(grouped, cpu) == torch.contiguous_format
    assert engine.memory_layout(grouped, gpu) == torch.channels_last


@pytest.mark.parametrize("saved", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("here", [torch.channels_last, torch.contiguous_format])
def test_states_saved_in_any_layout_are_continued_as_if_never_saved(saved, here):
    def network(layout):
        return torch.nn.Conv2d(3, 8, 4).to(memory_format=layout)

    def step(layers, optimizer, number):
        random = torch.Generator().manual_seed(number)
        for weights in layers.parameters():
            gradient = torch.randn(weights.shape, generator=random)
            weights.grad = torch.empty_like(weights).copy_(gradient)
        optimizer.step()

    whole = network(saved)
    adam = torch.optim.Adam(whole.parameters(), lr=0.1, fused=True)
    step(whole, adam, 0)
    moved = network(here)
    continued = torch.optim.Adam(moved.parameters(), lr=0.1, fused=True)
    moved.load_state_dict(whole.state_dict())
    continued.load_state_dict(copy.deepcopy(adam.state_dict()))
    engine.lay_out_states(continued)
    step(whole, adam, 1)
    step(moved, continued, 1)
    for mine, other in zip(moved.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(mine, other)


def test_a_training_continues_in_the_layout_of_this_machine(drawn, tmp_path, monkeypatch):
    drawn.draw("train", 7)

    def press_ctrl_c(step, total, losses):
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        start(drawn.root, tmp_path / "run", progress=press_ctrl_c)
    layout = torch.contiguous_format
    monkeypatch.setattr("i2ibench.training.loop.memory_layout", lambda *_: layout)
    done = start(drawn.root, tmp_path / "run")
    states = [s for o in done.optimizers.values() for s in o["state"].values()]
    assert all(state["exp_avg"].is_contiguous() for state in states)


def test_fp32_is_exact_and_tf32_is_asked_for():
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        engine.allow_tf32("tf32")
        assert matmul.allow_tf32 and cudnn.allow_tf32
        engine.allow_tf32("fp32")
        assert not matmul.allow_tf32 and not cudnn.allow_tf32
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
    assert runtime.resolve_precision("tf32", "cuda") == "tf32"
    with pytest.raises(UsageError, match="CUDA"):
        runtime.resolve_precision("tf32", "cpu")
