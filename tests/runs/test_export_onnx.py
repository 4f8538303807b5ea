"""An exported network makes what the run's model makes, or is not written."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from conftest import DrawnFolder
from factories import TINY

import i2ibench
from i2ibench import registry
from i2ibench.cli.app import run_app
from i2ibench.errors import MissingError, UsageError, VerificationError
from i2ibench.files import sha256_file
from i2ibench.models.foreign import write_onnx
from i2ibench.models.foreign.open_method import open_method
from i2ibench.models.interface import build_model
from i2ibench.runs import onnx_deviation
from i2ibench.translation.manifest import read_manifest

onnx = pytest.importorskip("onnx", reason="the extra i2ibench[onnx] is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the extra i2ibench[onnx] is not installed")

UNET = {
    "model.generator": "unet_128",
    "model.ngf": 2,
    "model.ndf": 2,
    "training.epochs": 1,
    "training.decay_epochs": 0,
    "images.crop": 128,
    "images.resize": 128,
    "images.test_scale": "native",
}
# A network of a file: of one channel, of a branch that a trace does not follow, of one size.
CODE = """
import torch
from torch import nn


class Grey(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 1, 1)

    def forward(self, source):
        return torch.tanh(self.layer(source)).expand(-1, 3, -1, -1)


class Branching(Grey):
    def forward(self, source):
        made = torch.tanh(self.layer(source)).expand(-1, 3, -1, -1)
        return -made if source.shape[2] > 40 else made


class OfOneSize(Grey):
    def forward(self, source):
        return torch.tanh(self.layer(source.reshape(-1, 3, 32, 32))).expand(-1, 3, -1, -1)
"""

CROPPED = """
id = "cropped"
title = "The centre alone"
[preparation]
centre_crop = 24
[[metrics]]
name = "psnr"
"""


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "models", registry.Registry("model", "i2ibench.models"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A data set of 6 pairs of 32 px, and networks in a file."""
    folder = tmp_path_factory.mktemp("export")
    DrawnFolder(folder / "drawn").draw("train", 4).draw("test", 6)
    (folder / "nets.py").write_text(CODE)
    return folder


@pytest.fixture(scope="module")
def trained(place):
    """A function that trains a model and returns its outcome; each training is made once."""
    made = {}

    def train(model, settings, **more):
        key = (model, more.get("protocol", "i2i-1"))
        if key not in made:
            made[key] = i2ibench.run(
                model=model,
                dataset=place / "drawn",
                settings=settings,
                device="cpu",
                output=place / "runs",
                board=None,
                **{"protocol": "i2i-1", **more},
            )
        return made[key]

    return train


def exported(outcome, file, place, **more):
    return i2ibench.export_onnx(outcome.folder, file, dataset=str(place / "drawn"), **more)


@pytest.mark.parametrize(("model", "settings"), [("pyramid", TINY), ("pix2pix", UNET)])
def test_the_file_gives_the_scores_of_the_run(model, settings, trained, place, tmp_path):
    outcome = trained(model, settings)
    made = exported(outcome, tmp_path / "net.onnx", place, pairs=3)
    assert made.pairs == 3 and made.largest < 0.01 and made.mean <= made.largest
    again = i2ibench.run(
        model=str(made.file),
        dataset=place / "drawn",
        protocol="i2i-1",
        device="cpu",
        output=tmp_path / "runs",
        board=None,
    )
    for name in ("psnr", "ssim"):
        first, second = (each.result.metrics[name].value for each in (outcome, again))
        assert second == pytest.approx(first, rel=1e-4)


