"""A run is named by everything that decides its numbers: code of others, and one seed."""

from __future__ import annotations

import random
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from i2ibench import registry
from i2ibench.files import read_json, write_json
from i2ibench.results.origin import folder_discrepancies
from i2ibench.results.record_files import read_result
from i2ibench.results.verification import verify
from i2ibench.runs.options import Options
from i2ibench.runs.run import run, train
from i2ibench.training.checkpoint import load_checkpoint

# Its weights come from PyTorch's default initialisation, its steps draw from three generators.
SOURCE = '''
import random
import numpy as np
import torch
from torch import nn
from i2ibench import Phase, TrainableModel

class Plain(TrainableModel):
    """A convolution."""
    def __init__(self, config):
        super().__init__(config)
        self.net = nn.Conv2d(3, 3, 3, padding=1)
    def optimizers(self):
        return {"net": torch.optim.Adam(self.parameters(), lr=0.01)}
    def translate(self, source):
        return torch.tanh(self.net(source)) * SCALE
    def training_phases(self, batch):
        noise = torch.rand(()) + random.random() + np.random.rand()
        yield Phase("net", lambda: {"L1": self.distance(batch) * noise})
    def distance(self, batch):
        return (self.translate(batch.source) - batch.target).abs().mean()
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs the plugin with an output scaled by a number."""
    site = tmp_path / "site"
    info = site / "plaincode-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plaincode\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[i2ibench.models]\nplain = plaincode:Plain\n")
    monkeypatch.syspath_prepend(str(site))

    def write(scale: float) -> None:
        (site / "plaincode.py").write_text(SOURCE.replace("SCALE", str(scale)))
        monkeypatch.delitem(sys.modules, "plaincode", raising=False)
        monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write(1.0)
    return write


@pytest.fixture
def options(drawn, tmp_path) -> Options:
    drawn.draw("train", 4).draw("test", 3)
    return Options(
        model="plain",
        dataset=str(drawn.root),
        settings={"training.epochs": 2, "training.decay_epochs": 0},
        protocol="i2i-1",
        device="cpu",
        output=tmp_path / "runs",
        board=tmp_path / "boards",
    )


def test_edited_code_is_a_new_run_and_never_meets_old_scores(install, options):
    first = run(options)
    assert run(options).folder == first.folder
    install(0.5)
    second = run(options)
    assert second.folder != first.folder
    assert second.result.metrics["psnr"].value != first.result.metrics["psnr"].value
    # Not two seeds of one method, though everything else is the same.
    board = second.board.read_text()
    assert board.count("[seed 0]") == 2 and f"plain ({first.folder.name})" in board


def test_a_record_names_the_code_and_verification_compares_it(install, options):
    folder = run(options).folder
    [code] = read_result(folder / "result.json").environment.plugins
    assert (code["package"], code["version"], len(code["sha256"])) == ("plaincode", "1.0", 64)
    assert verify(folder, dataset=options.dataset).hashes["code of plain"] == "as recorded"
    install(0.5)
    assert verify(folder, dataset=options.dataset).hashes["code of plain"] == "differs"
    # A record that says another code than its run was asked for is found.
    record = read_result(folder / "result.json")
    edited = record.environment.model_copy(update={"plugins": [{**code, "sha256": "0" * 64}]})
    found = folder_discrepancies(record.model_copy(update={"environment": edited}), folder)
    assert [each.subject for each in found] == ["code of plain"]
    # And an experiment that says another code has another id.
    experiment = read_json(folder / "experiment.json")
    experiment["plugins"][0]["sha256"] = "0" * 64
    write_json(folder / "experiment.json", experiment)
    assert "run id" in [each.subject for each in folder_discrepancies(record, folder)]


def test_one_seed_gives_equal_bits_in_two_folders(install, options, tmp_path):
    weights = []
    for name, noise in (("a", 1), ("b", 2)):
        for draw in (torch.manual_seed, random.seed, np.random.seed):
            draw(noise)  # what ran before in this process
        folder = train(replace(options, output=tmp_path / name))
        weights.append(load_checkpoint(folder.checkpoint).weights)
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    other = load_checkpoint(train(replace(options, seed=1)).checkpoint).weights
    assert not torch.equal(weights[0]["net.weight"], other["net.weight"])
