"""Known shifts are found, and aligned scores never fall below the plain ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2ibench.data.images import read_image
from i2ibench.data.pairs import ImageRef
from i2ibench.metrics.alignment import (
    AlignmentSettings,
    PSNRAligned,
    ShiftConfidence,
    ShiftDistance,
    ShiftSettings,
    SSIMAligned,
    mean_squared_errors,
    overlap,
)
from i2ibench.metrics.interface import PairImages
from i2ibench.metrics.pixel import PSNR
from i2ibench.metrics.structural import SSIM


def _shifted(make_pair, dy, dx):
    scene = make_pair(160, 160, seed=3).target
    return PairImages("x", scene[30 : 30 + 96, 30 : 30 + 96], scene[30 - dy :, 30 - dx :][:96, :96])


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (5, -3), (-7, 0), (12, 9)])
def test_a_known_shift_is_found(make_pair, dy, dx):
    pair = _shifted(make_pair, dy, dx)
    assert ShiftDistance().score_pair(pair) == pytest.approx(math.hypot(dy, dx), abs=0.5)
    assert ShiftConfidence().score_pair(pair) > 0.2
    assert PSNRAligned().score_pair(pair) == math.inf
    assert SSIMAligned().score_pair(pair) == pytest.approx(1, abs=1e-12)


def test_a_shift_beyond_the_radius_is_not_rewarded(make_pair):
    pair = _shifted(make_pair, 12, 9)
    narrow = AlignmentSettings(radius=4)
    assert PSNRAligned(narrow).score_pair(pair) < 40
    assert SSIMAligned(narrow).score_pair(pair) < 0.9


def test_unrelated_images_have_low_confidence(make_pair):
    pair = PairImages("x", make_pair(96, 96, seed=1).target, make_pair(96, 96, seed=9).target)
    copy = PairImages("x", pair.target, pair.target)
    assert ShiftConfidence().score_pair(pair) < 0.3 * ShiftConfidence().score_pair(copy)


def test_a_shift_is_undefined_where_images_do_not_correlate(make_pair):
    copy = make_pair(96, 96, seed=1).target
    pair = PairImages("x", copy, make_pair(96, 96, seed=9).target)
    confidence = ShiftConfidence().score_pair(pair)
    assert confidence < ShiftSettings().least_confidence
    assert math.isnan(ShiftDistance().score_pair(pair))
    assert ShiftDistance.undefined_means, "declares that NaN may be returned"
    tolerant = ShiftDistance(ShiftSettings(least_confidence=confidence))
    assert tolerant.score_pair(pair) >= 0
    assert str(tolerant.signature()) != str(ShiftDistance().signature())
    assert "least-confidence:0.2|" in str(ShiftDistance().signature())


def test_the_shift_of_real_sections_is_of_those_that_correlate(shared):
    """Over all 24 thumbnails the mean was 20 px of noise."""
    folder = shared / "data" / "bci_thumbnails"
    shifts = []
    for path in sorted((folder / "IHC" / "test").iterdir()):
        files = (folder / "published_predictions" / "test" / path.name, path)
        images = (read_image(ImageRef(file)) for file in files)
        shifts.append(ShiftDistance().score_pair(PairImages(path.name, *images)))
    defined = [shift for shift in shifts if not math.isnan(shift)]
    assert (len(shifts), len(defined)) == (24, 3)
    assert np.mean(defined) == pytest.approx(0.98, abs=0.01)


def test_constant_images_have_no_shift_and_no_confidence():
    pair = PairImages("x", np.zeros((32, 32, 3), np.uint8), np.full((32, 32, 3), 9, np.uint8))
    assert math.isnan(ShiftDistance().score_pair(pair))
    assert ShiftDistance(ShiftSettings(least_confidence=0)).score_pair(pair) == 0
    assert ShiftConfidence().score_pair(pair) == 0
    assert PSNRAligned().score_pair(pair) == PSNR().score_pair(pair)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(16, 30),
    width=st.integers(16, 30),
    radius=st.integers(0, 8),
)
def test_errors_of_all_shifts_equal_the_direct_sums(seed, height, width, radius):
    draw = np.random.default_rng(seed)
    a, b = draw.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    found = mean_squared_errors(a, b, (radius, radius))
    for dy in {-radius, 0, radius}:
        for dx in {-radius, 1 if radius else 0, radius}:
            p, t = overlap(a, b, (dy, dx))
            expected = np.square(p.astype(float) - t).mean()
            assert found[dy + radius, dx + radius] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_aligned_scores_are_never_below_the_plain_ones(seed):
    a, b = np.random.default_rng(seed).integers(0, 256, (2, 24, 20, 3), dtype=np.uint8)
    pair = PairImages("x", a, b)
    assert PSNRAligned().score_pair(pair) >= PSNR().score_pair(pair)
    assert SSIMAligned().score_pair(pair) >= SSIM().score_pair(pair)
