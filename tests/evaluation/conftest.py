"""Small paired data sets with predictions, drawn into a temporary folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from factories import stained, write_rgb

from i2ibench.data.pairs import ImagePair, ImageRef, PairedDataset

LEVELS = ("0", "1+", "2+", "3+")


@dataclass
class Drawn:
    """A data set of stained targets and predictions that resemble them."""

    dataset: PairedDataset
    predictions: dict[str, Path]
    folder: Path

    def __iter__(self):
        return iter((self.dataset, self.predictions))


@pytest.fixture
def draw(tmp_path):
    """Draw ``n`` pairs; ``groups`` says whether they have HER2 levels."""

    def make(n=8, size=48, groups=True, seed=0, split="test") -> Drawn:
        random = np.random.default_rng([seed, n])
        root = tmp_path / f"drawn-{split}-{seed}-{n}-{size}"
        pairs, predictions = [], {}
        for index in range(n):
            level = LEVELS[index % 4]
            pair_id = f"{index:05d}_{split}_{level}"
            target = stained(random, 0.05 + 0.2 * (index % 4), size)
            source = 255 - target
            prediction = np.clip(target + random.normal(3, 12, target.shape), 0, 255)
            refs = [
                ImageRef(write_rgb(root / side / f"{pair_id}.png", image))
                for side, image in (("HE", source), ("IHC", target))
            ]
            predictions[pair_id] = write_rgb(
                root / "predictions" / f"{pair_id}.png", prediction.astype(np.uint8)
            )
            pairs.append(ImagePair(pair_id, *refs, level if groups else None, f"slide-{index % 3}"))
        dataset = PairedDataset(
            "drawn",
            split,
            tuple(pairs),
            root=root,
            group_name="HER2" if groups else None,
            group_order=LEVELS if groups else (),
        )
        return Drawn(dataset, predictions, root / "predictions")

    return make


@pytest.fixture
def networks(shared, seeded_inception, tmp_path, monkeypatch):
    """True squeeze and seeded Inception weights."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / seeded_inception.name).symlink_to(seeded_inception)
    squeeze = shared / "weights" / "lpips-squeeze" / "squeeze.backbone.pth"
    (folder / squeeze.name).symlink_to(squeeze)
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(folder))
    monkeypatch.setenv("I2IBENCH_CACHE", str(tmp_path / "cache"))
