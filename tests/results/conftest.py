"""A run scored with what the reference packages know, and copies of it to tamper with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from cross_checks import OF_A_SET, PAIRS, PROTOCOL, SIDE, edit_record, score_run

from i2ibench.data.dataset import open_dataset
from i2ibench.data.images import read_image, write_png
from i2ibench.evaluation.protocol import load_protocol


@pytest.fixture(scope="session")
def judges_weights(shared: Path, seeded_inception: Path, tmp_path_factory) -> Iterator[Path]:
    """A folder of weights: true ones of SqueezeNet, random ones of Inception."""
    folder = tmp_path_factory.mktemp("weights")
    shutil.copytree(shared / "weights" / "lpips-squeeze", folder / "lpips-squeeze")
    shutil.copy(seeded_inception, folder)
    yield folder


@pytest.fixture(scope="session")
def judged_once(judges_weights: Path, tmp_path_factory) -> Path:
    """A folder with a data set, a protocol of its own, and a run scored under it."""
    root = tmp_path_factory.mktemp("judged")
    rng = np.random.default_rng(0)
    for index in range(PAIRS):
        source = cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (SIDE, SIDE))
        for side, image in (("HE", source), ("IHC", 255 - source)):
            write_png(root / "drawn" / side / "test" / f"{index:05d}_test_1+.png", image)
    (root / "judged.toml").write_text(PROTOCOL)
    protocol = load_protocol(root / "judged.toml")
    pairs = open_dataset(str(root / "drawn"), "test")
    folder = root / "run"
    for pair in pairs:
        target = protocol.preparation.apply(read_image(pair.target))
        noisy = target + rng.normal(0, 20, target.shape)
        prediction = cv2.GaussianBlur(noisy.clip(0, 255).astype(np.uint8), (5, 5), 0)
        write_png(folder / "predictions" / f"{pair.id}.png", prediction)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("I2IBENCH_WEIGHTS", str(judges_weights))
        score_run(folder, root)
    return root


@pytest.fixture
def judged(
    judged_once: Path, judges_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of the run, beside a copy of its data set, to tamper with."""
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(judges_weights))
    shutil.copytree(judged_once, tmp_path / "copy")
    return tmp_path / "copy" / "run"


@pytest.fixture
def quick(judged: Path) -> Path:
    """A run whose record names no FID and KID, the slow ones here."""
    edit_record(judged, lambda made: [made["metrics"].pop(name) for name in OF_A_SET])
    return judged
