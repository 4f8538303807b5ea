"""Variance, distance and sliced Wasserstein: exact where a reference exists, lawful elsewhere."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.stats import wasserstein_distance

from i2ibench.metrics.diversity import DistanceRatio, VarianceGap, VarianceRatio, mean_distance
from i2ibench.metrics.interface import PairImages
from i2ibench.metrics.sliced import SWD, Patches, SWDSettings, _sliced_distance, laplacian

SETS = {
    "variance-gap": VarianceGap,
    "variance-ratio": VarianceRatio,
    "swd": SWD,
    "distance-ratio": DistanceRatio,
}


def _pairs(n, size=24, seed=0, spread=1.0):
    draw = np.random.default_rng(seed)
    targets = draw.integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    mean = targets.mean(axis=0)
    predictions = np.clip(mean + spread * (targets - mean), 0, 255).astype(np.uint8)
    return [PairImages(f"{i:03d}", predictions[i], targets[i]) for i in range(n)]


def _accumulated(metric, pairs):
    state = metric.new_state()
    for pair in pairs:
        metric.update(state, pair.id, metric.describe(pair))
    return state


def _value(metric, pairs):
    return metric.compute(_accumulated(metric, pairs)).value


def test_variances_equal_numpy():
    pairs = _pairs(7, spread=0.6)
    real = np.stack([p.target for p in pairs]).astype(float).var(axis=0, ddof=1)
    predicted = np.stack([p.prediction for p in pairs]).astype(float).var(axis=0, ddof=1)
    assert _value(VarianceGap(), pairs) == pytest.approx(np.abs(real - predicted).mean(), rel=1e-12)
    assert _value(VarianceRatio(), pairs) == pytest.approx(
        predicted.mean() / real.mean(), rel=1e-12
    )


@pytest.mark.parametrize("pairs", [2, 257, 258, 600])
@pytest.mark.parametrize("value", [255, 254])
def test_sums_hold_the_brightest_images_of_many_pairs(pairs, value):
    """Totals of white images outgrow 16 bits at 258 of them."""
    white = np.full((3, 5, 3), 255, np.uint8)
    last = white.copy()
    last[0, 0, 0] = value
    listed = [PairImages(f"{i:03d}", white, white) for i in range(pairs - 1)]
    listed.append(PairImages("last", last, last))
    for metric in (VarianceGap(), VarianceRatio()):
        state = _accumulated(metric, listed)
        halves = metric.merge(
            _accumulated(metric, listed[: pairs // 2]), _accumulated(metric, listed[pairs // 2 :])
        )
        for each in (state, halves):
            found = metric.compute(each)
            if value == 255 and metric.name == "variance-ratio":
                assert found.value is None  # all targets are equal
            else:
                expected = (255 - value) ** 2 / pairs / white.size
                assert found.details["targets"] == pytest.approx(expected, rel=1e-9)


def test_a_variance_is_exact_where_images_hardly_vary():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 256, (40, 9, 7, 3), dtype=np.uint8)
    predictions = np.full_like(targets, 201)
    predictions[3, 2, 2, 1] = 202
    pairs = [PairImages(f"{i:02d}", predictions[i], targets[i]) for i in range(40)]
    found = VarianceRatio().compute(_accumulated(VarianceRatio(), pairs))
    assert found.details["predictions"] == 1 / 40 / (9 * 7 * 3)


@pytest.mark.parametrize(("metric", "most"), [(VarianceRatio, 16), (VarianceGap, 44)])
def test_variances_hold_few_bytes_a_pixel(metric, most):
    side = 1024
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    tracemalloc.start()
    measured = metric()
    state = _accumulated(measured, [PairImages("a", image, image), PairImages("b", image, image)])
    measured.compute(state)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / side**2 < most


def test_variance_gap_is_the_loss_the_penalty_trains():
    """The baseline's variance loss over one batch is the same quantity (unbiased, [0, 255])."""
    import torch

    from i2ibench_baselines.losses import variance_penalty

    pairs = _pairs(4, spread=0.5)
    fake, real = (
        torch.tensor(np.stack([getattr(p, side) for p in pairs])).permute(0, 3, 1, 2).double()
        for side in ("prediction", "target")
    )
    expected = variance_penalty(fake, real, unbiased=True).item()
    assert _value(VarianceGap(), pairs) == pytest.approx(expected, rel=1e-9)


def test_predictions_of_less_spread_have_a_ratio_below_one_and_equal_ones_zero():
    assert _value(VarianceRatio(), _pairs(8, spread=0.5)) == pytest.approx(0.25, abs=0.02)
    assert _value(VarianceRatio(), _pairs(8, spread=0.0)) == 0
    assert _value(DistanceRatio(), _pairs(8, spread=0.0)) == 0
    assert _value(DistanceRatio(), _pairs(8, spread=0.5)) == pytest.approx(0.5, abs=0.05)


def test_a_blurred_target_has_a_ratio_below_one_though_nothing_collapsed():
    pairs = [PairImages(p.id, cv2.blur(p.target, (9, 9)), p.target) for p in _pairs(8)]
    assert 0 < _value(VarianceRatio(), pairs) < 0.9


def test_sliced_distance_is_blind_to_the_strength_of_a_stain():
    """Washed out targets are nearer to targets than these are to slightly blurred ones."""
    targets = [p.target for p in _pairs(6)]
    washed = [np.rint(0.4 * target + 120).astype(np.uint8) for target in targets]
    blurred = [cv2.blur(target, (3, 3)) for target in targets]
    distances = []
    for made in (washed, blurred):
        pairs = zip(made, targets, strict=True)
        numbered = [PairImages(str(number), *both) for number, both in enumerate(pairs)]
        distances.append(_value(SWD(), numbered))
    assert 5 * distances[0] < distances[1]


