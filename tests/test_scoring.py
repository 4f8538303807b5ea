"""A foreign folder is scored by id, against a data set or a bare folder of targets."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from i2ibench.errors import DataError, UsageError
from i2ibench.scoring import evaluate

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
