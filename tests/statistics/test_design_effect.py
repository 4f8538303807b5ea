"""Hidden clusters: the formula holds where clusters are known, and boards say what it gives."""

from __future__ import annotations

import numpy as np
import pytest

from i2ibench.statistics.design_effect import design_effect, widened


@pytest.mark.parametrize("correlation", [0.0, 0.1, 0.3])
def test_it_is_the_variance_that_clusters_add(correlation: float) -> None:
    rng = np.random.default_rng(0)
    between = rng.normal(0, np.sqrt(correlation), (4000, 20, 1))
    pairs = between + rng.normal(0, np.sqrt(1 - correlation), (4000, 20, 8))
    found = pairs.mean((1, 2)).var() / (1 / 160)
    assert found == pytest.approx(design_effect(160, 20, correlation), rel=0.08)


def test_an_interval_widens_by_the_root_about_its_estimate() -> None:
    assert widened((9.0, 12.0), 10.0, 4.0) == (8.0, 14.0)
    assert widened((9.0, 12.0), 10.0, design_effect(51, 51, 0.3)) == (9.0, 12.0)
