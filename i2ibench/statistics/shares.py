"""Intervals of shares, over clusters: how often something was so."""

from __future__ import annotations

import numpy as np
from scipy import stats

from i2ibench.statistics.bootstrap import (
    FEWEST_UNITS,
    LEVEL,
    Codes,
    Floats,
    bca_intervals,
    resample_means,
)


def share_interval(
    values: Floats, clusters: Codes | None = None, seed: int = 0
) -> tuple[float, float] | None:
    """Return a 95 % interval of the mean of values in [0, 1], by resampling clusters or pairs.

    Where all values are 0, or all are 1, no resample differs: the interval is then the exact one
    of Clopper and Pearson (Biometrika 1934) of as many units.

    Args:
        values: ``(N,)``.
        clusters: ``(N,)``, a code a value; those of one cluster are drawn together.
        seed: of the resampling.

    Returns:
        The interval, within [0, 1]; None below ``FEWEST_UNITS`` units.
    """
    units = len(values) if clusters is None else len(np.unique(clusters))
    if units < FEWEST_UNITS:
        return None
    if values[0] in (0.0, 1.0) and (values == values[0]).all():
        found = stats.binomtest(round(units * float(values[0])), units).proportion_ci(LEVEL)
        return float(found.low), float(found.high)
    [interval] = bca_intervals(resample_means(values[:, None], clusters, seed=seed))
    return None if interval is None else (max(0.0, interval[0]), min(1.0, interval[1]))