def test_the_sidecar_says_how_to_feed_it_and_how_near_it_came(trained, place, tmp_path):
    outcome = trained("pix2pix", UNET)
    made = exported(outcome, tmp_path / "net.onnx", place, pairs=2)
    said = json.loads(made.sidecar.read_text())
    assert (said["input"]["range"], said["input"]["size_multiple"]) == ("-1..1", 128)
    assert said["sha256"] == sha256_file(made.file) and said["input"]["any_size"]
    recorded = outcome.result.model.checkpoint_sha256
    assert (
        said["checkpoint_sha256"]
        == recorded
        == sha256_file(outcome.folder / "checkpoints" / "last.ckpt")
    )
    assert said["metrics"]["psnr"]["value"] == outcome.result.metrics["psnr"].value
    assert said["deviation"]["pairs"] == 2 and said["deviation"]["largest"] == made.largest
    assert said["deviation"]["accepted"] == {"largest": 0.1, "mean": 0.01}
    assert said["predictions"]["values"] == 2 * 32 * 32 * 3
    assert said["predictions"]["largest_difference"] <= 1
    # The file itself says range and sizes, so that its door asks nothing.
    model = build_model(open_method(str(made.file)).name)
    assert model.size_multiple == 128 and model.tile_overlap is None
    # A size that is declared stands above what a file says.
    assert build_model("net", {"size_multiple": 256}).size_multiple == 256


def test_sizes_and_the_number_of_images_stay_open(trained, place, tmp_path):
    outcome = trained("pyramid", TINY)
    made = exported(outcome, tmp_path / "net.onnx", place)
    assert made.pairs == 6  # of 8 that were asked for
    ours = i2ibench.load_model(outcome.folder)
    session = runtime.InferenceSession(str(made.file))
    for shape in ((1, 3, 24, 40), (3, 3, 64, 32)):
        images = torch.rand(shape) * 2 - 1
        with torch.inference_mode():
            expected = ours.translate(images).numpy()
        [found] = session.run(None, {"source": images.numpy()})
        assert np.abs(found - expected).max() < 1e-4
    # A ResNet may be tiled, also through its file.
    assert build_model(open_method(str(made.file)).name).tile_overlap == ours.tile_overlap


def test_the_file_of_a_run_that_resized_images_says_so_and_is_run_so(place, tmp_path):
    settings = {**TINY, "images.resize": 24, "images.test_scale": "training"}
    outcome = i2ibench.run(
        model="pyramid",
        dataset=place / "drawn",
        settings=settings,
        device="cpu",
        protocol="i2i-1",
        output=tmp_path / "runs",
        board=None,
    )
    made = exported(outcome, tmp_path / "net.onnx", place, pairs=1)
    assert made.scaled_to == 24 and made.largest < 0.01
    said = json.loads(made.sidecar.read_text())
    assert said["input"]["scaled_to"] == 24 and "does not resize" in said["input"]["scaling"]
    assert said["predictions"]["values"] == 32 * 32 * 3
    # Through its door images are resized, and predictions brought back, without being asked.
    through = {"model": str(made.file), "dataset": place / "drawn", "device": "cpu"}
    through |= {"output": tmp_path / "again", "board": None}
    again = i2ibench.run(**through, protocol="i2i-1")
    assert read_manifest(again.folder / "predictions").scaled_to == 24
    for name in ("psnr", "ssim"):
        first, second = (each.result.metrics[name].value for each in (outcome, again))
        assert second == pytest.approx(first, rel=1e-4)
    verify = ["verify", str(again.folder), "--model", str(made.file), "--retranslate"]
    assert run_app([*verify, "--dataset", str(place / "drawn"), "--device", "cpu"]) == 0
    cropped = tmp_path / "cropped.toml"
    cropped.write_text(CROPPED)
    with pytest.raises(UsageError, match=r"resized to 24 px, and protocol cropped .* i2i-2"):
        i2ibench.run(**through, protocol=str(cropped))


def test_networks_of_a_file_are_written_grey_and_of_one_size_too(trained, place, tmp_path):
    for name, any_size in (("Grey", True), ("OfOneSize", False)):
        method = f"{place / 'nets.py'}:{name}"
        outcome = trained(method, {"training.epochs": 1})
        made = exported(outcome, tmp_path / f"{name}.onnx", place, model=method)
        assert json.loads(made.sidecar.read_text())["input"]["any_size"] is any_size