def test_equal_sets_have_ratio_one_and_no_distance():
    pairs = [PairImages(p.id, p.target, p.target) for p in _pairs(6)]
    assert _value(VarianceRatio(), pairs) == 1
    assert _value(VarianceGap(), pairs) == 0
    assert _value(DistanceRatio(), pairs) == 1
    assert _value(SWD(), pairs) == 0


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 40), seed=st.integers(0, 999))
def test_mean_distance_equals_scipy(n, seed):
    rows = np.random.default_rng(seed).normal(size=(n, 12)).astype(np.float32)
    expected = pdist(rows.astype(np.float64)).mean() / 12**0.5
    assert mean_distance(rows) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("size", [(24, 24), (64, 40), (96, 8)])
def test_distance_ratio_equals_numpy_and_scipy_from_images_on(make_pair, size):
    """Where 8 divides both sides, area means are the means of equal blocks."""
    pairs = [make_pair(*size, seed=seed, noise=120) for seed in range(5)]
    rows, columns = (side // 8 for side in size)

    def distance(side):
        blocks = np.stack([getattr(p, side) for p in pairs]).reshape(5, 8, rows, 8, columns, 3)
        return pdist(blocks.mean(axis=(2, 4)).reshape(5, -1)).mean()

    expected = distance("prediction") / distance("target")
    assert abs(expected - 1) > 1e-3
    assert _value(DistanceRatio(), pairs) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(6)), cut=st.integers(1, 5))
@pytest.mark.parametrize("name", SETS)
def test_order_and_shards_change_nothing(name, order, cut):
    metric = SETS[name]() if name != "swd" else SWD(SWDSettings(patches=16, kept=40))
    pairs = _pairs(6, spread=0.7)
    whole = _value(metric, pairs)
    shuffled = [pairs[i] for i in order]
    assert _value(metric, shuffled) == pytest.approx(whole, abs=1e-9)
    shards = [_accumulated(metric, part) for part in (shuffled[:cut], shuffled[cut:])]
    assert metric.compute(metric.merge(*shards)).value == pytest.approx(whole, abs=1e-9)
    empty = metric.merge(metric.new_state(), _accumulated(metric, pairs))
    assert metric.compute(empty).value == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("name", ["variance-gap", "variance-ratio", "distance-ratio"])
def test_one_pair_has_a_reason_instead_of_a_number(name):
    metric = SETS[name]()
    score = metric.compute(_accumulated(metric, _pairs(1)))
    assert score.value is None
    assert "at least 2 pairs" in score.unavailable


def test_images_of_several_sizes_have_no_variance_per_pixel():
    mixed = [*_pairs(2), *(PairImages(f"x{p.id}", p.prediction, p.target) for p in _pairs(2, 30))]
    assert "one size" in VarianceGap().compute(_accumulated(VarianceGap(), mixed)).unavailable
    halves = [_accumulated(VarianceGap(), mixed[:2]), _accumulated(VarianceGap(), mixed[2:])]
    assert "one size" in VarianceGap().compute(VarianceGap().merge(*halves)).unavailable


def test_equal_targets_leave_no_ratio():
    image = np.full((16, 16, 3), 7, np.uint8)
    pairs = [PairImages(str(i), image, image) for i in range(3)]
    for metric in (VarianceRatio(), DistanceRatio()):
        assert "all targets are equal" in metric.compute(_accumulated(metric, pairs)).unavailable


def test_laplacian_pyramid_sums_back_to_the_image(make_pair):
    import cv2

    image = make_pair(96, 70).target
    *levels, rest = laplacian(image)
    assert min(rest.shape[:2]) in range(16, 32)
    for level in reversed(levels):
        rest = level + cv2.pyrUp(rest, dstsize=(level.shape[1], level.shape[0]))
    assert np.abs(rest - image).max() < 1e-3


def test_sliced_distance_equals_scipy_along_each_direction():
    draw = np.random.default_rng(0)
    sides = [draw.normal(size=(50, 3, 49)).astype(np.float32) for _ in range(2)]
    directions = draw.normal(size=(147, 4)).astype(np.float32)
    scaled = [
        ((s - s.mean((0, 2), keepdims=True)) / s.std((0, 2), keepdims=True)).reshape(50, -1)
        for s in sides
    ]
    expected = np.mean(
        [
            wasserstein_distance(scaled[0] @ d, scaled[1] @ d)
            for d in directions.T.astype(np.float64)
        ]
    )
    sample = Patches(np.arange(50, dtype=np.uint64), *sides)
    assert _sliced_distance(sample, directions) == pytest.approx(expected, rel=1e-4)


def test_swd_sees_blur_that_leaves_colours_alone(make_pair):
    import cv2

    pairs = [make_pair(64, 64, seed=seed, noise=10) for seed in range(4)]
    blurred = [PairImages(p.id, cv2.GaussianBlur(p.target, (0, 0), 3), p.target) for p in pairs]
    shuffled = [
        PairImages(p.id, q.target, p.target) for p, q in zip(pairs, pairs[::-1], strict=True)
    ]
    swd = SWD(SWDSettings(patches=1024))
    assert _value(swd, blurred) > 2 * _value(swd, shuffled)
