"""Two processes train the same weights, and with instance norm those of the doubled batch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from i2ibench.data.dataset import open_dataset
from i2ibench.data.loading import ImageSettings, TrainingLoader
from i2ibench.models.interface import ModelConfig, TrainableModel, build_model
from i2ibench.runtime import seed_global_generators
from i2ibench.training.checkpoint import load_checkpoint
from i2ibench.training.engine import leave_processes, make_fabric
from i2ibench.training.loop import Training, train
from i2ibench.training.recipe import TrainingSettings
from i2ibench.training.step import average_statistics


def start(root: Path, folder: Path, norm: str, processes: int) -> None:
    """Train on four pairs a step, shared by ``processes``; each rank keeps its weights."""
    settings = {"generator": "resnet_6blocks", "ngf": 2, "ndf": 2, "dropout": False, "norm": norm}
    model = build_model("pyramid", settings)
    if norm == "instance":
        # Adam turns a gradient of pure rounding noise into a full step; plain descent does not.
        networks = {"generator": model.generator, "discriminator": model.discriminator}
        model.optimizers = lambda: {
            name: torch.optim.SGD(network.parameters(), lr=1e-3)
            for name, network in networks.items()
        }
    fabric = make_fabric("cpu", "fp32", processes)
    loader = TrainingLoader(
        open_dataset(str(root), "train"),
        # Without flips and crops each rank sees what one process would.
        ImageSettings(),
        batch_size=4 // processes,
        seed=5,
        rank=fabric.global_rank,
        world_size=processes,
    )
    # Rounding grows from step to step under instance norm, so that case takes two steps only.
    epochs = 1 if norm == "instance" else 3
    budget = TrainingSettings(epochs=epochs, decay_epochs=0, batch_size=4 // processes)
    train(model, loader, Training("pyramid", "an id", budget, 5, folder), fabric)
    torch.save(model.state_dict(), folder / f"rank{fabric.global_rank}.pt")
    leave_processes(fabric)


SMALL = {"generator": "resnet_6blocks", "ngf": 2, "ndf": 2}
WITH_STATE = {
    "cyclegan": {**SMALL, "pool_size": 3},
    "asp": {**SMALL, "discriminator_layers": 3, "nce_positions": 16, "nce_channels": 4},
}


def methods_with_state(root: Path, folder: Path) -> None:
    """Train an image pool and power iterations; each rank keeps the whole state."""
    fabric = make_fabric("cpu", "fp32", 2)
    state = {}
    for name, settings in WITH_STATE.items():
        loader = TrainingLoader(
            open_dataset(str(root), "train"),
            ImageSettings(crop=24, flip=True),
            batch_size=1,
            seed=5,
            rank=fabric.global_rank,
            world_size=2,
        )
        seed_global_generators(1)  # as a run does before it builds a model
        model = build_model(name, settings)
        budget = TrainingSettings(epochs=1, decay_epochs=1, batch_size=1)
        train(model, loader, Training(name, "an id", budget, 5, folder / name), fabric)
        state |= {f"{name}.{key}": value for key, value in model.state_dict().items()}
    torch.save(state, folder / f"rank{fabric.global_rank}.pt")
    leave_processes(fabric)


class OwnNorm(torch.nn.BatchNorm2d):
    """Stands for a plugin's normalisation."""


class WithBuffers(TrainableModel):
    """Keeps running statistics of normalisation, and other things, in buffers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.norm = torch.nn.BatchNorm2d(3)
        self.own = torch.nn.Sequential(OwnNorm(3))
        self.instance = torch.nn.InstanceNorm2d(3, track_running_stats=True)
        self.untracked = torch.nn.BatchNorm2d(3, track_running_stats=False)
        self.norm.register_buffer("pool", torch.zeros(2, 3, 4, 4))
        for name in ("pool", "ema", "running_mean"):
            self.register_buffer(name, torch.zeros(2, 3, 4, 4))


def average(folder: Path) -> None:
    """Average buffers that hold the rank's number; each rank keeps its own."""
    fabric = make_fabric("cpu", "fp32", 2)
    model = WithBuffers(ModelConfig())
    for buffer in model.buffers():
        buffer.fill_(fabric.global_rank)
    average_statistics(model, fabric)
    torch.save(model.state_dict(), folder / f"rank{fabric.global_rank}.pt")
    leave_processes(fabric)


def run_two(folder: Path, call: str, *arguments: str) -> list[dict[str, torch.Tensor]]:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        f"from pathlib import Path; import test_processes as t; {call}"
    )
    script = folder / "two.py"
    folder.mkdir()
    script.write_text(code)
    subprocess.run([sys.executable, str(script), *arguments], check=True)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def start_two(root: Path, folder: Path, norm: str) -> list[dict[str, torch.Tensor]]:
    call = "t.start(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], 2)"
    return run_two(folder, call, str(root), str(folder), norm)


def test_two_processes_hold_identical_weights(drawn, tmp_path):
    drawn.draw("train", 8)
    first, second = start_two(drawn.root, tmp_path / "two", "batch")
    assert all(torch.equal(first[name], second[name]) for name in first)
    saved = load_checkpoint(tmp_path / "two/checkpoints/last.ckpt").weights
    assert all(torch.equal(first[name], saved[name]) for name in first)
    assert len((tmp_path / "two/training.csv").read_text().splitlines()) == 1 + 6


def test_of_methods_with_a_state_only_the_image_pools_differ(drawn, tmp_path):
    drawn.draw("train", 8)
    call = "t.methods_with_state(Path(sys.argv[1]), Path(sys.argv[2]))"
    ranks = run_two(tmp_path / "two", call, str(drawn.root), str(tmp_path / "two"))
    assert any(name.startswith("asp.") and name.endswith("weight_u") for name in ranks[0])
    differing = {name for name in ranks[0] if not torch.equal(ranks[0][name], ranks[1][name])}
    pools = ("pool", "inverse_pool")
    assert differing == {f"cyclegan.{pool}.{place}" for pool in pools for place in range(3)}


def test_two_processes_equal_one_with_the_doubled_batch(drawn, tmp_path):
    drawn.draw("train", 8)
    start(drawn.root, tmp_path, "instance", 1)
    one = torch.load(tmp_path / "rank0.pt", weights_only=True)
    two, _ = start_two(drawn.root, tmp_path / "two", "instance")
    for name, expected in one.items():
        assert torch.allclose(two[name], expected, atol=1e-5), name
    # The log holds the mean over ranks, not the first rank's losses.
    logs = [np.loadtxt(f, delimiter=",", skiprows=1) for f in tmp_path.rglob("training.csv")]
    assert len(logs) == 2
    np.testing.assert_allclose(logs[0][:, 4:], logs[1][:, 4:], rtol=1e-5)


def test_of_all_buffers_only_running_statistics_are_averaged(tmp_path):
    folder = tmp_path / "two"
    ranks = run_two(folder, "t.average(Path(sys.argv[1]))", str(folder))
    statistics = {
        f"{module}.running_{statistic}"
        for module in ("norm", "own.0", "instance")
        for statistic in ("mean", "var")
    }
    others = {"pool", "ema", "running_mean", "norm.pool"}
    assert statistics | others < ranks[0].keys()
    for rank, state in enumerate(ranks):
        assert all((state[name] == 0.5).all() for name in statistics)
        assert all((state[name] == rank).all() for name in others)