def test_a_file_that_makes_other_images_is_not_written(trained, place, tmp_path, monkeypatch):
    method = f"{place / 'nets.py'}:Branching"
    outcome = trained(method, {"training.epochs": 1})
    with pytest.raises(VerificationError, match=r"differs .* by up to .* grey levels"):
        exported(outcome, tmp_path / "net.onnx", place, model=method)
    # A bound that nothing meets: not even a deviation of rounding is passed over.
    monkeypatch.setattr(onnx_deviation, "LARGEST", -1.0)
    with pytest.raises(VerificationError, match="not written"):
        exported(trained("pyramid", TINY), tmp_path / "net.onnx", place)
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_no_graph_holds_is_refused_with_the_way_on(trained, place, tmp_path):
    outcome = trained("pyramid", TINY, protocol="i2i-1-mean8")
    with pytest.raises(UsageError, match=r"i2i-1-mean8 .* --protocol i2i-2"):
        exported(outcome, tmp_path / "net.onnx", place)
    # A mean over symmetries is made by calling the file several times.
    flips = trained("pyramid", TINY, protocol="i2i-1-flips")
    assert exported(flips, tmp_path / "net.onnx", place, pairs=1).largest < 0.01


@pytest.mark.parametrize("model", ["copy", "reinhard"])
def test_what_is_no_network_is_one_line(model, trained, place, tmp_path):
    with pytest.raises(UsageError, match=f"{model} is no network"):
        exported(trained(model, {}), tmp_path / "net.onnx", place)


def test_predictions_that_were_changed_or_given_are_refused(place, tmp_path, trained):
    settings = {**TINY, "model.ngf": 3}
    outcome = i2ibench.run(
        model="pyramid", dataset=place / "drawn", settings=settings, device="cpu",
        protocol="i2i-1", output=tmp_path / "runs", board=None,
    )  # fmt: skip
    [first, *_] = sorted((outcome.folder / "predictions").glob("*.png"))
    given = i2ibench.import_predictions(
        outcome.folder / "predictions", name="given", dataset=place / "drawn", protocol="i2i-1",
        output=tmp_path / "given", board=None,
        method=method_file(tmp_path),
    )  # fmt: skip
    with pytest.raises(UsageError, match="predictions were given"):
        exported(given, tmp_path / "net.onnx", place)
    first.write_bytes(sorted((outcome.folder / "predictions").glob("*.png"))[1].read_bytes())
    with pytest.raises(VerificationError, match=r"not as it was recorded .* verify"):
        exported(outcome, tmp_path / "net.onnx", place)


def method_file(folder):
    file = folder / "method.toml"
    file.write_text('title = "Given"\nsaw_test_targets = false\n')
    return file


def test_wrong_usage_and_a_missing_package_are_one_line(place, trained, tmp_path, monkeypatch):
    outcome = trained("pyramid", TINY)
    (tmp_path / "there.onnx").write_bytes(b"mine")
    for file, words in (("there.onnx", "exists"), ("net.pt", "ends in .onnx")):
        with pytest.raises(UsageError, match=words):
            exported(outcome, tmp_path / file, place)
    assert (tmp_path / "there.onnx").read_bytes() == b"mine"
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingError, match=r"pip install 'i2ibench\[onnx\]'"):
        exported(outcome, tmp_path / "net.onnx", place)


def test_an_operator_that_onnx_lacks_is_one_line(trained, place, tmp_path, monkeypatch):
    def fails(*args, **keywords):
        raise RuntimeError("Unsupported: an operator\nof many lines")

    monkeypatch.setattr(write_onnx.torch.onnx, "export", fails)
    with pytest.raises(UsageError, match=r"cannot be written as ONNX: .*an operator of many lines"):
        exported(trained("pyramid", TINY), tmp_path / "net.onnx", place)


def test_the_verb_prints_the_deviation_and_with_json_the_sidecar(trained, place, tmp_path, capsys):
    outcome = trained("pyramid", TINY)
    file = tmp_path / "net.onnx"
    command = ["export", "onnx", str(outcome.folder), "-o", str(file), "--pairs", "1"]
    command += ["--dataset", str(place / "drawn"), "--json"]
    assert run_app(command) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads((tmp_path / "net.onnx.json").read_text())
    assert "grey levels" in err and "net.onnx.json" in err
    assert run_app(command) == 2 and "exists" in capsys.readouterr().err
