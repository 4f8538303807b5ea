"""Pairs of images that the metric tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from golden_files import golden

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.metrics.interface import PairImages

MakePair = Callable[..., PairImages]


def textured(seed: int, height: int, width: int, sigma: float = 3.0) -> np.ndarray:
    """A smooth random RGB image that uses the whole range of grey levels."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.asarray(cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX))


@pytest.fixture(scope="session")
def make_pair() -> MakePair:
    """Make a pair of a textured target and a noisy, shifted-brightness prediction of it."""

    def make(height: int = 96, width: int = 80, seed: int = 0, noise: float = 20.0) -> PairImages:
        target = textured(seed, height, width)
        rough = np.random.default_rng(seed + 1).normal(8, noise, target.shape)
        prediction = np.clip(target + rough, 0, 255).astype(np.uint8)
        return PairImages(f"pair-{seed}", prediction, target)

    return make


@pytest.fixture(scope="session")
def thumbnails(shared: Path) -> list[tuple[PairImages, dict[str, float]]]:
    """Real targets, published predictions of them, and what the published code finds in their DAB.

    Masks by the code of arXiv:2511.04615, p90 by that of arXiv:2603.12716.
    """
    text = golden("dab_masks_bci_thumbnails.json").read_text(encoding="utf-8")
    folders = [
        shared / "data" / "bci_thumbnails" / side / "test"
        for side in ("published_predictions", "IHC")
    ]
    pairs = []
    for name, facts in json.loads(text).items():
        prediction, target = (read_image(ImageRef(each / f"{name}.png")) for each in folders)
        level = name.rpartition("_")[2]
        pairs.append((PairImages(name, prediction, target, group=level), facts))
    return pairs
