"""What seeds and pairs say about every two methods and metrics of one set of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from i2ibench.evaluation.scores import Better
from i2ibench.results.evaluation_intervals import level_codes
from i2ibench.results.scored_method import ScoredMethod
from i2ibench.statistics.bootstrap import (
    FEWEST_UNITS,
    Codes,
    Floats,
    bca_intervals,
    finite_mean,
    resample_means,
)
from i2ibench.statistics.paired_tests import (
    SIGNIFICANCE,
    holm,
    paired_differences,
    rank_biserial,
    signed_rank_p,
)
from i2ibench.statistics.seeds_and_units import equivalence_p, method_difference


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """What seeds and pairs say about two methods and one metric.

    Attributes:
        first, second: labels of the methods.
        metric: its name.
        means: mean score of both, over seeds and pairs.
        difference: mean of first minus second; infinite where it is so on every pair.
        ci95: interval of ``difference`` over seeds and units; None of too few units.
        p_value: of the test over seeds and units (``statistics.seeds_and_units``).
        p_holm: corrected over all tests of one set of pairs (Holm 1979).
        signed_rank_p: of the two-sided Wilcoxon signed-rank test of the seeds' mean, not corrected.
        effect: matched-pairs rank-biserial correlation (Kerby 2014): 1 where the first method has
            the higher score on every pair (or cluster), -1 where the second has, 0 for balance.
        improvement: probability that the first method is better on a pair, over pairs and seeds,
            ties counting half; None for metrics without a direction.
        improvement_ci95: its interval over units; None of too few.
        margin: differences smaller than this were said not to matter; None where nothing was said.
        equivalence_p: of two one-sided tests (TOST) that the methods are equal within ``margin``.
        about_methods: whether the claim is about both methods; else about these weights alone.
        n: pairs on which the metric is defined on both sides.
        units: what was resampled and tested, pairs or clusters.
    """

    first: str
    second: str
    metric: str
    means: tuple[float, float]
    difference: float
    ci95: tuple[float, float] | None
    p_value: float
    p_holm: float
    signed_rank_p: float
    effect: float
    improvement: float | None
    improvement_ci95: tuple[float, float] | None
    margin: float | None
    equivalence_p: float | None
    about_methods: bool
    n: int
    units: int

    @property
    def proven(self) -> bool:
        """Whether the methods (or these weights) differ beyond chance."""
        return self.ci95 is not None and self.p_holm < SIGNIFICANCE

    @property
    def equal(self) -> bool:
        """Whether the 90 % interval of the difference lies within the margin."""
        return self.equivalence_p is not None and self.equivalence_p < SIGNIFICANCE


def method_differences(
    methods: Sequence[ScoredMethod],
    metrics: Sequence[str],
    rows: np.ndarray,
    clusters: Codes | None,
    margins: Mapping[str, float],
) -> list[PairedDifference]:
    """Return the tests of every two methods on the pairs where ``rows`` holds, corrected together.

    ``clusters`` is a code a pair; ``margins`` as in ``compare``. Groups are levels of a design, as
    in ``method_difference``.
    """
    codes = None if clusters is None else clusters[rows]
    levels = level_codes(methods[0].scores[rows])
    found = [
        _difference(a, b, metric, rows, codes, levels, margins.get(metric))
        for a, b in combinations(methods, 2)
        for metric in metrics
    ]
    corrected = holm([each.p_value for each in found]).tolist()
    return [replace(each, p_holm=p) for each, p in zip(found, corrected, strict=True)]


def _difference(
    first: ScoredMethod,
    second: ScoredMethod,
    metric: str,
    rows: np.ndarray,
    codes: Codes | None,
    levels: Codes | None,
    margin: float | None,
) -> PairedDifference:
    """Return one test, not yet corrected; pairs undefined on either side are left out."""
    a, b = first.seed_scores(metric)[:, rows], second.seed_scores(metric)[:, rows]
    known = ~(np.isnan(a).any(0) | np.isnan(b).any(0))
    a, b = a[:, known], b[:, known]
    codes, levels = (None if each is None else each[known] for each in (codes, levels))
    difference = paired_differences(a.mean(0), b.mean(0))
    test = method_difference(a, b, codes, levels)
    units = int(known.sum()) if codes is None else len(np.unique(codes))
    better = _share_better(a, b, first.better.get(metric))
    return PairedDifference(
        first=first.label,
        second=second.label,
        metric=metric,
        means=(finite_mean(a.ravel()), finite_mean(b.ravel())),
        difference=finite_mean(difference) if test is None else test.difference,
        ci95=None if test is None or units < FEWEST_UNITS else test.interval,
        p_value=1.0 if test is None else test.p_value,
        p_holm=1.0,
        signed_rank_p=signed_rank_p(difference[:, None], codes)[0] if units else 1.0,
        effect=rank_biserial(difference[:, None], codes)[0] if units else 0.0,
        improvement=None if better is None or not units else float(better.mean()),
        improvement_ci95=None if better is None or not units else _share_interval(better, codes),
        margin=margin,
        equivalence_p=(
            None
            if margin is None or test is None or units < FEWEST_UNITS
            else equivalence_p(test, margin)
        ),
        about_methods=first.is_method and second.is_method,
        n=int(known.sum()),
        units=units,
    )


def _share_interval(shares: Floats, clusters: Codes | None) -> tuple[float, float] | None:
    """Return the interval of a mean of shares, in [0, 1]; that most of them are 1 is no fault."""
    [found] = bca_intervals(resample_means(shares[:, None], clusters, seed=0))
    return None if found is None else (max(0.0, found[0]), min(1.0, found[1]))


def _share_better(first: Floats, second: Floats, better: Better | None) -> Floats | None:
    """Return by pair how often a seed of the first beats one of the second, ties half; ``(N,)``."""
    if better is None:
        return None
    sign = 1.0 if better == "higher" else -1.0
    one, other = sign * first[:, None], sign * second[None]
    return np.asarray(((one > other) + (one == other) / 2).mean((0, 1)), dtype=np.float64)
