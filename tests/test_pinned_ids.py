"""Ids that users and boards hold: they outlive every change of the code that computes them.

A field that is added to settings with its default must change none of them. Protocols are pinned in
``tests/evaluation/test_protocol.py``, signatures of metrics in
``tests/evaluation/test_frozen_metrics.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from i2ibench.evaluation.protocol import load_protocol
from i2ibench.files import json_text, sha256_json
from i2ibench.models.interface import build_model
from i2ibench.results.record_files import read_result
from i2ibench.runs.folder import run_id, training_id
from i2ibench.runs.options import Options
from i2ibench.runs.plan import resolve
from i2ibench.training.recipe import load_recipe
from i2ibench.translation.manifest import Manifest

BOARDS = Path(__file__).resolve().parents[1] / "leaderboards"
OLDER = Path(__file__).parent / "results" / "older_records"

# First digits of the hash of model config, training budget and images of each shipped recipe.
RECIPES = {
    "bci/asp": "7f75f260227e4593",
    "bci/asp-variance": "d4634394360db9c8",
    "bci/cut": "55d282eba9ad7d47",
    "bci/cyclegan": "79b5fe4f6a0d5c3d",
    "bci/fastcut": "710ab2eb447e72bb",
    "bci/l1-unet": "308f44d259915354",
    "bci/pix2pix": "2bc28b199f4972c0",
    "bci/pyramid": "8f0a902484ac5c9b",
    "bci/varpyramid": "38705a36f676993e",
    "default/asp": "96133c7772891f4f",
    "default/asp-variance": "9459f8c0beee8240",
    "default/cut": "9f1b0267c22e85e8",
    "default/cyclegan": "06594545ec55abab",
    "default/fastcut": "2d88b660442ba67e",
    "default/l1-unet": "ed89c388b6d2fab8",
    "default/pix2pix": "93a337a02e328184",
    "default/pyramid": "15fc4d2cb26db521",
    "default/varpyramid": "bf77462dc07e7b1d",
    "facades/asp": "6600a3504d4ab362",
    "facades/asp-variance": "01b560060dad71ac",
    "facades/cut": "202214f3474d3c81",
    "facades/cyclegan": "7bec33d738dac96f",
    "facades/fastcut": "67a936ab15f3db89",
    "facades/l1-unet": "73efb37b66914c2e",
    "facades/pix2pix": "db9a3ec2732070b0",
    "facades/pyramid": "61ae6b38a3cca6a8",
    "facades/varpyramid": "05cec113cfc2f54b",
    "mist/asp": "7f75f260227e4593",
    "mist/asp-variance": "d4634394360db9c8",
    "mist/cut": "55d282eba9ad7d47",
    "mist/cyclegan": "79b5fe4f6a0d5c3d",
    "mist/fastcut": "710ab2eb447e72bb",
    "synthetic/asp": "3331ed929e355031",
    "synthetic/asp-variance": "9425315134793ecc",
    "synthetic/cut": "d239e019d8442bf3",
    "synthetic/cyclegan": "30a372a14386502b",
    "synthetic/fastcut": "0ce1a27d15f7e019",
    "synthetic/l1-unet": "2a3d2ac8427f4f38",
    "synthetic/pix2pix": "3da2215216ed5c6b",
    "synthetic/pyramid": "bcbea160b4c30e9e",
    "synthetic/varpyramid": "b43d35861291cdec",
    "bci/bbdm": "e33f7c746a59d267",
    "bci/nafnet": "d83854ffae431ae1",
    "bci/pix2pixhd": "e50c7ad28f4f2a99",
    "default/bbdm": "e33f7c746a59d267",
    "default/nafnet": "5a8c3aaeaa7241d3",
    "default/pix2pixhd": "11e0660a25e2b519",
    "facades/bbdm": "40de73916d5ad446",
    "facades/nafnet": "0039f387355b52f9",
    "facades/pix2pixhd": "f184cb319d03969e",
    "mist/bbdm": "e33f7c746a59d267",
    "mist/nafnet": "d83854ffae431ae1",
    "mist/pix2pixhd": "46e9315a37eec5f2",
    "synthetic/bbdm": "8483302b5b941b03",
    "synthetic/nafnet": "7978cea9329cda5e",
    "synthetic/pix2pixhd": "ac548481dea69537",
}
MANIFESTS = {
    "i2i-1": "236faac07951df92",
    "i2i-1-mean8": "c7e307eec632a65b",
    "bci-2022": "7f31417f8eb1a315",
}
# Run ids on the synthetic set, by model: seed 0 under i2i-1.
RUNS = {
    "asp": "0415d823b20d",
    "asp-variance": "62d60852e442",
    "blurred-target": "be597f851e2a",
    "copy": "95f256a87ede",
    "cut": "4119eb654c1f",
    "cyclegan": "705a9a970b81",
    "fastcut": "69cedf87da0a",
    "l1-unet": "42e7005fdffa",
    "macenko": "84aed561afd8",
    "mean-colour": "356427792b00",
    "pix2pix": "4f7434750999",
    "pyramid": "83275b2233e6",
    "reinhard": "183e5b7449a9",
    "varpyramid": "767712124e77",
    "bbdm": "44d99c7d5b69",
    "nafnet": "3364d5004eca",
    "pix2pixhd": "29baf7c28db1",
}
TRAINING_OF_VARPYRAMID = "6687f73ba6681041"


def skip_without_its_library(model: str) -> None:
    if model == "bbdm":
        pytest.importorskip("diffusers", reason="the extra diffusion is not installed")


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_keep_their_hashes(recipe: str) -> None:
    dataset, _, model = recipe.partition("/")
    skip_without_its_library(model)
    loaded = load_recipe(model, "none" if dataset == "default" else dataset, None, {})
    with torch.device("meta"):  # settings are looked at, not weights
        config = build_model(model, loaded.model).config
    content = {
        "model": config.model_dump(mode="json"),
        "training": loaded.training.model_dump(mode="json"),
        "images": loaded.images.model_dump(mode="json"),
    }
    assert sha256_json(content)[:16] == RECIPES[recipe]


@pytest.mark.parametrize("protocol_id", MANIFESTS)
def test_manifests_keep_their_form(protocol_id: str) -> None:
    protocol = load_protocol(protocol_id)
    manifest = Manifest(
        model="copy",
        checkpoint_sha256=None,
        protocol=protocol.id,
        preparation=protocol.preparation.model_dump(mode="json"),
        inference=protocol.inference,
        precision="fp32",
    )
    assert sha256_json(manifest.model_dump(mode="json"))[:16] == MANIFESTS[protocol_id]


@pytest.mark.parametrize("model", RUNS)
def test_commands_on_the_synthetic_set_keep_their_run_ids(model: str) -> None:
    skip_without_its_library(model)
    asked = {"dataset": "synthetic", "protocol": "i2i-1", "device": "cpu", "precision": "fp32"}
    plan = resolve(Options(model=model, **asked))
    assert run_id(plan.experiment) == RUNS[model]
    if model == "varpyramid":
        assert training_id(plan.experiment)[:16] == TRAINING_OF_VARPYRAMID


@pytest.mark.parametrize(
    "path", sorted([*BOARDS.glob("*/*.json"), *OLDER.glob("*.json")]), ids=lambda path: path.stem
)
def test_shipped_entries_are_read_and_written_byte_for_byte(path: Path) -> None:
    assert json_text(read_result(path).to_json()) == path.read_text(encoding="utf-8")
