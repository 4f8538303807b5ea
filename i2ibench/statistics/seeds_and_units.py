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

from i2ibench.statistics.bootstrap import FEWEST_IN_GROUP, LEVEL, Codes, Floats

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
    first: Floats,
    second: Floats,
    clusters: Codes | None = None,
    levels: Codes | None = None,
    *,
    equal_levels: bool = False,
) -> MethodDifference | None:
    """Test the mean difference of two methods over seeds and units at once.

    The variance of the difference of means is that between seeds of each side (over their number),
    plus that between units of the difference averaged over seeds (over their number), less the
    part that both count: the residual of seed and unit, by a two-way analysis of variance. The
    degrees of freedom are Satterthwaite's (Biometrics Bulletin 1946). A side of one seed brings no
    variance of seeds. Simulated type I error and power: ``benchmarks/seeds_and_units.py``.

    Levels (groups) of a design would have the same shares in another sample: units vary within
    their level, and how levels differ from one another is no error. So it is where every level has
    two units and no unit is of two levels; else levels are taken as part of what varies.

    Args:
        first: scores ``(S, N)``, one row a seed, one column a pair.
        second: scores ``(T, N)`` of the same pairs.
        clusters: ``(N,)``, a code a pair; None where every pair is its own unit.
        levels: ``(N,)``, a code a pair; None where pairs have no group.
        equal_levels: whether the mean is that of the levels' means, instead of that over pairs.

    Returns:
        The test over the pairs that are defined (no NaN) in all seeds of both sides; None where
        these are of fewer than two units. A side that is infinite throughout, as the PSNR of a
        method that reproduces every target is, leads without end. Pairs that are infinite on both
        sides do not differ; infinities on one side alone leave no mean to test, and give None.
        With ``equal_levels`` there is no test either where the sides are defined on other levels,
        or a level has fewer than ``FEWEST_IN_GROUP`` units: it would decide by chance.
    """
    perfect = [bool(np.isposinf(side).all()) for side in (first, second)]
    if perfect[0] != perfect[1] and first.shape[1]:
        lead = float("inf") if perfect[0] else float("-inf")
        units = first.shape[1] if clusters is None else len(np.unique(clusters))
        return _certain(lead, (len(first), len(second)), units)
    both = np.concatenate([first, second])
    equal = (both == np.inf).all(0)
    if np.isinf(both[:, ~equal]).any():
        return None
    defined = ~np.isnan(both).any(0)
    sides = tuple(np.where(equal, 0.0, side)[:, defined] for side in (first, second))
    units = TestUnits.of(
        sides[0].shape[1],
        None if clusters is None else clusters[defined],
        None if levels is None else levels[defined],
        equal_levels=equal_levels,
    )
    if len(units.weights) < 2:
        return None
    if equal_levels and levels is not None:
        known = [{*levels[~np.isnan(side).any(0)].tolist()} for side in (first, second)]
        of_level = [units.place[levels[defined] == level] for level in known[0]]
        if known[0] != known[1] or min(len(set(each)) for each in of_level) < FEWEST_IN_GROUP:
            return None
    a, b = (units.means(side) for side in sides)
    difference = float((a.mean(0) - b.mean(0)) @ units.weights)
    of_seeds = [between_seeds(a, units.weights), between_seeds(b, units.weights)]
    of_units = [_between_units(a.mean(0) - b.mean(0), each) for each in units.strata()]
    counted_twice = sum(residual(side, each) for side in (a, b) for each in units.strata())
    parts = [*of_seeds, *of_units]
    seeds_part, units_part = (sum(v for v, _ in each) for each in (of_seeds, of_units))
    # Never less than either of the parts that it is the sum of.
    variance = max(seeds_part + units_part - counted_twice, seeds_part, units_part)
    # Sums of equal scores differ in their last digits, which is neither a lead nor a variance.
    rounding = 1e-12 * max(float(np.abs(side).max(initial=0.0)) for side in (a, b))
    if variance <= rounding**2:
        lead = 0.0 if abs(difference) <= rounding else difference
        return _certain(lead, (len(a), len(b)), len(units.weights))
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
        units=len(units.weights),
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


# The units of one stratum, by their places, and their weights in the whole mean.
Stratum = tuple[npt.NDArray[np.intp], Floats]


@dataclass(frozen=True, slots=True)
class TestUnits:
    """The test units of N pairs.

    Attributes:
        place: of each pair's unit, ``(N,)``.
        pair_weights: of each pair in the mean, ``(N,)``; they sum to 1.
        weights: of each unit in the mean, ``(U,)``.
        levels: of each unit, ``(U,)``; all one where levels are part of what varies.
    """

    place: npt.NDArray[np.intp]
    pair_weights: Floats
    weights: Floats
    levels: npt.NDArray[np.intp]

    @classmethod
    def of(
        cls, pairs: int, clusters: Codes | None, levels: Codes | None, *, equal_levels: bool
    ) -> TestUnits:
        """Return the units of ``pairs`` pairs; arguments as in ``method_difference``."""
        place = np.arange(pairs) if clusters is None else _codes(clusters)
        of_pair = np.zeros(pairs, dtype=np.intp) if levels is None else _codes(levels)
        sizes = np.bincount(of_pair)
        shares = np.full(pairs, 1 / max(pairs, 1))
        if equal_levels and pairs:
            shares = 1 / (len(sizes) * sizes[of_pair])
        weights = np.bincount(place, shares)
        level = np.zeros(len(weights), dtype=np.intp)
        level[place] = of_pair
        designed = bool((level[place] == of_pair).all()) and np.bincount(level).min(initial=2) > 1
        strata = level if designed else np.zeros_like(level)
        return cls(place, shares, np.asarray(weights, np.float64), strata)

    def means(self, scores: Floats) -> Float64:
        """Return the units' weighted mean scores ``(S, U)`` of ``(S, N)``."""
        sums = np.zeros((len(scores), len(self.weights)))
        np.add.at(sums.T, self.place, (scores * self.pair_weights).T)
        return np.asarray(sums / self.weights, dtype=np.float64)

    def strata(self) -> list[Stratum]:
        """Return the units of each level with their weights."""
        found = [np.flatnonzero(self.levels == level) for level in np.unique(self.levels)]
        return [(units, self.weights[units]) for units in found]


def _codes(labels: Codes) -> npt.NDArray[np.intp]:
    return np.unique(labels, return_inverse=True)[1].reshape(-1)


def between_seeds(scores: Float64, weights: Floats) -> tuple[float, int]:
    """Return the variance of the mean over seeds, and its degrees of freedom."""
    seeds = len(scores)
    if seeds < 2:
        return 0.0, 1
    return float((scores @ weights).var(ddof=1)) / seeds, seeds - 1


def _between_units(values: Floats, stratum: Stratum) -> tuple[float, int]:
    """Return the variance that a stratum's units bring to a weighted mean, and its freedom."""
    places, weights = stratum
    chosen, count = values[places], len(places)
    deviations = weights * (chosen - chosen @ weights / weights.sum())
    return float((deviations**2).sum()) * count / (count - 1), count - 1


def residual(scores: Float64, stratum: Stratum) -> float:
    """Return the part of the mean's variance that seeds and a stratum's units bring together."""
    places, weights = stratum
    chosen, share = scores[:, places], weights / weights.sum()
    seeds, units = chosen.shape
    if seeds < 2:
        return 0.0
    centred = chosen - chosen.mean(0) - (chosen @ share)[:, None] + chosen.mean(0) @ share
    return float(((weights * centred) ** 2).sum() * units / (units - 1) / (seeds - 1) / seeds)
