"""Intervals of statistics that are no mean: percentiles of what resampling made of them."""

from __future__ import annotations

import numpy as np
from scipy import special

from i2ibench.statistics.bootstrap import FEWEST_UNITS, LEVEL, Floats


def percentile_interval(
    estimate: float, resampled: Floats, units: int
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of a statistic, widened for few units.

    Both ends are moved away from the estimate as far as Student's t and the sample variance ask for
    at this number of units.

    Args:
        estimate: the statistic; NaN where it is undefined.
        resampled: ``(B,)``, of the resamples; NaN or infinite where it is undefined.
        units: pairs or clusters that were drawn.

    Returns:
        The interval; None below ``FEWEST_UNITS`` units, where the statistic is undefined on one
        resample in twenty or more, and where resampling cannot vary it.
    """
    known = resampled[np.isfinite(resampled)]
    if units < FEWEST_UNITS or not np.isfinite(estimate):
        return None
    if len(known) <= 0.95 * len(resampled) or np.ptp(known) == 0:
        return None
    wanted = special.stdtrit(units - 1, (1 + LEVEL) / 2) * np.sqrt(units / (units - 1))
    factor = wanted / special.ndtri((1 + LEVEL) / 2)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(estimate - factor * (estimate - low)), float(estimate + factor * (high - estimate))
