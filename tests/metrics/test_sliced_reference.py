"""The whole sliced Wasserstein distance written out in numpy and scipy, from images on."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from i2ibench.metrics.sliced import SWD, SWDSettings
from i2ibench.seeds import derive_seed

SIDE = 7


def _pyramid(image):
    """What each halving loses, from the finest on, and the rest below 32 pixels."""
    images = [image.astype(np.float32)]
    while min(images[-1].shape[:2]) >= 32:
        images.append(cv2.pyrDown(images[-1]))
    lost = [
        fine - cv2.pyrUp(coarse, dstsize=fine.shape[1::-1])
        for fine, coarse in itertools.pairwise(images)
    ]
    return [*lost, images[-1]]


def _level(pairs, level, settings):
    """Return prediction's and target's patches (n, 3, 7, 7) of a level, the kept ones."""
    kept = []
    for pair in pairs:
        sides = [_pyramid(image)[level] for image in (pair.prediction, pair.target)]
        height, width = sides[0].shape[:2]
        draw = np.random.default_rng(derive_seed(settings.seed, "swd", pair.id, level))
        rows = draw.integers(0, height - SIDE + 1, settings.patches)
        columns = draw.integers(0, width - SIDE + 1, settings.patches)
        priorities = draw.integers(0, 2**64 - 1, settings.patches, dtype=np.uint64)
        for y, x, priority in zip(rows, columns, priorities, strict=True):
            cut = [side[y : y + SIDE, x : x + SIDE].transpose(2, 0, 1) for side in sides]
            kept.append((priority, *cut))
    kept.sort(key=lambda patch: patch[0])
    return [np.stack(side) for side in zip(*(p[1:] for p in kept[: settings.kept]), strict=True)]


def _written_out(pairs, settings):
    draw = np.random.default_rng(derive_seed(settings.seed, "swd", "directions"))
    directions = draw.standard_normal((3 * SIDE * SIDE, settings.directions))
    directions /= np.sqrt(np.square(directions).sum(axis=0))
    distances = []
    for level in range(len(_pyramid(pairs[0].target))):
        flat = []
        for patches in _level(pairs, level, settings):
            mean, deviation = (f(patches, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.std))
            flat.append(((patches - mean) / deviation).reshape(len(patches), -1))
        along = [
            wasserstein_distance(flat[0] @ direction, flat[1] @ direction)
            for direction in directions.T
        ]
        distances.append(1000 * np.mean(along))
    return distances


@pytest.mark.parametrize("kept", [8192, 50], ids=["all patches", "a sample"])
@pytest.mark.parametrize("size", [(100, 70), (30, 40)], ids=["three levels", "one level"])
def test_swd_equals_its_definition(make_pair, size, kept):
    pairs = [make_pair(*size, seed=seed) for seed in range(4)]
    settings = SWDSettings(patches=32, directions=48, kept=kept)
    metric = SWD(settings)
    state = metric.new_state()
    for pair in pairs:
        metric.update(state, pair.id, metric.describe(pair))
    score = metric.compute(state)
    expected = _written_out(pairs, settings)
    assert score.value == pytest.approx(np.mean(expected), rel=1e-4)
    assert [*score.details["levels"].values()] == pytest.approx(expected, rel=1e-4)
