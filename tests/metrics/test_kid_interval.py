"""kid-marginal does not see pairing, and its interval holds the true distance where it is given."""

from __future__ import annotations

import numpy as np
import pytest
from kid_coverage import MARGINS, draw_pairs, simulate, true_distance
from scipy import stats

from i2ibench.metrics.inception_features import FeatureState
from i2ibench.metrics.kernel_distance import (
    KID,
    KIDMarginal,
    KIDSettings,
    feature_kurtosis,
    marginal_mmd,
    squared_mmd,
)

NORMAL = next(margin for margin in MARGINS if margin.name == "normal")
HEAVY = next(margin for margin in MARGINS if margin.name.startswith("lognormal, sigma 1"))


def _state(x, y):
    rows = zip(x.astype(np.float32), y.astype(np.float32), strict=True)
    return FeatureState({f"{i:06d}": pair for i, pair in enumerate(rows)})


def _draw(seed, n, strength=0.5, margin=NORMAL):
    return draw_pairs(np.random.default_rng(seed), margin, n, strength)


# Of the other two no sample is huge enough.
LIGHT = [margin for margin in MARGINS if "3 degrees" not in margin.name and margin != HEAVY]


@pytest.mark.parametrize("margin", LIGHT, ids=lambda margin: margin.name)
def test_the_true_distance_is_that_of_a_huge_sample(margin):
    found = [marginal_mmd(*_draw(seed, 1000, 0.0, margin))[0] for seed in range(8)]
    spread = np.std(found, ddof=1) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(true_distance(margin), abs=4 * spread)


def test_pairing_moves_kid_and_not_kid_marginal():
    truth = true_distance(NORMAL)
    rows = {strength: simulate(NORMAL, 64, strength, 300, seed=1) for strength in (0.0, 0.95)}
    assert [row.marginal for row in rows.values()] == pytest.approx([truth, truth], abs=0.02)
    assert rows[0.0].kid == pytest.approx(truth, abs=0.02), "right where nothing is paired"
    assert rows[0.95].kid < truth - 0.05


@pytest.mark.parametrize("strength", [0.0, 0.95])
def test_the_interval_holds_the_true_distance(strength):
    row = simulate(NORMAL, 64, strength, 400)
    assert row.given > 0.99
    assert 0.92 <= row.held <= 0.99


def test_heavy_tails_have_no_interval():
    """Of lognormal features the interval would hold the truth in four of five sets."""
    row = simulate(HEAVY, 256, 0.95, 150)
    assert row.coverage < 0.92
    assert row.given == 0
    score = KIDMarginal().compute(_state(*_draw(0, 64, 0.5, HEAVY)))
    assert score.ci95 is None
    assert any("kurtosis" in note for note in score.notes)


@pytest.mark.parametrize("n", [64, 90])
def test_the_value_lies_within_its_interval(n):
    for seed in range(10):
        score = KIDMarginal().compute(_state(*_draw(seed, n, 0.95)))
        assert score.ci95[0] < score.value < score.ci95[1]
    assert dict(score.settings) == {"subset": str(n), "subsets": "1"}


def test_leaving_out_by_row_sums_is_leaving_out():
    x, y = _draw(2, 20)
    left_out = np.array([marginal_mmd(x[kept], y[kept])[0] for kept in ~np.eye(20, dtype=bool)])
    value, (low, high) = marginal_mmd(x, y)
    error = np.sqrt(19 / 20 * np.square(left_out - left_out.mean()).sum())
    assert (low, high) == pytest.approx(stats.t(19, value, error).interval(0.95), rel=1e-9)


def test_shuffled_targets_average_to_the_value_that_leaves_pairs_out():
    """Over all rotations of the targets but the true one the cross term holds each i != j once."""
    x, y = _draw(3, 12, 0.95)
    rotated = [squared_mmd(x, np.roll(y, k, axis=0)) for k in range(12)]
    assert rotated == pytest.approx([rotated[0]] * 12, rel=1e-9), "kid never knew the pairs"
    n, kernel = 12, (x @ y.T / x.shape[1] + 1) ** 3
    moved = 2 * (kernel.mean() - kernel[~np.eye(n, dtype=bool)].mean())
    assert marginal_mmd(x, y)[0] == pytest.approx(rotated[0] + moved, rel=1e-9)


def test_few_pairs_and_random_subsets_have_no_interval():
    assert KIDMarginal().compute(_state(*_draw(3, 63))).ci95 is None
    state = _state(*_draw(4, 120))
    drawn = [KIDMarginal(KIDSettings(subset=80, subsets=20, seed=s)).compute(state) for s in (1, 2)]
    whole = KIDMarginal().compute(state)
    assert all(score.ci95 is None for score in drawn)
    assert drawn[0].value != drawn[1].value
    assert [score.value for score in drawn] == pytest.approx([whole.value] * 2, abs=0.05)
    assert dict(drawn[0].settings) == {"subset": "80", "subsets": "20", "seed": "1"}


def test_the_definitions_stand_in_the_signatures():
    assert "estimator:unbiased" in str(KID().signature())
    assert "estimator:marginal" in str(KIDMarginal().signature())


def test_feature_kurtosis_is_scipys_of_equal_variances():
    rows = np.random.default_rng(5).exponential(size=(400, 7))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    expected = stats.kurtosis(rows, fisher=False).mean()
    assert feature_kurtosis(rows) == pytest.approx(expected, rel=1e-9)
    assert feature_kurtosis(np.ones((5, 3))) == 1
