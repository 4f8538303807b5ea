"""Whether two methods differ, where each was trained with several seeds and scored on shared units.

A method's score varies for two reasons: other seeds give other weights, and other test units
(pairs, or clusters of pairs such as slides) give other differences. A claim about *methods* must
survive both. A claim about one set of weights a side needs the second alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from i2ibench.statistics.bootstrap import LEVEL, Codes, Floats

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MethodDifference:
    """What scores of several seeds on shared units say about two methods.

    Attributes:
        difference: mean score of the first less that of the second, over seeds and pairs.
        standard_error: of ``difference``, over seeds of each side and over units.
        freedom: Satterthwaite's degrees of freedom of it.
        p_value: two-sided, that the methods differ.
        interval: of ``difference`` at the house's level.
        seeds: of the two sides. With one seed on a side that can have several, the claim is about
            that side's weights alone: nothing is known of the method's other seeds.
        units: pairs or clusters.
    """

    difference: float
    standard_error: float
    freedom: float
    p_value: float
    interval: tuple[float, float]
    seeds: tuple[int, int]
    units: int


def method_difference(
    first: Floats, second: Floats, clusters: Codes | None = None
) -> MethodDifference | None:
    """Test the mean difference of two methods over seeds and units at once.

    The variance of the difference of means is that between seeds of each side (over their number),
    plus that between units of the difference averaged over seeds (over their number), less the
    part that both count: the residual of seed and unit, by a two-way analysis of variance. The
    degrees of freedom are Satterthwaite's (Biometrics Bulletin 1946). A side of one seed brings no
    variance of seeds. Simulated type I error and power: ``benchmarks/seeds_and_units.py``.

    Args:
        first: scores ``(S, N)``, one row a seed, one column a pair.
        second: scores ``(T, N)`` of the same pairs.
        clusters: ``(N,)``, a code a pair; None where every pair is its own unit.

    Returns:
        The test; None where fewer than two units are finite in all seeds of both sides. A side
        that is infinite throughout, as the PSNR of a method that reproduces every target is, leads
        without end.
    """
    perfect = [bool(np.isposinf(side).all()) for side in (first, second)]
    if perfect[0] != perfect[1] and first.shape[1]:
        lead = float("inf") if perfect[0] else float("-inf")
        units = first.shape[1] if clusters is None else len(np.unique(clusters))
        return _certain(lead, (len(first), len(second)), units)
    finite = np.isfinite(first).all(0) & np.isfinite(second).all(0)
    codes = None if clusters is None else clusters[finite]
    a, b, weights = _by_unit(first[:, finite], second[:, finite], codes)
    units = a.shape[1]
    if units < 2:
        return None
    difference = float((a.mean(0) - b.mean(0)) @ weights)
    parts = [_between_seeds(a, weights), _between_seeds(b, weights)]
    parts.append((_between_units(a.mean(0) - b.mean(0), weights), units - 1))
    counted_twice = _residual(a, weights) + _residual(b, weights)
    variances = [variance for variance, _ in parts]
    # Never less than any of the parts that it is the sum of.
    variance = max(sum(variances) - counted_twice, sum(variances[:2]), variances[2])
    if variance <= 0:
        return _certain(difference, (len(a), len(b)), units)
    freedom = variance**2 / sum(part**2 / df for part, df in parts if part > 0)
    error = float(np.sqrt(variance))
    half = float(special.stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return MethodDifference(
        difference=difference,
        standard_error=error,
        freedom=float(freedom),
        p_value=float(2 * special.stdtr(freedom, -abs(difference) / error)),
        interval=(difference - half, difference + half),
        seeds=(len(a), len(b)),
        units=units,
    )


def equivalence_p(found: MethodDifference, margin: float) -> float:
    """Return the p-value of equality within ``margin`` > 0: two one-sided tests (Schuirmann 1987).

    Below 0.05 the 90 % interval of the difference lies within ``(-margin, margin)``.
    """
    if found.standard_error == 0:
        return 0.0 if abs(found.difference) < margin else 1.0
    nearer = (margin - abs(found.difference)) / found.standard_error
    return float(special.stdtr(found.freedom, -nearer))


def _certain(difference: float, seeds: tuple[int, int], units: int) -> MethodDifference:
    """Return the test of a difference that nothing varies."""
    p_value = 0.0 if difference else 1.0
    both = (difference, difference)
    return MethodDifference(difference, 0.0, float("inf"), p_value, both, seeds, units)


def _by_unit(first: Floats, second: Floats, codes: Codes | None) -> tuple[Float64, Float64, Floats]:
    """Return both sides' unit means ``(S, U)`` and the units' shares of all pairs ``(U,)``."""
    if codes is None:
        count = first.shape[1]
        return first, second, np.full(count, 1 / max(count, 1))
    _, place, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    sides = []
    for side in (first, second):
        sums = np.zeros((len(side), len(sizes)))
        np.add.at(sums.T, place.reshape(-1), side.T)
        sides.append(sums / sizes)
    return sides[0], sides[1], sizes / sizes.sum()


def _between_seeds(scores: Float64, weights: Floats) -> tuple[float, int]:
    """Return the variance of the mean over seeds, and its degrees of freedom."""
    seeds = len(scores)
    if seeds < 2:
        return 0.0, 1
    return float((scores @ weights).var(ddof=1)) / seeds, seeds - 1


def _between_units(values: Floats, weights: Floats) -> float:
    """Return the variance of a weighted mean over units; of equal units the usual one."""
    units = len(values)
    deviations = weights * (values - values @ weights)
    return float((deviations**2).sum()) * units / (units - 1)


def _residual(scores: Float64, weights: Floats) -> float:
    """Return the part of the mean's variance that seeds and units bring together."""
    seeds, units = scores.shape
    if seeds < 2:
        return 0.0
    centred = scores - scores.mean(0) - (scores @ weights)[:, None] + scores.mean(0) @ weights
    return float(((weights * centred) ** 2).sum() * units / (units - 1) / (seeds - 1) / seeds)
