"""BBDM: its training terms, its average in the checkpoint, sampling apart from training."""

from __future__ import annotations

import builtins
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from i2ibench import Options, load_model, run
from i2ibench.errors import MissingError, UsageError
from i2ibench.models.interface import PairBatch, TrainableModel, build_model
from i2ibench.runs.folder import training_id
from i2ibench.training.step import train_step
from i2ibench_baselines.bridge import make_bridge, noised, objective
from i2ibench_baselines.moving_average import MovingAverage

pytest.importorskip("diffusers", reason="the extra diffusion is not installed")

TINY = {"width": 4, "multipliers": (1, 2), "blocks": 1, "times": 20, "sampling_steps": 4}


def tiny(**settings: object) -> TrainableModel:
    torch.manual_seed(0)
    model = build_model("bbdm", {**TINY, "average_every": 1, "average_start": 0, **settings})
    assert isinstance(model, TrainableModel)
    return model.train()


def random_batch(side: int = 8) -> PairBatch:
    draw = torch.Generator().manual_seed(1)
    return PairBatch(*(torch.rand(2, 2, 3, side, side, generator=draw) * 2 - 1).unbind())


@pytest.mark.parametrize("kind", ["grad", "noise", "ysubx"])
@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_the_loss_is_the_distance_of_the_objective_at_drawn_times(kind: str, loss: str) -> None:
    model, batch = tiny(objective=kind, loss=loss), random_batch()
    torch.manual_seed(3)
    found = train_step(model, model.optimizers(), batch)[loss.upper()]
    torch.manual_seed(3)
    t = torch.randint(0, 20, (2,))
    noise = torch.randn(2, 3, 8, 8)
    bridge = make_bridge(20)
    with torch.no_grad():
        said = tiny().network(noised(bridge, batch.target, batch.source, t, noise), batch.source, t)
    apart = said - objective(bridge, batch.target, batch.source, t, noise, kind)
    expected = apart.abs().mean() if loss == "l1" else apart.square().mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_average_follows_first_and_averages_later_every_so_many_steps() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    average = MovingAverage(network, decay=0.75, every=2, start=4)
    kept = []
    for step in range(1, 9):
        with torch.no_grad():
            network.weight.fill_(float(step))
        average.update(network)
        kept.append(average.network.weight.item())
    assert kept[1:3] == [2.0, 2.0]
    # From step 4 on: 0.75 of itself and 0.25 of the network.
    assert kept[3:] == [2.5, 2.5, 3.375, 3.375, 4.53125]
    assert not any(parameter.requires_grad for parameter in average.parameters())


def test_the_average_translates_and_no_optimiser_sees_it() -> None:
    model, batch = tiny(average_start=10**6), random_batch()
    owned = {
        id(p) for o in model.optimizers().values() for g in o.param_groups for p in g["params"]
    }
    assert owned == {id(parameter) for parameter in model.network.parameters()}
    assert model.parameter_count() == sum(p.numel() for p in model.network.parameters())
    model.eval()
    with torch.no_grad():
        torch.manual_seed(0)
        before = model.translate(batch.source)
        for parameter in model.network.parameters():
            parameter.add_(1.0)
        torch.manual_seed(0)
        assert torch.equal(model.translate(batch.source), before)


def asked(root: Path, output: Path, **settings: object) -> Options:
    chosen = {**TINY, "average_every": 2, "spread_samples": 3, **settings}
    budget = {"training.epochs": 1, "training.decay_epochs": 0, "training.batch_size": 2}
    return Options(
        model="bbdm",
        dataset=str(root),
        output=output,
        board=None,
        device="cpu",
        settings={
            **{f"model.{key}": value for key, value in chosen.items()},
            **budget,
            "images.crop": 16,
        },
    )


def predictions(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "predictions").glob("*.png"))}


