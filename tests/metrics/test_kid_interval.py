"""KID's interval contains the true distance, though predictions depend on their targets."""

from __future__ import annotations

import numpy as np
import pytest

from i2ibench.metrics.distribution import paired_mmd, squared_mmd


def _draw(rng: np.random.Generator, n: int, dependence: float) -> tuple[np.ndarray, np.ndarray]:
    """Features whose distribution does not depend on ``dependence``, only their pairing does."""
    targets = rng.normal(0, 1, (n, 24))
    noise = rng.normal(0, 1, (n, 24))
    predictions = dependence * targets + np.sqrt(1 - dependence**2) * noise
    return 1.1 * (predictions + 0.25), targets


@pytest.mark.parametrize("dependence", [0.0, 0.6])
def test_the_interval_contains_the_true_distance(dependence: float) -> None:
    rng = np.random.default_rng(0)
    truth = np.mean([squared_mmd(*_draw(rng, 1500, 0.0)) for _ in range(20)])
    found = [paired_mmd(*_draw(rng, 100, dependence))[1] for _ in range(250)]
    share = np.mean([low <= truth <= high for low, high in found])
    assert 0.91 <= share <= 0.995


def test_the_value_is_the_unbiased_estimate() -> None:
    predictions, targets = _draw(np.random.default_rng(1), 40, 0.5)
    assert paired_mmd(predictions, targets)[0] == pytest.approx(
        squared_mmd(predictions, targets), rel=1e-12
    )


def test_leaving_out_by_row_sums_is_leaving_out() -> None:
    predictions, targets = _draw(np.random.default_rng(2), 20, 0.5)
    keep = ~np.eye(20, dtype=bool)
    left_out = np.array([squared_mmd(predictions[k], targets[k]) for k in keep])
    low, high = paired_mmd(predictions, targets)[1]
    value = squared_mmd(predictions, targets)
    assert (low + high) / 2 == pytest.approx(20 * value - 19 * left_out.mean(), rel=1e-9)


def test_few_pairs_have_no_interval() -> None:
    assert paired_mmd(*_draw(np.random.default_rng(3), 15, 0.0))[1] is None
