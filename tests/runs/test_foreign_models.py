"""Methods that no package registers reach a board through the same run as ours."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from i2ibench import registry
from i2ibench.cli.app import run_app
from i2ibench.errors import DataError
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve
from i2ibench.runs.reporter import Reporter
from i2ibench.runs.run import run

NET = """
import torch
class Net(torch.nn.Module):
    size_multiple = 4
    def __init__(self, width=2):
        super().__init__()
        self.layers = torch.nn.Conv2d(3, 3, 3, padding=1)
    def forward(self, source):
        return torch.tanh(self.layers(source))
"""


class Heard(Reporter):
    """What was told."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def stage(self, text: str) -> None:
        self.stages.append(text)


@pytest.fixture
def options(drawn, tmp_path, monkeypatch) -> Options:
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))
    drawn.draw("train", 5, 34).draw("test", 3)
    (tmp_path / "net.py").write_text(NET)
    return Options(
        model=f"{tmp_path / 'net.py'}:Net",
        dataset=str(drawn.root),
        protocol="i2i-1",
        device="cpu",
        output=tmp_path / "runs",
        board=tmp_path / "boards",
    )


def test_a_file_reaches_the_board_and_its_defaults_are_said_before_it_trains(options):
    heard = Heard()
    done = run(replace(options, settings={"training.epochs": 1}), heard)
    told = " | ".join(heard.stages)
    assert "plain nn.Module" in told and "L1" in told
    # One epoch that was asked for is one epoch.
    assert "no recipe: 1 epoch, batches of 1, crops of 32 px" in told
    assert told.index("no recipe") < told.index("training Net")
    assert (done.result.training.steps, done.result.model.name) == (5, "Net")
    [code] = done.result.environment.plugins
    assert (code["package"], code["version"], len(code["sha256"])) == ("net.py", None, 64)
    assert "Net" in done.board.read_text()


def test_a_recipe_beside_the_file_is_taken_and_settings_lie_over_it(options, tmp_path):
    (tmp_path / "net.toml").write_text(
        "[model]\nwidth = 3\n[training]\nepochs = 7\n[images]\ncrop = 8\n"
    )
    plan = resolve(replace(options, settings={"training.batch_size": 2}))
    training = plan.recipe.training
    assert (training.epochs, training.decay_epochs, training.batch_size) == (7, 0, 2)
    assert plan.model.config.width == 3
    assert not any("no recipe" in each for each in plan.remarks)


def test_the_default_budget_is_short_and_a_shipped_model_keeps_its_own(options):
    training = resolve(options).recipe.training
    assert (training.epochs, training.decay_epochs) == (10, 10)
    ours = resolve(
        replace(
            options,
            model="l1-unet",
            settings={"images.crop": 256, "images.resize": 256, "images.test_scale": "native"},
        )
    )
    assert (ours.recipe.training.epochs, ours.recipe.training.decay_epochs) == (100, 100)
    assert ours.remarks == ()


def test_an_edited_file_is_another_run(options, tmp_path):
    first = resolve(options).folder.path
    assert resolve(options).folder.path == first
    (tmp_path / "net.py").write_text(NET.replace("torch.tanh", "torch.sin"))
    assert resolve(options).folder.path != first


def test_weights_of_the_authors_are_translated_with(options, tmp_path):
    net = torch.nn.Conv2d(3, 3, 3, padding=1)
    torch.save({f"layers.{k}": v for k, v in net.state_dict().items()}, tmp_path / "w.pt")
    done = run(replace(options, checkpoint=tmp_path / "w.pt"))
    assert done.result.training.steps is None and done.result.model.parameters == 84
    torch.save({"other": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(DataError, match=r"w\.pt: not the weights of Net: lacks layers\.bias"):
        run(replace(options, checkpoint=tmp_path / "w.pt"))


def test_verification_compares_the_code_of_a_file_and_runs_it_again(
    options, tmp_path, capsys, monkeypatch
):
    done = run(replace(options, settings={"training.epochs": 1}))
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))
    line = ["verify", str(done.folder), "--dataset", options.dataset, "--retranslate"]
    assert run_app([*line, "--device", "cpu"]) == 2
    assert "unknown model 'Net'" in capsys.readouterr().err
    line += ["--model", options.model, "--json", "--device", "cpu"]
    assert run_app(line) == 0
    assert json.loads(capsys.readouterr().out)["hashes"]["code of Net"] == "as recorded"
    (tmp_path / "net.py").write_text(NET.replace("torch.tanh", "torch.sin"))
    assert run_app(line) == 5
    assert json.loads(capsys.readouterr().out)["hashes"]["code of Net"] == "differs"