def test_runs_that_differ_in_sampling_alone_share_one_training(drawn, tmp_path, capsys) -> None:
    root = drawn.draw("train", 4, size=16).draw("test", 2, size=16).root
    first = run(asked(root, tmp_path)).folder
    trained = (first / "checkpoints" / "last.ckpt").read_bytes()
    other = run(asked(root, tmp_path, sampling_steps=6, eta=0.5, clip=False)).folder
    assert other != first and (other / "checkpoints" / "last.ckpt").read_bytes() == trained
    assert predictions(first).keys() == predictions(other).keys()
    assert all(predictions(first)[name] != made for name, made in predictions(other).items())
    experiments = [json.loads((each / "experiment.json").read_text()) for each in (first, other)]
    assert training_id(experiments[0]) == training_id(experiments[1])
    assert load_model(other).config.sampling_steps == 6
    assert load_model(first).config.sampling_steps == 4
    # Another network is another training.
    wider = run(asked(root, tmp_path, width=8)).folder
    assert training_id(json.loads((wider / "experiment.json").read_text())) != training_id(
        experiments[0]
    )
    # A given checkpoint takes what translation alone reads, and nothing else.
    given = asked(root, tmp_path / "given")
    checkpoint = {"checkpoint": first / "checkpoints" / "last.ckpt"}
    sampled = Options(**{**vars(given), **checkpoint, "settings": {"model.sampling_steps": 6}})
    assert predictions(run(sampled).folder) != predictions(first)
    with pytest.raises(UsageError, match="change nothing with --checkpoint"):
        run(Options(**{**vars(given), **checkpoint, "settings": {"model.width": 8}}))


def test_the_spread_of_each_pair_is_kept_beside_its_first_sample(drawn, tmp_path) -> None:
    root = drawn.draw("train", 2, size=16).draw("test", 3, size=16).root
    folder = run(asked(root, tmp_path / "a")).folder
    rows = [line.split(",") for line in (folder / "spread.csv").read_text().split()]
    assert rows[0] == ["id", "spread"] and len(rows) == 4
    for name, mean in rows[1:]:
        levels = cv2.imread(str(folder / "spread" / f"{name}.png"), cv2.IMREAD_UNCHANGED) / 256
        assert levels.shape == (16, 16)
        assert levels.mean() == pytest.approx(float(mean), abs=1e-3) and levels.mean() > 1
    # One sample alone is the same prediction, and has no spread.
    alone = run(asked(root, tmp_path / "b", spread_samples=1)).folder
    assert predictions(alone) == predictions(folder)
    assert not (alone / "spread").exists() and not (alone / "spread.csv").exists()
    # A map that was lost is made again, to the same bits.
    lost = next((folder / "spread").glob("*.png"))
    before, made = lost.read_bytes(), predictions(folder)
    lost.unlink()
    (folder / "result.json").unlink()
    run(asked(root, tmp_path / "a"))
    assert lost.read_bytes() == before and predictions(folder) == made


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ModuleNotFoundError("No module named 'diffusers'", name="diffusers"), "diffusers; run"),
        (
            ImportError("cannot import name 'x' from 'huggingface_hub'\nmore"),
            "'huggingface_hub'; run",
        ),
    ],
)
def test_without_diffusers_the_command_that_installs_it_is_told(monkeypatch, error, why) -> None:
    imported = builtins.__import__

    def lacking(name: str, *rest: object, **named: object) -> object:
        if name.startswith("diffusers"):
            raise error
        return imported(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(MissingError, match=r"pip install 'i2ibench\[diffusion\]'") as told:
        build_model("bbdm", TINY)
    assert why in str(told.value) and "\n" not in str(told.value)


def test_the_average_of_the_samples_of_a_taught_bridge_nears_the_target() -> None:
    model = tiny(learning_rate=3e-3, average_every=1, average_start=10**6, times=50)
    source = random_batch(16).source
    batch = PairBatch(source, -0.5 * source.mean(1, keepdim=True).expand_as(source))
    optimizers = model.optimizers()
    torch.manual_seed(0)
    for _ in range(150):
        train_step(model, optimizers, batch)
    with torch.no_grad():
        made = torch.stack([model.eval().translate(source) for _ in range(4)]).mean(0)
    apart = (made - batch.target).abs().mean()
    assert apart < 0.5 * (source - batch.target).abs().mean()
    assert np.isfinite(made.numpy()).all()
