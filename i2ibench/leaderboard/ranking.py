"""Ranks that say only what the data support: intervals, from tests of two methods at a time.

No verdict depends on which other methods are listed. A rank says how many of those listed are
surely better and how many surely worse, so removing one moves the others' ranks by one at most and
never turns two of them round: a method whose whole interval lies before another's stays before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.scores import Better
from i2ibench.statistics.bootstrap import FEWEST_UNITS, Codes, Floats
from i2ibench.statistics.every_two import every_two
from i2ibench.statistics.paired_tests import SIGNIFICANCE, holm

# How a board says what these functions do.
RULE = (
    "A method is surely better than another in a column where the test over seeds and test units "
    "at once (units are clusters where these are known, else pairs) gives "
    f"p < {SIGNIFICANCE}, two methods at a time, whichever others are listed. A rank is an "
    "interval: from one more than the number of methods that are surely better, to the number of "
    "methods less those that are surely worse."
)


class Span(NamedTuple):
    """The best and the worst rank that the tests leave open, 1 for the best of all."""

    best: int
    worst: int


class WeightsClaim(NamedTuple):
    """Than how many of ``of`` others one set of weights is surely better, and surely worse."""

    better: int
    worse: int
    of: int


@dataclass(frozen=True, slots=True)
class Contestant:
    """A method, or one set of weights, in one column.

    Attributes:
        scores: ``(S, N)``, one row a seed, one column a pair in the common order; a pair on which
            the metric is undefined is NaN. None where the scores are not at hand.
        is_method: whether it bears claims about a method; else about one set of weights.
    """

    scores: Floats | None
    is_method: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """What a column says of a contestant: a rank of a method, or a claim of one set of weights.

    ``simultaneous`` is the rank after Holm's correction over all pairs of methods in the column.
    All are None where nothing could be tested. ``ahead_of``: the places, among the contestants, of
    those it is surely better than.
    """

    rank: Span | None = None
    simultaneous: Span | None = None
    claim: WeightsClaim | None = None
    # Places depend on who else is listed; what they stand for does not.
    ahead_of: tuple[int, ...] = field(default=(), compare=False)


def rank_column(
    contestants: Sequence[Contestant],
    better: Better,
    clusters: Codes | None = None,
    levels: Codes | None = None,
    *,
    equal_levels: bool = False,
) -> list[Standing]:
    """Return what one column says of every contestant.

    Methods rank among methods. One set of weights is compared with everything else, and changes
    no rank. Whoever has no scores, or fewer than ``FEWEST_UNITS`` units with one, is left out as if
    it were not listed. Clusters and levels as in ``method_difference``.
    """
    entered = [i for i, each in enumerate(contestants) if _can_be_tested(each, clusters)]
    tests = pairwise_tests(
        [contestants[i] for i in entered], better, clusters, levels, equal_levels=equal_levels
    )
    surely = tests.ahead & (tests.p_values < SIGNIFICANCE)
    methods = np.array([contestants[i].is_method for i in entered], dtype=bool)
    together = _simultaneous(tests, methods)
    standings = [Standing()] * len(contestants)
    for place, i in enumerate(entered):
        ahead = tuple(entered[other] for other in np.flatnonzero(surely[place]))
        if not methods[place]:
            counts = int(surely[place].sum()), int(surely[:, place].sum()), len(entered) - 1
            claim = WeightsClaim(*counts) if len(entered) > 1 else None
            standings[i] = Standing(claim=claim, ahead_of=ahead)
        elif methods.sum() > 1:
            alone, joint = (_span(table, methods, place) for table in (surely, together))
            standings[i] = Standing(rank=alone, simultaneous=joint, ahead_of=ahead)
    return standings


class PairwiseTests(NamedTuple):
    """Tables ``(K, K)``: whether row is ahead of column by its mean, and the p-value of that."""

    ahead: NDArray[np.bool_]
    p_values: Floats


def pairwise_tests(
    contestants: Sequence[Contestant],
    better: Better,
    clusters: Codes | None = None,
    levels: Codes | None = None,
    *,
    equal_levels: bool = False,
) -> PairwiseTests:
    """Test every two contestants that have scores; what cannot be tested has p = 1."""
    found = every_two(
        [each.scores for each in contestants], clusters, levels, equal_levels=equal_levels
    )
    sign = 1.0 if better == "higher" else -1.0
    return PairwiseTests(sign * found.differences > 0, found.p_values)


def _can_be_tested(contestant: Contestant, clusters: Codes | None) -> bool:
    if contestant.scores is None:
        return False
    known = ~np.isnan(contestant.scores).any(0)
    units = int(known.sum()) if clusters is None else len(np.unique(clusters[known]))
    return units >= FEWEST_UNITS


def _simultaneous(tests: PairwiseTests, methods: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return who is surely better than whom with all pairs of methods tested at once."""
    places = np.flatnonzero(methods)
    above = np.triu_indices(len(places), 1)
    rows, columns = places[above[0]], places[above[1]]
    surely = np.zeros_like(tests.ahead)
    proven = holm(tests.p_values[rows, columns]) < SIGNIFICANCE
    rows, columns = rows[proven], columns[proven]
    surely[rows, columns] = tests.ahead[rows, columns]
    surely[columns, rows] = tests.ahead[columns, rows]
    return surely


def _span(surely: NDArray[np.bool_], methods: NDArray[np.bool_], place: int) -> Span:
    better, worse = surely[methods, place].sum(), surely[place, methods].sum()
    return Span(1 + int(better), int(methods.sum() - worse))
