"""Whether two ways to train differ, where both were trained with the same seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from i2ibench.statistics.bootstrap import LEVEL, Floats

# Of two seeds the interval would be 13 standard deviations wide to each side.
FEWEST_SEEDS = 3


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """What values of the same seeds say about two sides.

    Attributes:
        difference: mean over seeds of the first less the second.
        interval: of it, at the house's level; None of fewer than ``FEWEST_SEEDS`` seeds.
        p_value: two-sided, of the paired t-test; None likewise.
        seeds: that both sides have.
        higher: in how many of them the first is higher.
    """

    difference: float
    interval: tuple[float, float] | None
    p_value: float | None
    seeds: int
    higher: int


def seed_difference(first: Floats, second: Floats) -> SeedDifference | None:
    """Return the paired t-test over seeds (Student 1908); None without a seed that both have.

    The seed is the unit: the claim is about other seeds on the same test images. A seed gives both
    sides the same draws where these are the same, so its effect on both cancels.

    Args:
        first, second: a value a seed, ``(S,)``, in the same order; NaN where there is none.
    """
    known = np.isfinite(first) & np.isfinite(second)
    differences = (first - second)[known]
    seeds = len(differences)
    if not seeds:
        return None
    mean, higher = float(differences.mean()), int((differences > 0).sum())
    if seeds < FEWEST_SEEDS:
        return SeedDifference(mean, None, None, seeds, higher)
    error = float(differences.std(ddof=1)) / seeds**0.5
    # Equal differences deviate in their last digits, which is no spread.
    if error <= 1e-12 * float(np.abs(np.concatenate([first[known], second[known]])).max()):
        return SeedDifference(mean, (mean, mean), 1.0 if not mean else 0.0, seeds, higher)
    half = float(special.stdtrit(seeds - 1, (1 + LEVEL) / 2)) * error
    p_value = float(2 * special.stdtr(seeds - 1, -abs(mean) / error))
    return SeedDifference(mean, (mean - half, mean + half), p_value, seeds, higher)
