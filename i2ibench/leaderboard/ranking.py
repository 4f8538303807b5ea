"""Ranks that say only what the data support: methods that cannot be separated share one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.scores import Better
from i2ibench.statistics.bootstrap import Codes, Floats, finite_mean, mean_intervals
from i2ibench.statistics.paired_tests import (
    SIGNIFICANCE,
    holm,
    is_separated,
    paired_differences,
    rank_biserial,
    signed_rank_p,
)

# How a board says what these functions do.
RULE = (
    "Two methods are separated in a column where their paired differences say so twice and in one "
    "direction: the 95 % interval of the mean difference excludes zero, and the Wilcoxon "
    f"signed-rank test has p < {SIGNIFICANCE} after Holm's correction over all pairs of methods "
    "(both over pairs, or over clusters where clusters are known). Where seeds were repeated, the "
    "ranges of the seeds must not overlap either. A rank is one more than the number of methods "
    "that are better and separated from it: what cannot be separated shares a rank."
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One method in one column.

    Attributes:
        value: its score.
        seeds: the score of every seed.
        pair_scores: its score of every pair (mean over seeds), in the common order of pairs; None
            for metrics of sets and where the scores are not at hand.
    """

    value: float
    seeds: tuple[float, ...]
    pair_scores: Floats | None = None


def rank_column(
    contestants: Sequence[Contestant], better: Better, clusters: Codes | None = None
) -> list[int]:
    """Return the rank of every contestant, 1 for the best; ties share the smaller number."""
    separated = separations(contestants, clusters)
    sign = 1.0 if better == "higher" else -1.0
    values = np.array([sign * contestant.value for contestant in contestants])
    return [
        1 + int(sum(separated[i, j] and values[j] > values[i] for j in range(len(values))))
        for i in range(len(values))
    ]


def separations(
    contestants: Sequence[Contestant], clusters: Codes | None = None
) -> NDArray[np.bool_]:
    """Return which contestants differ beyond chance, a symmetric ``(K, K)`` table.

    Where the scores per pair are missing (or a metric has none), the values of the seeds alone
    decide: two single numbers then differ if they are not equal.
    """
    size = len(contestants)
    separated = np.zeros((size, size), dtype=bool)
    tested: list[tuple[int, int]] = []
    differences: list[Floats] = []
    for i, j in combinations(range(size), 2):
        first, second = contestants[i], contestants[j]
        apart = _ranges_apart(first.seeds or (first.value,), second.seeds or (second.value,))
        separated[i, j] = separated[j, i] = apart
        if apart and first.pair_scores is not None and second.pair_scores is not None:
            tested.append((i, j))
            differences.append(paired_differences(first.pair_scores, second.pair_scores))
    for (i, j), proven in zip(tested, _proven(differences, clusters), strict=True):
        separated[i, j] = separated[j, i] = proven
    return separated


def _proven(differences: Sequence[Floats], clusters: Codes | None) -> list[bool]:
    """Whether each column of paired differences separates two methods; Holm over all of them."""
    if not differences:
        return []
    table = np.stack(differences, axis=1)
    rows = zip(
        (finite_mean(difference) for difference in differences),
        mean_intervals(table, clusters),
        holm(signed_rank_p(table, clusters)),
        rank_biserial(table, clusters),
        strict=True,
    )
    return [is_separated(*row) for row in rows]


def places(mean_ranks: Sequence[float]) -> list[int]:
    """Return the place of every mean rank: 1, 2, 2, 4 where the second and third are equal."""
    return [1 + sum(other < mine for other in mean_ranks) for mine in mean_ranks]


def _ranges_apart(first: Sequence[float], second: Sequence[float]) -> bool:
    return min(first) > max(second) or min(second) > max(first)
