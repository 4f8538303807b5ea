"""``method_difference`` of every two of many methods, one against all others at a time.

The same numbers, to rounding. A board of a thousand methods has half a million tests in each of its
columns; what belongs to one method is found once, and memory grows with methods, not with tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from i2ibench.statistics.bootstrap import FEWEST_IN_GROUP, FEWEST_UNITS, Codes, Floats
from i2ibench.statistics.seeds_and_units import (
    TestUnits,
    between_seeds,
    method_difference,
    residual,
)


class PairwiseTests(NamedTuple):
    """Tables ``(K, K)``: mean of row less mean of column, and the p-value that they differ."""

    differences: Floats
    p_values: Floats

    def fill(
        self, one: int, others: NDArray[np.intp], differences: Floats | float, p: Floats | float
    ) -> None:
        """Enter the tests of one method against others."""
        self.differences[one, others], self.p_values[one, others] = differences, p
        self.differences[others, one] = -self.differences[one, others]
        self.p_values[others, one] = p


# The numbers of a side that tests take.
_NUMBERS = ("seeds_variance", "seeds_freedom", "counted_twice", "largest")


@dataclass(frozen=True, slots=True)
class _Side:
    """What a test needs of one method, whoever it is tested against.

    Attributes:
        means: of its units over seeds, ``(U,)``.
        deviations: of ``means`` from its stratum's mean, weighted, ``(U,)``.
        seeds_variance: that the mean has over seeds.
        seeds_freedom: its degrees of freedom.
        counted_twice: the part of the variance that seeds and units bring together.
        largest: score, without sign.
    """

    means: Floats
    deviations: Floats
    seeds_variance: float
    seeds_freedom: int
    counted_twice: float
    largest: float


def every_two(
    scores: Sequence[Floats | None],
    clusters: Codes | None = None,
    levels: Codes | None = None,
    *,
    equal_levels: bool = False,
) -> PairwiseTests:
    """Test every two methods; what cannot be tested has the difference 0 and p = 1.

    Args:
        scores: of each method, ``(S, N)``; None where they are not at hand.
        clusters, levels, equal_levels: as in ``method_difference``. Fewer than ``FEWEST_UNITS``
            units cannot be tested.
    """
    size = len(scores)
    found = PairwiseTests(np.zeros((size, size)), np.ones((size, size)))
    known = {i: each for i, each in enumerate(scores) if each is not None}
    alike = _defined_on_the_same_pairs(known)
    for places in alike:
        kept = ~np.isnan(known[places[0]]).any(0)
        of_pair, of_level = (None if each is None else each[kept] for each in (clusters, levels))
        _test_finite({i: known[i][:, kept] for i in places}, of_pair, of_level, equal_levels, found)
    done = {i: number for number, places in enumerate(alike) for i in places}
    for i, j in combinations(known, 2):
        if i in done and done[i] == done.get(j):
            continue
        test = method_difference(known[i], known[j], clusters, levels, equal_levels=equal_levels)
        if test is not None and test.units >= FEWEST_UNITS:
            found.fill(i, np.array([j]), test.difference, test.p_value)
    return found


def _defined_on_the_same_pairs(scores: Mapping[int, Floats]) -> list[list[int]]:
    """Return the places of methods that are finite on the same pairs and NaN on the others.

    By what belongs to a method alone: how two are tested must not depend on who else is listed.
    """
    alike: dict[bytes, list[int]] = {}
    for i, each in scores.items():
        undefined = np.isnan(each)
        if not np.isinf(each).any() and (undefined == undefined[0]).all():
            alike.setdefault(undefined[0].tobytes(), []).append(i)
    return [places for places in alike.values() if len(places) > 1]


def _test_finite(
    scores: Mapping[int, Floats],
    clusters: Codes | None,
    levels: Codes | None,
    equal_levels: bool,
    found: PairwiseTests,
) -> None:
    """Test methods whose scores are all finite, by place, and so of the same units."""
    places, pairs = np.array([*scores]), next(iter(scores.values())).shape[1]
    units = TestUnits.of(pairs, clusters, levels, equal_levels=equal_levels)
    if len(units.weights) < FEWEST_UNITS:
        return
    if equal_levels and levels is not None:
        of_level = [units.place[levels == level] for level in np.unique(levels)]
        if min(len(np.unique(each)) for each in of_level) < FEWEST_IN_GROUP:
            return
    sides = [_side(each, units) for each in scores.values()]
    means = np.stack([side.means for side in sides])
    deviations = np.stack([side.deviations for side in sides])
    # As columns once: asked of every side for every other, they would cost the most.
    columns = {name: np.array([getattr(side, name) for side in sides], float) for name in _NUMBERS}
    for i in range(len(sides) - 1):
        others = slice(i + 1, None)
        # Not by a product of matrices, whose last digits depend on how many others there are.
        gaps = ((means[i] - means[others]) * units.weights).sum(1)
        found.fill(
            places[i],
            places[others],
            *_tests(
                sides[i],
                {name: column[others] for name, column in columns.items()},
                gaps,
                deviations[i] - deviations[others],
                units,
            ),
        )


def _side(scores: Floats, units: TestUnits) -> _Side:
    of_units = units.means(scores)
    means = of_units.mean(0)
    deviations = np.zeros_like(means)
    for places, weights in units.strata():
        centre = means[places] @ weights / weights.sum()
        deviations[places] = weights * (means[places] - centre)
    return _Side(
        means,
        deviations,
        *between_seeds(of_units, units.weights),
        counted_twice=sum(residual(of_units, each) for each in units.strata()),
        largest=float(np.abs(scores).max(initial=0.0)),
    )


def _tests(
    one: _Side, others: Mapping[str, Floats], gaps: Floats, deviations: Floats, units: TestUnits
) -> tuple[Floats, Floats]:
    """Return the differences ``(K,)`` of one method and others, and their p-values.

    ``others`` holds the numbers of the other sides by name, ``(K,)`` each.
    """
    of_units = []
    for places, _ in units.strata():
        count = len(places)
        squares = (np.take(deviations, places, axis=1) ** 2).sum(1) * count / (count - 1)
        of_units.append((squares, float(count - 1)))
    seeds_part = one.seeds_variance + others["seeds_variance"]
    units_part = np.sum([part for part, _ in of_units], axis=0)
    twice = one.counted_twice + others["counted_twice"]
    # Never less than either of the parts that it is the sum of.
    variance = np.maximum.reduce([seeds_part + units_part - twice, seeds_part, units_part])
    # Sums of equal scores differ in their last digits, which is neither a lead nor a variance.
    rounding = 1e-12 * np.maximum(one.largest, others["largest"])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [
            one.seeds_variance**2 / one.seeds_freedom,
            others["seeds_variance"] ** 2 / others["seeds_freedom"],
            *(part**2 / freedom for part, freedom in of_units),
        ]
        freedom = variance**2 / np.sum(np.broadcast_arrays(*shares), axis=0)
        p_values = 2 * special.stdtr(freedom, -np.abs(gaps) / np.sqrt(variance))
    certain = variance <= rounding**2
    differences = np.where(certain & (np.abs(gaps) <= rounding), 0.0, gaps)
    p_values = np.where(certain, np.where(differences != 0, 0.0, 1.0), p_values)
    return differences, np.asarray(p_values, dtype=np.float64)
