"""Tests of paired differences: whether two methods differ, over pairs or over clusters of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from i2ibench.statistics.bootstrap import Codes, Floats, sum_by_cluster

SIGNIFICANCE = 0.05

# Up to this many differences with ties are tested exactly, as scipy does.
_SMALL = 13
# Up to this many scipy's choice of method depends on the single column.
_CHOICE = 50


def paired_differences(first: Floats, second: Floats) -> Floats:
    """Return first minus second; two infinite scores are equal."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(first == second, 0.0, first - second), dtype=np.float64)


def signed_rank_p(differences: Floats, clusters: Codes | None = None) -> list[float]:
    """Return two-sided p-values of Wilcoxon's signed-rank test, one a column of ``(N, M)``.

    As ``scipy.stats.wilcoxon`` with ``zero_method="zsplit"``: pairs without a difference stay in
    and count half for each sign. With ``clusters`` the test is over the means of the clusters,
    since pairs of one slide are not independent. Without any difference p is 1.
    """
    values = _units(differences, clusters)
    if len(values) <= _CHOICE:
        return [_p_value(column) for column in values.T]
    p_values = np.ones(values.shape[1])
    some = np.any(values != 0, axis=0)
    if some.any():
        p_values[some] = stats.wilcoxon(values[:, some], zero_method="zsplit", axis=0).pvalue
    return [float(p_value) for p_value in p_values]


def rank_biserial(differences: Floats, clusters: Codes | None = None) -> list[float]:
    """Return matched-pairs rank-biserial correlations (Kerby 2014), one a column of ``(N, M)``.

    (sum of ranks of positive - of negative differences) / sum of all ranks, zeros left out: 1
    where all differences are positive, -1 where all are negative. ``clusters`` as in
    ``signed_rank_p``.
    """
    values = _units(differences, clusters)
    ranks = stats.rankdata(np.abs(values), axis=0)
    zeros = (values == 0).sum(0)
    # Without the zeros, which have the smallest ranks, every rank is smaller by their number.
    ranks = np.where(values == 0, 0.0, ranks - zeros)
    total = ranks.sum(0)
    signed = (ranks * np.sign(values)).sum(0)
    return [float(s / t) if t > 0 else 0.0 for s, t in zip(signed, total, strict=True)]


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Return the p-values adjusted by Holm's step-down method (Holm 1979)."""
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    steps = np.minimum(1.0, np.arange(len(given), 0, -1) * given[order])
    adjusted = np.empty_like(given)
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted


def _units(differences: Floats, clusters: Codes | None) -> Floats:
    """Return one difference a unit: of every pair, or the mean of every cluster."""
    values = np.where(np.isnan(differences), 0.0, differences)
    if clusters is None:
        return values
    sizes = np.unique(clusters, return_counts=True)[1]
    return np.asarray(sum_by_cluster(values, clusters) / sizes[:, None], dtype=np.float64)


def _p_value(values: Floats) -> float:
    if not np.any(values):
        return 1.0
    if len(values) <= _SMALL and len(np.unique(np.abs(values[values != 0]))) < len(values):
        return _exact_p_value(values)
    return float(stats.wilcoxon(values, zero_method="zsplit").pvalue)


def _exact_p_value(values: Floats) -> float:
    """Return the exact p-value for few ``values`` with ties or zeros.

    scipy's is the same number, found by going through all 2^n signs, which takes seconds. Here the
    distribution of the rank sum is built up rank by rank; ranks are doubled to be whole.
    """
    ranks = np.rint(2 * stats.rankdata(np.abs(values))).astype(int)
    signed = ranks[values != 0]
    ways = np.zeros(int(signed.sum()) + 1)
    ways[0] = 1.0
    for rank in signed.tolist():
        ways[rank:] += ways[:-rank].copy()
    observed = int(ranks[values > 0].sum())
    least = min(ways[: observed + 1].sum(), ways[observed:].sum())
    return float(min(1.0, 2 * least / ways.sum()))
