"""Laws of single metrics on random images: equal images, and channels in another order."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.metrics.alignment import PSNRAligned, ShiftDistance, SSIMAligned
from i2ibench.metrics.diversity import DistanceRatio, VarianceGap, VarianceRatio
from i2ibench.metrics.interface import Context, PairImages
from i2ibench.metrics.perceptual import LPIPSSqueeze
from i2ibench.metrics.pixel import MAE, PSNR
from i2ibench.metrics.stain import DABAreaError, DABDensityError, DABHistogramDistance
from i2ibench.metrics.structural import MSSSIM, SSIM, SSIMGaussian

PERFECT = {PSNR: math.inf, MAE: 0, SSIM: 1, SSIMGaussian: 1, PSNRAligned: math.inf, SSIMAligned: 1}
PERFECT |= {DABDensityError: 0, DABAreaError: 0, DABHistogramDistance: 0}

CHANNELS = st.permutations([0, 1, 2])


@st.composite
def images(draw, least=32, most=48):
    """Noise, or the steps of a few grey levels, or one colour: uint8 (H, W, 3)."""
    height, width = draw(st.integers(least, most)), draw(st.integers(least, most))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    step = draw(st.sampled_from([1, 85]))
    if draw(st.booleans()):
        return (random.integers(0, 255 // step + 1, (height, width, 3)) * step).astype(np.uint8)
    return np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)


def _equal(image):
    return PairImages("x", image, image.copy())


def _permuted(pair, order):
    return PairImages(pair.id, pair.prediction[:, :, order], pair.target[:, :, order])


@settings(max_examples=30, deadline=None)
@given(image=images())
def test_equal_images_give_the_perfect_score(image):
    for metric, perfect in PERFECT.items():
        found = metric().score_pair(_equal(image))
        assert found == pytest.approx(perfect, abs=1e-9), metric.name
    shift = ShiftDistance().score_pair(_equal(image))
    assert math.isnan(shift) if np.ptp(image, axis=(0, 1)).max() == 0 else abs(shift) < 1e-9


@settings(max_examples=8, deadline=None)
@given(image=images(176, 200))
def test_equal_images_have_multi_scale_similarity_one(image):
    assert MSSSIM().score_pair(_equal(image)) == pytest.approx(1, abs=1e-9)


def test_equal_images_have_no_perceptual_distance(shared, monkeypatch):
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(shared / "weights"))
    metric = LPIPSSqueeze()
    metric.prepare(Context())

    @settings(max_examples=8, deadline=None)
    @given(image=images())
    def holds(image):
        assert metric.score_pair(_equal(image)) == 0

    holds()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), order=CHANNELS)
def test_the_order_of_channels_changes_no_multi_scale_similarity(seed, order):
    pair = PairImages(
        "x", *np.random.default_rng(seed).integers(0, 256, (2, 176, 180, 3), np.uint8)
    )
    pair.prediction[:] = pair.prediction // 4 + pair.target // 4 * 3
    found = MSSSIM().score_pair(pair)
    assert 0.1 < found < 1
    assert MSSSIM().score_pair(_permuted(pair, order)) == pytest.approx(found, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), order=CHANNELS)
def test_the_order_of_channels_changes_neither_aligned_psnr_nor_diversity(seed, order):
    drawn = np.random.default_rng(seed).integers(0, 256, (4, 2, 24, 20, 3), np.uint8)
    pairs = [PairImages(str(index), *images) for index, images in enumerate(drawn)]
    permuted = [_permuted(pair, order) for pair in pairs]
    aligned = PSNRAligned()
    assert aligned.score_pair(permuted[0]) == pytest.approx(aligned.score_pair(pairs[0]), abs=1e-9)
    for metric in (VarianceGap(), VarianceRatio(), DistanceRatio()):
        values = []
        for each in (pairs, permuted):
            state = metric.new_state()
            for pair in each:
                metric.update(state, pair.id, metric.describe(pair))
            values.append(metric.compute(state).value)
        assert values[1] == pytest.approx(values[0], rel=1e-9), metric.name
