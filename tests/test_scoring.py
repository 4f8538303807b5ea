"""A foreign folder is scored by id, against a data set or a bare folder of targets."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from i2ibench.errors import DataError, UsageError
from i2ibench.evaluation.protocol import load_protocol
from i2ibench.scoring import evaluate, evaluate_side_by_side
from i2ibench.translation.manifest import Manifest, write_manifest

BOTH = ["psnr", "ssim"]


@pytest.fixture
def folders(tmp_path):
    """Targets a, b, c of 32 px and noisy predictions of them."""
    generator = np.random.default_rng(0)
    for name in "abc":
        target = generator.integers(0, 256, (32, 32, 3), np.uint8)
        noisy = np.clip(target + generator.normal(0, 20, target.shape), 0, 255).astype(np.uint8)
        for folder, image in (("targets", target), ("predictions", noisy)):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), image)
    return tmp_path / "predictions", tmp_path / "targets"


def test_a_bare_folder_is_scored_as_scikit_image_does(folders, tmp_path):
    predictions, targets = folders
    result = evaluate(predictions, targets=targets, metrics=BOTH, output=tmp_path / "out")
    expected = {"psnr": [], "ssim": []}
    for path in sorted(predictions.iterdir()):
        made, real = cv2.imread(str(path)), cv2.imread(str(targets / path.name))
        expected["psnr"].append(peak_signal_noise_ratio(real, made))
        expected["ssim"].append(structural_similarity(real, made, channel_axis=2))
    for name, values in expected.items():
        assert result.metrics[name].value == pytest.approx(np.mean(values), abs=1e-10)
    stored = json.loads((tmp_path / "out/result.json").read_text())
    assert stored["metrics"]["psnr"]["value"] == result.metrics["psnr"].value
    assert len((tmp_path / "out/scores.csv").read_text().splitlines()) == 4


def test_real_thumbnails_are_scored_per_level(shared):
    root = shared / "data/bci_thumbnails"
    result = evaluate(
        root / "published_predictions/test", dataset=str(root), metrics=BOTH, device="cpu"
    )
    counts = {level: group.n for level, group in result.groups.items()}
    assert counts == {"0": 1, "1+": 4, "2+": 11, "3+": 8}
    assert result.dataset["group_name"] == "HER2"


def test_pairs_are_never_matched_by_position(folders):
    predictions, targets = folders
    (predictions / "a.png").rename(predictions / "d.png")
    with pytest.raises(DataError, match="a"):
        evaluate(predictions, targets=targets, metrics=BOTH)


def test_exactly_one_place_of_targets(folders):
    predictions, targets = folders
    with pytest.raises(UsageError, match="either"):
        evaluate(predictions)
    with pytest.raises(UsageError, match="either"):
        evaluate(predictions, targets=targets, dataset="bci")


OWN = """
id = "own-1"
title = "PSNR, and MAE"
[[metrics]]
name = "psnr"
[[metrics]]
name = "mae"
"""


def test_two_protocols_score_the_same_files_each_in_its_folder(folders, tmp_path):
    predictions, targets = folders
    (tmp_path / "own.toml").write_text(OWN)
    both = ["stain-1", str(tmp_path / "own.toml")]
    out = tmp_path / "out"
    first, second = evaluate_side_by_side(predictions, both, targets=targets, output=out)
    assert [first.protocol.id, second.protocol.id] == ["stain-1", "own-1"]
    assert first.metrics["psnr"] == second.metrics["psnr"]
    assert [*second.metrics] == ["psnr", "mae"] and "mae" not in first.metrics
    for result in (first, second):
        stored = json.loads((out / result.protocol.id / "result.json").read_text())
        assert stored["metrics"]["psnr"]["value"] == result.metrics["psnr"].value
        assert (out / result.protocol.id / "scores.csv").exists()
    assert not (out / "result.json").exists()


@pytest.mark.parametrize(
    ("protocols", "message"),
    [
        (["i2i-1", "bci-2022"], r"native size, bci-2022 at bicubic.*protocols --scores RUN"),
        (["i2i-1", "i2i-1"], "given twice"),
        (["i2i-1", "stain-1", "bci-2022-1024"], "one protocol or two, not 3"),
    ],
)
def test_protocols_that_cannot_share_predictions_are_refused(folders, protocols, message):
    predictions, targets = folders
    with pytest.raises(UsageError, match=message):
        evaluate_side_by_side(predictions, protocols, targets=targets)


def test_what_scoring_cannot_show_of_two_protocols_is_said(folders):
    predictions, targets = folders
    both = ["i2i-1", "bci-2022-1024"]
    with pytest.warns(UserWarning, match=r"run the model differently \(normalisation, dropout"):
        evaluate_side_by_side(predictions, both, targets=targets, metrics=["psnr"])


def test_predictions_of_ours_are_scored_under_their_own_preparation_alone(tmp_path):
    """At 256 px the sizes fit, while bci-2022 shows another section of the target."""
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for folder in ("targets", "predictions"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), image)
    predictions = tmp_path / "predictions"
    rules = load_protocol("i2i-1")
    manifest = Manifest(
        model="copy",
        checkpoint_sha256=None,
        protocol=rules.id,
        preparation=rules.preparation.model_dump(mode="json"),
        inference=rules.inference,
        precision="fp32",
    )
    write_manifest(predictions, manifest)
    chosen = {"targets": tmp_path / "targets", "metrics": ["psnr"]}
    with pytest.raises(DataError, match=r"made under i2i-1.*translate again"):
        evaluate(predictions, protocol="bci-2022", **chosen)
    with pytest.warns(UserWarning, match="the model was run as i2i-1 says"):
        evaluate(predictions, protocol="bci-2022-1024", **chosen)
